// Runs all tests and closes with one line: N passed, N failed, N skipped. `--jobs N`, the first argument, runs N
// processes side by side, each with its share of the tests. A $LOOKHERE_ISA that this machine lacks skips them all; one
// that no machine has is an error (exit code 2).
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/simd/isa.h"

namespace {
constexpr const char* kSummary = "%d passed, %d failed, %d skipped\n";

class Summary : public testing::EmptyTestEventListener {
  void OnTestProgramStart(const testing::UnitTest&) override {  // a job's share is no matter of what its tests start
    unsetenv("GTEST_TOTAL_SHARDS"), unsetenv("GTEST_SHARD_INDEX");
  }
  void OnTestProgramEnd(const testing::UnitTest& run) override {
    std::printf(kSummary, run.successful_test_count(), run.failed_test_count(), run.skipped_test_count());
  }
};

bool names_an_instruction_set(std::string_view text) {
  return std::ranges::any_of(kernels::kEveryIsa, [&](kernels::Isa isa) { return text == kernels::name_of(isa); });
}

struct Job {
  pid_t process;
  std::FILE* output;
};

Job start(int job, int jobs, char** argv) {
  setenv("GTEST_TOTAL_SHARDS", std::to_string(jobs).c_str(), 1);
  setenv("GTEST_SHARD_INDEX", std::to_string(job).c_str(), 1);
  std::FILE* const output = std::tmpfile();
  const pid_t process = output ? fork() : -1;
  if (process == 0) {
    dup2(fileno(output), 1), dup2(fileno(output), 2);
    execv("/proc/self/exe", argv);
    _exit(127);
  }
  return {process, output};
}

std::string text_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

// Everything that the jobs say, one after another, and one summary of all.
int run_jobs(int jobs, char** argv) {
  std::vector<Job> all;
  for (int job = 0; job < jobs; ++job) all.push_back(start(job, jobs, argv));
  int sum[3] = {}, code = 0;
  for (const auto& [process, output] : all) {
    int status = 0, of_job[3] = {};
    if (process < 0 || waitpid(process, &status, 0) != process) return 2;
    std::string text = text_of(output);
    const std::size_t last = text.size() < 2 ? 0 : text.rfind('\n', text.size() - 2) + 1;
    if (std::sscanf(text.c_str() + last, kSummary, of_job, of_job + 1, of_job + 2) == 3) text.resize(last);
    std::fputs(text.c_str(), stdout);
    for (int i = 0; i < 3; ++i) sum[i] += of_job[i];
    if (WIFSIGNALED(status)) std::printf("a process of the tests was ended by signal %d\n", WTERMSIG(status));
    if (status != 0) code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  std::printf(kSummary, sum[0], sum[1], sum[2]);
  return code;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && argv[1] == std::string_view("--jobs")) {
    const int jobs = std::max(std::atoi(argv[2]), 1);
    argv[2] = argv[0];
    return run_jobs(jobs, argv + 2);
  }
  testing::InitGoogleTest(&argc, argv);
  if (*kernels::isa_problem()) {
    const bool lacked = names_an_instruction_set(std::getenv("LOOKHERE_ISA"));
    std::fprintf(lacked ? stdout : stderr, "%s; %s\n", kernels::isa_problem(),
                 lacked ? "all skipped" : "nothing tested");
    return lacked ? 0 : 2;
  }
  testing::UnitTest::GetInstance()->listeners().Append(new Summary);
  return RUN_ALL_TESTS();
}
