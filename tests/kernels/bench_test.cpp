// The benches run, and write what a script can read; how fast anything is, is not tested.
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/program.h"

namespace lookhere {
namespace {

TEST(Bench, WritesOneJsonObjectPerCase) {
  if (!std::filesystem::exists(built("bench/attention"))) GTEST_SKIP() << "the bench is not built";
  const TemporaryFolder folder;
  const Finished end = run_program(
      {"--benchmark_min_time=0.0001", "--benchmark_repetitions=1", "--benchmark_filter=attention/fused.*64x50"},
      {.program = built("bench/attention"), .environment = {"JSON=" + folder / "cases.jsonl"}, .seconds = 600});
  ASSERT_EQ(end.code, 0) << end.out << end.err;
  std::istringstream lines(read_file(folder / "cases.jsonl"));
  std::string line;
  int cases = 0;
  for (; std::getline(lines, line); ++cases) {
    const nlohmann::json json = nlohmann::json::parse(line);
    EXPECT_EQ(json["kernel"], "attention");
    EXPECT_TRUE(json["dtype"] == "f32" || json["dtype"] == "bf16");
    EXPECT_GT(json["seconds"].get<double>(), 0);
    EXPECT_GT(json["gflops"].get<double>(), 0);
    EXPECT_LE(json["visible_pairs"].get<long>(), json["computed_pairs"].get<long>());
    EXPECT_NE(end.out.find(json["rung"].get<std::string>()), std::string::npos);
  }
  EXPECT_EQ(cases, 5);  // dense, LH-180, LH-90, LH-45, LH-45 in bf16
}

}  // namespace
}  // namespace lookhere
