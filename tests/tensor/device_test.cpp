// Tensors know where they are, and nothing but a kernel of that device touches their elements: on the guarded device
// and the emulated GPU whoever does dies.
#include "tensor/device.h"

#include <unistd.h>

#include <limits>
#include <thread>

#include "kernels/cuda/emulator/memory.h"
#include "tensor/dispatch.h"
#include "tensor/finite.h"
#include "tensor/npy.h"
#include "tensor/out_of_memory.h"
#include "tensor/pool.h"
#include "tensor/safetensors.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

constexpr Device kGuarded = Device::guarded;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Without touching it: the system refuses to write out what this process cannot read.
bool readable(const Tensor& t) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const bool written = write(ends[1], t.raw(), 1) == 1;
  close(ends[0]), close(ends[1]);
  return written;
}

TEST(Device, Names) {
  EXPECT_EQ(device_from_name("cpu"), Device::cpu);
  EXPECT_EQ(device_from_name(name_of(kGuarded)), kGuarded);
  EXPECT_EQ(device_from_name("cuda"), Device::cuda);
  for (const char* name : {"gpu", "CUDA", ""})
    EXPECT_ERROR(device_from_name(name), concat("device: wanted cpu or cuda, got \"", name, '"'));
  EXPECT_EQ(describe_gpu(), "the emulator, on the processor: slow, for tiny models");
}

using OtherDevice = testing::TestWithParam<Device>;
INSTANTIATE_TEST_SUITE_P(, OtherDevice, testing::Values(Device::guarded, Device::cuda),
                         [](const auto& device) { return device.param == Device::cuda ? "Cuda" : "Guarded"; });

TEST_P(OtherDevice, TensorsAreMadeWhereTheySay) {
  const Tensor like = full({2, 3}, 1.5, Dtype::f64, GetParam());
  EXPECT_EQ(to_vector<double>(like), std::vector<double>(6, 1.5));
  for (const Tensor& t : {empty({2}, like), empty_like(like), zeros({4}, like), zeros_like(like), full({1}, 2, like),
                          like.clone(), like.rows(0, 1), like.reshape({6}), like.view(1, {2}),
                          from_vector<double>({1, 2}, {2}, GetParam()), like.to(Dtype::f32).to(Dtype::f64)}) {
    EXPECT_EQ(t.device(), GetParam());
    EXPECT_EQ(t.dtype(), Dtype::f64);
  }
  EXPECT_EQ(to_vector<double>(zeros_like(like)), std::vector<double>(6, 0.0));
}

TEST_P(OtherDevice, CopiesGoBothWays) {
  const Tensor here = from_vector<float>({1, 2, 3, 4}, {2, 2}), there = here.to(GetParam());
  EXPECT_EQ(here.to(Device::cpu).raw(), here.raw());  // itself if nothing changes
  EXPECT_EQ(there.to(GetParam()).raw(), there.raw());
  EXPECT_TRUE(same_bits(there.to(Device::cpu), here));
  EXPECT_EQ(to_vector<float>(there.rows(1, 2).clone()), (std::vector<float>{3, 4}));
  EXPECT_EQ(there.view(2, {1}).item(), 3);
  there.rows(0, 1).copy_from(here.rows(1, 2));
  here.copy_from(there);
  EXPECT_EQ(to_vector<float>(here), (std::vector<float>{3, 4, 3, 4}));
  EXPECT_EQ(to_vector<i64>(there.to(Dtype::i64)), (std::vector<i64>{3, 4, 3, 4}));
  EXPECT_EQ(first_not_finite(from_vector<float>({1, kInfinity}, {2}, GetParam())), 1);
}

TEST_P(OtherDevice, CastsAndFillsAreThoseOfTheHost) {
  const Tensor here = random({1000}, 1, Dtype::f64);
  const std::vector<Dtype> all{Dtype::f64, Dtype::f32, Dtype::bf16};
  for (const Dtype from : all)
    for (const Dtype to : all)
      EXPECT_TRUE(same_bits(here.to(from).to(GetParam()).to(to).to(Device::cpu), here.to(from).to(to))) << from << to;
  EXPECT_EQ(to_vector<i64>(full({2}, 1e15, Dtype::i64, GetParam())), std::vector<i64>(2, 1000000000000000));
  EXPECT_EQ(full({1}, 1.5, Dtype::bf16, GetParam()).item(), 1.5);
}

