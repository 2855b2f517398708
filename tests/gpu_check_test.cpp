// The parts of the check on a GPU (tests/gpu) that need none: how runs are compared, failures told, and the emulator's
// answers written and compared.
#include "tests/program.h"

namespace lookhere {
namespace {

Finished check_script(const Words& words) { return run_program(words, {.program = "tests/gpu/check.sh"}); }

std::string metrics(const Words& losses, const std::string& norm = "2") {
  std::string lines;
  for (const std::string& loss : losses)
    lines += R"({"step": 1, "loss": )" + loss + R"(, "lr": 1e-06, "grad_norm": )" + norm +
             R"(, "cross_entropy": 2})"
             "\n";
  return lines;
}

TEST(GpuCheck, TellsHowFarRunsAreApart) {
  const TemporaryFolder folder;
  const auto compared = [&](const std::string& a, const std::string& b) {
    write_file(folder / "a", a), write_file(folder / "b", b);
    const Finished end = check_script({"differences", folder / "a", folder / "b", "1e-4"});
    return std::to_string(end.code) + " " + end.out + end.err;
  };
  EXPECT_EQ(compared(metrics({"2", "4"}), metrics({"2.0001", "3.9999"})),
            "0 2 steps, worst relative difference of the loss 5.0e-05, of the gradient norm 0.0e+00 (at most 1e-04)\n");
  EXPECT_EQ(compared(metrics({"2", "4"}, "1e-3"), metrics({"2", "4.001"}, "-1e-3")),
            "1 2 steps, worst relative difference of the loss 2.5e-04, of the gradient norm 2.0e+00 (at most 1e-04)\n");
  EXPECT_EQ(compared(metrics({"0"}), metrics({"1e-9"})).substr(0, 2), "1 ");
  EXPECT_EQ(compared(metrics({"2", "4"}), metrics({"2", "NaN"})), "1 line 2 has loss 4 and NaN\n");
  EXPECT_EQ(compared(metrics({"null"}), metrics({"2"})), "1 line 1 has loss null and 2\n");
  EXPECT_EQ(compared(metrics({"2"}), "{}\n"), "1 line 1 has grad_norm 2 and none\n");
  EXPECT_EQ(compared(metrics({"2", "4"}), metrics({"2"})), "1 2 steps and 1\n");
  EXPECT_EQ(compared("", ""), "1 0 steps and 0\n");
}

TEST(GpuCheck, NamesFailedTestsAndTheOneThatDidNotEnd) {
  const TemporaryFolder folder;
  write_file(folder / "log",
             "[ RUN      ] A.Good\n[       OK ] A.Good (0 ms)\n"
             "[ RUN      ] A.Bad\nx.cpp:7: Failure\n1\n2\n3\n4\n5\n6\n[  FAILED  ] A.Bad (3 ms)\n"
             "[ RUN      ] A.Left\n[  SKIPPED ] A.Left (0 ms)\nbetween tests\n"
             "[ RUN      ] A.Hangs\nlast words\n");
  const Finished end =
      run_program({"-c", "exec tests/gpu/check.sh failures <" + folder / "log"}, {.program = "/bin/sh"});
  EXPECT_EQ(end.out,
            "FAILED A.Bad\n  x.cpp:7: Failure\n  1\n  2\n  3\n  4\n  5\n"
            "FAILED A.Hangs, which did not end\n  last words\n");
}

TEST(GpuCheck, SaysThatThereIsNoGpu) {
  for (const char* sign : {"/dev/nvidiactl", "/proc/driver/nvidia/version", "/usr/bin/nvidia-smi"})
    if (std::filesystem::exists(sign)) GTEST_SKIP() << "there is a driver";
  const Finished end = check_script({"can-run"});
  EXPECT_EQ(end.code, 1);
  EXPECT_EQ(end.out,
            "gpu-check: no NVIDIA driver is installed here; make gpu-bundle makes a folder to run on a machine "
            "that has a GPU\n");
}

class Conformance : public testing::Test {
 protected:
  Finished run(const Words& words) { return run_program(words, {.program = built("emulated/conformance")}); }
  void SetUp() override {
    if (!std::filesystem::exists(built("emulated/conformance"))) GTEST_SKIP() << "emulated/conformance is not built";
    ASSERT_EQ(run({folder_ / "expected"}).code, 0);
    expected_ = read_file(folder_ / "expected");
  }
  // Compares with what is expected, of which one word, the n-th behind this name, is `change` larger.
  Finished with_change(const std::string& name, long n, unsigned change) {
    std::string bytes = expected_;
    char* at = bytes.data() + bytes.find(name + "\n") + name.size() + 1 + 4 * n;
    unsigned word = 0;
    std::memcpy(&word, at, sizeof word), word += change, std::memcpy(at, &word, sizeof word);
    write_file(folder_ / "changed", bytes);
    return run({folder_ / "got", folder_ / "changed"});
  }
  TemporaryFolder folder_;
  std::string expected_;
};

TEST_F(Conformance, GivesTheSameAgain) {
  const Finished end = run({folder_ / "again", folder_ / "expected"});
  EXPECT_EQ(end.code, 0) << end.out;
  EXPECT_EQ(end.out.find("FAILED"), end.out.npos);
  EXPECT_TRUE(end.out.ends_with("34 equal to the emulator's bits, rounded products to 0 units in the last place\n"));
  EXPECT_TRUE(read_file(folder_ / "again") == expected_);
}

TEST_F(Conformance, FindsOneBit) {
  for (const char* name : {"cp_async<16>, part of the bytes", "ldmatrix_transposed, x4", "mma_m16n8k16, exact",
                           "pack_bf16, NaN", "atomicAdd, who saw what"}) {
    const Finished end = with_change(name, 7, 1);
    EXPECT_EQ(end.code, 1);
    EXPECT_NE(end.out.find("FAILED: 1 of "), end.out.npos) << end.out;
    EXPECT_NE(end.out.find("the first is 7: "), end.out.npos) << end.out;
    EXPECT_TRUE(end.out.ends_with("1 of 34 differ from the emulator\n")) << end.out;
  }
}

TEST_F(Conformance, ProductsMayBeRoundedInAnotherOrder) {
  const Finished near = with_change("mma_m16n8k16, rounded", 3, 5), far = with_change("mma_m16n8k8, rounded", 3, 65);
  EXPECT_EQ(near.code, 0);
  EXPECT_NE(near.out.find("sums within 5 units in the last place"), near.out.npos) << near.out;
  EXPECT_EQ(far.code, 1);
}

TEST_F(Conformance, RefusesFilesThatAreNotWhole) {
  for (const long size : {0L, 20L, std::ssize(expected_) - 1}) {
    write_file(folder_ / "short", expected_.substr(0, size));
    EXPECT_EQ(run({folder_ / "got", folder_ / "short"}).code, 1) << size;
  }
  EXPECT_EQ(run({folder_ / "got", folder_ / "nowhere"}).code, 1);
  EXPECT_EQ(run({}).code, 2);
}

}  // namespace
}  // namespace lookhere
