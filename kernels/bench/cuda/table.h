// The table of all cases: options, timing, one line for each, and the same as JSON lines.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/bench/cuda/products.h"
#include "kernels/bench/cuda/timer.h"

namespace kernels::gpu_bench {

// How often a case runs once it is warm: as many times as fit, within bounds.
struct Effort {
  double seconds = 0.2;
  int least = 10, most = 100;
};

inline double median_seconds(Cuda cuda, const Run& run, const Effort& effort) {
  run(cuda);  // loads the kernel, lets cuBLAS choose, takes scratch memory
  Timer once, all;
  once.mark(cuda), run(cuda), once.mark(cuda);
  const double estimate = effort.seconds / std::max(once.seconds().front(), 1e-9);
  const int runs = static_cast<int>(std::clamp<double>(estimate, effort.least, effort.most));
  all.mark(cuda);
  for (int i = 0; i < runs; ++i) run(cuda), all.mark(cuda);  // one behind the other: the device never waits
  std::vector<double> seconds = all.seconds();
  std::nth_element(seconds.begin(), seconds.begin() + runs / 2, seconds.end());
  return seconds[runs / 2];
}

class Table {
 public:
  // JSON goes to the file at this path, if there is one.
  explicit Table(const std::string& json) : json_(json.empty() ? nullptr : std::fopen(json.c_str(), "w")) {
    failed_ = !json.empty() && !json_;
    if (failed_) std::perror(json.c_str());
  }
  ~Table() {
    if (json_) std::fclose(json_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  bool failed() const { return failed_; }
  void begin() {
    device_ = cuda::description();
    std::printf("%s\n", device_.c_str());
    std::printf(
        "Medians of 10 to 100 runs, one behind the other. %% of what this device reached in the first lines.\n");
    std::printf("\n%-32s %-26s %-4s %9s %8s %8s %7s\n", "kernel", "shape", "type", "ms", "GB/s", "TFLOP/s", "% limit");
  }
  // A case that fails leaves the others as they are.
  void add(const Case& c, bool is_limit, const Effort& effort) try {
    Memory memory;
    const double seconds = median_seconds(cuda::context(), c.prepare(memory), effort);
    cuda::synchronise();
    double& limit = limits_[static_cast<int>(c.limit)];
    if (is_limit) limit = c.work / seconds;
    print(c, seconds, limit);
  } catch (const std::exception& error) {
    failed_ = true;
    std::printf("%-32s %-26s %-4s failed: %s\n", c.kernel.c_str(), c.shape.c_str(), c.dtype, error.what());
  }

 private:
  void print(const Case& c, double seconds, double limit) {
    const bool bytes = c.limit == Limit::copy;
    const double rate = c.work / seconds;
    char number[16], share[16] = "-";
    std::snprintf(number, sizeof number, bytes ? "%.0f" : "%.1f", rate * (bytes ? 1e-9 : 1e-12));
    if (limit > 0) std::snprintf(share, sizeof share, "%.1f", 100 * rate / limit);
    std::printf("%-32s %-26s %-4s %9.3f %8s %8s %7s\n", c.kernel.c_str(), c.shape.c_str(), c.dtype, 1e3 * seconds,
                bytes ? number : "", bytes ? "" : number, share);
    std::fflush(stdout);
    if (!json_) return;
    std::fprintf(json_, R"({"kernel": "%s", "shape": "%s", "dtype": "%s", "seconds": %.6g, "%s": %.6g, )",
                 c.kernel.c_str(), c.shape.c_str(), c.dtype, seconds, bytes ? "bytes" : "flops", c.work);
    std::fprintf(json_, R"("per_second": %.6g, "limit_per_second": %.6g, "device": "%s"})", rate, limit,
                 device_.c_str());
    failed_ |= std::fputc('\n', json_) == EOF || std::fflush(json_) != 0;
  }

  std::FILE* json_;
  std::string device_;  // in words
  bool failed_ = false;
  double limits_[3] = {};
};

// What the program does; 0, 1 (no GPU, or something failed) or 2 (options).
inline int run_cases(int argc, const char* const* argv, const Sizes& sizes, const Effort& effort) {
  const char* const from_make = std::getenv("JSON");
  std::string filter, json = from_make ? from_make : "";
  bool list = false;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if (is("--list"))
      list = true;
    else if (is("--filter") && i + 1 < argc)
      filter = argv[++i];
    else if (is("--json") && i + 1 < argc)
      json = argv[++i];
    else
      return std::fprintf(stderr, "usage: %s [--filter SUBSTRING] [--list] [--json FILE]\n", argv[0]), 2;
  }
  const std::vector<Case> cases = every_case(sizes);
  const auto wanted = [&](const Case& c) {
    return (c.kernel + ", " + c.shape + ", " + c.dtype).find(filter) != std::string::npos;
  };
  if (list) {
    for (const Case& c : cases)
      if (wanted(c)) std::printf("%s, %s, %s\n", c.kernel.c_str(), c.shape.c_str(), c.dtype);
    return 0;
  }
  if (!cuda::problem().empty()) return std::fprintf(stderr, "cuda: %s\n", cuda::problem().c_str()), 1;
  Table table(json);
  if (table.failed()) return 1;
  table.begin();
  for (int i = 0; i < static_cast<int>(cases.size()); ++i)
    if (i < kLimits || wanted(cases[i])) table.add(cases[i], i < kLimits, effort);
  return table.failed() ? 1 : 0;
}

}  // namespace kernels::gpu_bench
