// Every case of the CUDA bench (kernels/bench/cuda.cu) runs in the emulator, at toy sizes: none reads or writes beside
// its arrays (AddressSanitizer), and every value that a kernel is to give is given.
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "kernels/bench/cuda/table.h"
#include "tests/kernels/cases.h"
#include "tests/program.h"

namespace lookhere {
namespace {

using namespace kernels::gpu_bench;

// No size is another's, or a multiple of a warp.
const Sizes kToy{.images = 2,
                 .side = 3,
                 .patch = 2,
                 .heads = 3,
                 .head_dim = 16,
                 .hidden = 37,
                 .classes = 7,
                 .weights = 1031,
                 .product = 9,
                 .copied = 4096,
                 .pixel_classes = 11,
                 .attention = {{2, 3}, {5, 2}},
                 .naive = {3, 2}};
constexpr Effort kOnce{.seconds = 0, .least = 1, .most = 1};

template <class T>
long not_finite(const Memory::Result& result) {
  std::vector<T> values(result.count);
  kernels::cuda::copy_to_host(values.data(), result.memory, result.count * static_cast<long>(sizeof(T)));
  return std::ranges::count_if(values, [](T v) { return !std::isfinite(static_cast<Acc<T>>(v)); });
}

TEST(CudaBench, EveryCaseGivesAllItsResults) {
  for (const Case& c : every_case(kToy)) {
    SCOPED_TRACE(concat(c.kernel, ", ", c.shape, ", ", c.dtype));
    EXPECT_GT(c.work, 0);
    Memory memory;
    c.prepare(memory)(kernels::cuda::context());
    EXPECT_TRUE(!memory.results().empty() || c.kernel.starts_with("adamw"));
    for (std::size_t i = 0; i < memory.results().size(); ++i) {
      const Memory::Result& result = memory.results()[i];
      const long missing = result.bytes_each == 2   ? not_finite<bf16>(result)
                           : result.bytes_each == 4 ? not_finite<float>(result)
                                                    : not_finite<double>(result);
      EXPECT_EQ(missing, 0) << "result " << i;
    }
  }
}

// Names differ, so that a filter can mean one case, and fit their columns.
TEST(CudaBench, CasesHaveNames) {
  std::set<std::string> names;
  for (const Case& c : every_case({})) {
    EXPECT_TRUE(names.insert(concat(c.kernel, ", ", c.shape, ", ", c.dtype)).second) << c.kernel << ", " << c.shape;
    EXPECT_LT(c.kernel.size(), 33U) << c.kernel;
    EXPECT_LT(c.shape.size(), 27U) << c.shape;
  }
  EXPECT_GT(names.size(), 80U);
}

TEST(CudaBench, TableAndJson) {
  const TemporaryFolder folder;
  const std::string json = folder / "cases.jsonl";
  const auto run = [](std::vector<const char*> words) {
    words.insert(words.begin(), "cuda");
    testing::internal::CaptureStdout();
    const int code = run_cases(static_cast<int>(words.size()), words.data(), kToy, kOnce);
    return std::pair(code, testing::internal::GetCapturedStdout());
  };
  const auto [code, table] = run({"--filter", "layer_norm", "--json", json.c_str()});
  EXPECT_EQ(code, 0) << table;
  EXPECT_NE(table.find("% limit"), std::string::npos);
  EXPECT_EQ(table.find("failed"), std::string::npos) << table;
  std::istringstream lines(read_file(json));
  int cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const nlohmann::json object = nlohmann::json::parse(line);
    EXPECT_GT(object["seconds"].get<double>(), 0);
    EXPECT_GT(object["limit_per_second"].get<double>(), 0);
    EXPECT_GT(object.value("bytes", 0.0) + object.value("flops", 0.0), 0);
    EXPECT_NE(table.find(object["kernel"].get<std::string>()), std::string::npos);
  }
  EXPECT_EQ(cases, kLimits + 4);  // forward and backward, f32 and bf16

  const auto [listed, list] = run({"--list", "--filter", "adamw"});
  EXPECT_EQ(listed, 0);
  EXPECT_EQ(list, "adamw, 1031, f32\nadamw with ema, 1031, f32\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--json"}).first, 2);
  EXPECT_EQ(run({"--json", (folder / "no/cases").c_str()}).first, 1);
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_NE(errors.find("usage: "), std::string::npos) << errors;
  EXPECT_NE(errors.find("no/cases: No such file"), std::string::npos) << errors;
}

// A case that fails is told, the others go on, and the exit code says so.
TEST(CudaBench, OneFailureIsOneLine) {
  Case broken{.kernel = "broken", .shape = "1", .dtype = "f32", .limit = Limit::copy, .work = 1, .prepare = {}};
  broken.prepare = [](Memory&) -> kernels::gpu_bench::Run { throw kernels::cuda::DeviceError("no memory left"); };
  Table table("");
  testing::internal::CaptureStdout();
  table.add(broken, false, kOnce);
  const std::string line = testing::internal::GetCapturedStdout();
  EXPECT_NE(line.find("failed: no memory left"), std::string::npos) << line;
  EXPECT_TRUE(table.failed());
}

// The program itself, where nvcc has made it and there is no GPU.
TEST(CudaBench, SaysThatThereIsNoGpu) {
  const std::string program = built("bench/cuda");
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "the bench is not built";
  const Finished list = run_program({"--list"}, {.program = program});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_EQ(std::ranges::count(list.out, '\n'), static_cast<long>(every_case({}).size()));
  const Finished end = run_program({"--filter", "no such case"}, {.program = program, .seconds = 600});
  if (end.code == 0) return;  // there is one
  EXPECT_EQ(end.code, 1);
  EXPECT_EQ(end.out, "");
  EXPECT_TRUE(end.err.starts_with("cuda: ")) << end.err;
  EXPECT_EQ(std::ranges::count(end.err, '\n'), 1) << end.err;
}

}  // namespace
}  // namespace lookhere