TEST_P(OtherDevice, OwnBlocksAreNobodyElses) {
  Pool& pool = Pool::of(GetParam());
  const auto make = [] { return empty({1000}, Dtype::f32, GetParam()); };
  std::byte* own_block = nullptr;
  {
    const Pool::Own own(GetParam());
    own.use([&] { own_block = make().raw(); });
    if (GetParam() != Device::guarded) pool.release_kept();  // not those
    const long reserved = pool.stats().reserved;
    std::vector<Tensor> others;
    for (int i = 0; i < 4; ++i) others.push_back(make());
    for (const Tensor& other : others) EXPECT_NE(other.raw(), own_block);
    const PoolStats before = pool.stats();
    own.use([&] { EXPECT_EQ(make().raw(), own_block); });
    EXPECT_EQ(pool.stats().allocations, before.allocations);
    EXPECT_GE(before.reserved, reserved);
    EXPECT_THROW(own.use([] { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_NE(make().raw(), own_block);  // back to one's own also after an error
  }
}

// What tensors have left is a kernel's before it fails, and then it fails as they do.
TEST(Device, KernelsGetTheMemoryThatIsKept) {
#ifdef SANITIZED
  GTEST_SKIP() << "the emulated GPU's memory has no limit here";
#endif
  constexpr long kMiB = 1L << 20;
  Pool& pool = Pool::of(Device::cuda);
  pool.release_kept();
  const long all = kernels::emulator::memory_of_gpu;
  kernels::emulator::memory_of_gpu = kernels::emulator::memory_in_use() + 32 * kMiB;
  const Tensor small = empty({1}, Dtype::f32, Device::cuda);
  const auto work_with = [&](long bytes) {
    dispatch(small, [&]<class T>(auto context) {
      if constexpr (std::is_same_v<decltype(context), kernels::Cuda>)
        const kernels::cuda::Scratch<std::byte> scratch(context, bytes);
    });
  };
  { const Tensor kept = empty({24 * kMiB / 4}, Dtype::f32, Device::cuda); }
  EXPECT_GE(pool.stats().reserved, 24 * kMiB);
  EXPECT_NO_THROW(work_with(16 * kMiB));
  EXPECT_LT(pool.stats().reserved, 24 * kMiB);
  const std::string figures = "out of memory: 40 MiB wanted, .* in use, .* allowed .the GPU's memory.";
  const auto words = [](auto fails) {
    try {
      fails();
    } catch (const OutOfMemory& error) {
      return std::string(error.what());
    }
    return std::string("nothing failed");
  };
  EXPECT_THAT(words([&] { work_with(40 * kMiB); }), testing::MatchesRegex(figures));
  EXPECT_THAT(words([&] { empty({40 * kMiB / 4}, Dtype::f32, Device::cuda); }), testing::MatchesRegex(figures));
  kernels::emulator::memory_of_gpu = all;
}

TEST_P(OtherDevice, FilesHoldTheSameBytes) {
  const TemporaryFolder folder;
  const Tensor here = random({3, 5}, 1), there = here.to(GetParam());
  save_npy(folder / "here.npy", here), save_npy(folder / "there.npy", there);
  EXPECT_EQ(read_file(folder / "here.npy"), read_file(folder / "there.npy"));
  for (const auto& [name, t] : {std::pair("here", here), {"there", there}})
    save_safetensors(folder / name, {{"t", t}}, {}, Hashes::all);
  EXPECT_EQ(read_file(folder / "here"), read_file(folder / "there"));
}

TEST(Device, ElementsAreReadWhereTheyAre) {
  const Tensor here = zeros({2}), there = zeros({2, 3}, Dtype::f32, kGuarded);
  EXPECT_ERROR(there.host<float>(), "tensor: f32 [2, 3] is on guarded-for-tests, wanted in host memory");
  EXPECT_ERROR(there.data<float>(), "tensor: f32 [2, 3] is on guarded-for-tests, where no operation runs");
  EXPECT_ERROR(here.data<float>(), "tensor: f32 [2] is on cpu, where no operation runs");
  dispatch(there, [&]<class T>(auto) {
    EXPECT_NO_THROW(there.data<T>());
    EXPECT_ERROR(here.data<T>(), "tensor: f32 [2] is on cpu, where no operation runs");
  });
  dispatch(here, [&]<class T>(auto) {
    EXPECT_NO_THROW(here.data<T>());
    EXPECT_ERROR(there.data<T>(), "is on guarded-for-tests, where no operation runs");
    dispatch(there, [&]<class>(auto) { EXPECT_NO_THROW(there.data<T>()); });
    EXPECT_NO_THROW(here.data<T>());
  });
  EXPECT_ERROR(here.data<float>(), "where no operation runs");
}

TEST_P(OtherDevice, HasMemoryOfItsOwn) {
  const PoolStats here = Pool::of(Device::cpu).stats(), before = Pool::of(GetParam()).stats();
  {
    const Tensor t = zeros({1000}, Dtype::f32, GetParam());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.raw()) % 64, 0U);
    EXPECT_EQ(Pool::of(GetParam()).stats().in_use, before.in_use + 4096);
    EXPECT_EQ(Pool::of(Device::cpu).stats().in_use, here.in_use);
  }
  EXPECT_EQ(Pool::of(GetParam()).stats().in_use, before.in_use);
  const PoolStats after = Pool::of(GetParam()).stats();
  const Tensor again = zeros({1000}, Dtype::f32, GetParam());
  EXPECT_EQ(Pool::of(GetParam()).stats().allocations, after.allocations);  // the same block
  Pool::of(GetParam()).release_kept();
  EXPECT_EQ(to_vector<float>(again), std::vector<float>(1000));
}

TEST(Guarded, IsOpenWhileAnOperationRuns) {
  const Tensor t = zeros({1}, Dtype::f32, kGuarded), bf16 = zeros({1}, Dtype::bf16, kGuarded);
  EXPECT_FALSE(readable(t));
  dispatch(t, [&]<class>(auto) {
    EXPECT_TRUE(readable(t));
    dispatch_mixed(bf16, [&]<class>(auto) { EXPECT_TRUE(readable(bf16)); });
    EXPECT_EQ(t.item(), 0);
    EXPECT_TRUE(readable(t));
  });
  EXPECT_FALSE(readable(t));
  EXPECT_ERROR(dispatch(bf16, []<class>(auto) {}), "operations work on f32 and f64");
  EXPECT_FALSE(readable(t));
  dispatch(zeros({1}), [&]<class>(auto) { EXPECT_FALSE(readable(t)); });
}

TEST(Guarded, IsOpenToOperationsSideBySide) {
  std::vector<std::thread> threads;
  for (int id = 0; id < 4; ++id)
    threads.emplace_back([id] {
      for (int i = 0; i < 200; ++i) {
        const Tensor t = full({100 + i}, id, Dtype::f32, kGuarded);
        dispatch(t, [&]<class T>(auto) { EXPECT_EQ(std::count(t.data<T>(), t.data<T>() + t.numel(), id), 100 + i); });
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(readable(zeros({1}, Dtype::f32, kGuarded)));
}

// What a host read of a GPU's pointer would be.
TEST(GuardedDeathTest, WhoeverElseTouchesItDies) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const Tensor t = zeros({1}, Dtype::f32, kGuarded);
  volatile const float* pointer = reinterpret_cast<const float*>(t.raw());
  EXPECT_DEATH(std::exit(*pointer == 0), "");
#ifndef SANITIZED  // there the emulated GPU's memory is the system's own, which AddressSanitizer watches
  const Tensor on_gpu = zeros({1}, Dtype::f32, Device::cuda);
  EXPECT_FALSE(readable(on_gpu));
  dispatch(on_gpu, [&]<class>(auto) { EXPECT_FALSE(readable(on_gpu)); });  // the host part of an operation either
  pointer = reinterpret_cast<const float*>(on_gpu.raw());
  EXPECT_DEATH(std::exit(*pointer == 0), "");
#endif
}

}  // namespace
}  // namespace lookhere
