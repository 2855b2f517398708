// A captured graph does nothing until it is launched, and then what was asked for, in order, as often as one likes.
#include "kernels/cuda/emulator/graph.h"

#include "kernels/cuda/device.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/product.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

namespace cuda = kernels::cuda;

void add_number(float* x, long n, float number) {
  cuda::for_each(cuda::context(), n, [=](long i) { x[i] += number; });
}

TEST(CudaGraph, DoesItsWorkWhenLaunched) {
  const Tensor x = full({3}, 1, Dtype::f32, Device::cuda), twice = zeros({3}, Dtype::f32, Device::cuda);
  auto* at = reinterpret_cast<float*>(x.raw());
  auto* sum = reinterpret_cast<float*>(twice.raw());
  float number = 2;
  const cuda::Graph graph([&] {
    add_number(at, 3, number);
    number = 50;  // arguments are those of the launch
    cuda::copy_within_device(sum, at, 3 * sizeof(float));
    const cuda::Scratch<float> between(cuda::context(), 3);
    cuda::copy_within_device(between.get(), at, 3 * sizeof(float));
    cuda::clear(at, sizeof(float));
    // sum (3, 1) += between (3, 1) · 1 (1, 1), whose one is the element of x that is never changed but by the graph
    cuda::product(cuda::context(), cuda::Product<float, float>{.c = sum,
                                                               .a = between.get(),
                                                               .b = at + 1,
                                                               .m = 3,
                                                               .n = 1,
                                                               .k = 1,
                                                               .c_row = 1,
                                                               .a_row = 1,
                                                               .b_row = 1,
                                                               .accumulate = true});
  });
  EXPECT_EQ(to_vector<float>(x), std::vector<float>(3, 1));
  // Memory that comes after the capture is none of what the graph works in.
  std::byte* later = cuda::allocate(3 * sizeof(float));
  graph.launch();
  EXPECT_EQ(to_vector<float>(x), (std::vector<float>{0, 3, 3}));
  EXPECT_EQ(to_vector<float>(twice), std::vector<float>(3, 12));  // 3 + 3 · 3
  cuda::clear(later, 3 * sizeof(float));
  graph.launch();
  EXPECT_EQ(to_vector<float>(x), (std::vector<float>{0, 5, 5}));
  EXPECT_EQ(to_vector<float>(twice), (std::vector<float>{12, 30, 30}));
  cuda::release(later);
}

// CUDA takes a copy from the host into a graph with the address that the host's memory has at that time, and refuses
// the others: here all are.
TEST(CudaGraph, RefusesWhatNeedsTheHost) {
  const Tensor there = zeros({2}, Dtype::f32, Device::cuda), here = zeros({2}, Dtype::f32, Device::cpu);
  const auto refused = [](const std::function<void()>& f, const std::string& what) {
    try {
      const cuda::Graph graph(f);
      ADD_FAILURE() << "no error, wanted: " << what;
    } catch (const cuda::DeviceError& error) {
      EXPECT_EQ(error.what(), "cuda: cannot " + what + " while a graph is captured");
    }
  };
  refused([&] { there.copy_from(here); }, "copy to the GPU");
  refused([&] { here.copy_from(there); }, "copy from the GPU");
  refused([&] { synchronise(Device::cuda); }, "wait for the GPU");
  refused([] { const cuda::Graph inner([] {}); }, "capture a graph");
  there.copy_from(here);  // afterwards all is as before
}

TEST(CudaGraph, AnErrorEndsTheCapture) {
  EXPECT_THROW(cuda::Graph([] { throw std::runtime_error("no"); }), std::runtime_error);
  const Tensor x = zeros({1}, Dtype::f32, Device::cuda);
  add_number(reinterpret_cast<float*>(x.raw()), 1, 2);
  EXPECT_EQ(x.item(), 2);
}

}  // namespace
}  // namespace lookhere
