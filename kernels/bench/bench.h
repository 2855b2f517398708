// One bench per kernel: measures what this machine can do at best, times a ladder of cases with Google Benchmark, and
// prints each as a share of that best. A bench links the kernels alone.
#pragma once
#include <benchmark/benchmark.h>
#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/context.h"
#include "kernels/simd/vector.h"

namespace kernels::bench {

using namespace KERNELS_ISA;

// One line of the table. Give `flops` to what is bound by arithmetic and `bytes` to what is bound by memory: the least
// that the kernel must read and write. Pairs are attention's, over all images and heads.
struct Case {
  std::string kernel, rung, shape;
  double flops = 0, bytes = 0;
  long visible_pairs = 0, computed_pairs = 0;
  std::function<void()> run = {};
  std::string dtype = "f32";  // % peak is of this type's multiply-adds: f32 or bf16
  std::string group = {};     // the table ends with a mean for every group and rung
};

// A bench's values lie as the library's do: on huge pages where there are many.
template <class T>
struct HugePages {
  using value_type = T;
  T* allocate(std::size_t n) {
    constexpr std::size_t kPage = 2U << 20;
    const std::size_t bytes = (n * sizeof(T) + kPage - 1) / kPage * kPage;
    void* memory = std::aligned_alloc(kPage, bytes);
    if (!memory) throw std::bad_alloc();
    madvise(memory, bytes, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { std::free(memory); }
  bool operator==(const HugePages&) const = default;
};
template <class T>
using Values = std::vector<T, HugePages<T>>;

// The least time of a few calls, in seconds.
template <class F>
double best_seconds(int calls, F f) {
  double best = 1e9;
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// `value` in every lane, which the compiler takes for unknown; and a vector that it takes for needed.
inline Vector<float> unknown(float value) {
  benchmark::DoNotOptimize(value);
  return Vector<float>{} + value;
}
inline void need(Vector<float> vector) {
  float lanes[kLanes<float>];
  store(lanes, vector);
  benchmark::DoNotOptimize(&lanes[0]);
}

// f32 multiply-adds per second on all threads, in GFLOP/s: as many independent chains as hide the latency.
inline double peak_gflops() {
  constexpr int kChains = 12;
  constexpr long kSteps = 1L << 21;
  const double seconds = best_seconds(7, [] {
#pragma omp parallel
    {
      Vector<float> sum[kChains] = {};
      const Vector<float> factor = unknown(0.999F), term = unknown(0.001F);
      for (long i = 0; i < kSteps; ++i)
#pragma GCC unroll 12
        for (auto& s : sum) s = s * factor + term;
      for (const auto& s : sum) need(s);
    }
  });
  return 2e-9 * kChains * kLanes<float> * kSteps * omp_get_max_threads() / seconds;
}

// The same for pairs of bf16, summed in f32; where the processor has no instruction for it, that of f32.
inline double bf16_peak_gflops() {
#if defined(__AVX512BF16__)
  constexpr int kChains = 12;
  constexpr long kSteps = 1L << 21;
  const double seconds = best_seconds(7, [] {
#pragma omp parallel
    {
      Vector<float> sum[kChains] = {};
      const Vector<float> one = unknown(1);
      for (long i = 0; i < kSteps; ++i)
#pragma GCC unroll 12
        for (int c = 0; c < kChains; ++c) {
          Vector<float> s = sum[c];  // in a register: the array itself would be updated in memory
          asm("vdpbf16ps %1, %1, %0" : "+v"(s) : "v"(one));
          sum[c] = s;
        }
      for (const auto& s : sum) need(s);
    }
  });
  return 4e-9 * kChains * kLanes<float> * kSteps * omp_get_max_threads() / seconds;
#else
  return peak_gflops();
#endif
}

// Bytes read plus bytes written by a copy far larger than the caches, in GB/s. Ordinary stores, as in the kernels.
inline double copy_gbytes() {
  constexpr long kSize = 1L << 25;
  Values<float> from(kSize, 1), to(kSize);
  float one = 1;
  benchmark::DoNotOptimize(one);
  const double seconds = best_seconds(7, [&] {
    float* y = to.data();
    const float* x = from.data();
    parallel_blocks(kSize, [=](long begin, long end) {
      for (long i = begin; i < end; ++i) y[i] = one * x[i];
    });
    benchmark::ClobberMemory();
  });
  return 2e-9 * kSize * sizeof(float) / seconds;
}

// n reproducible values in [-1, 1).
template <class T = float>
Values<T> random_values(long n, std::uint32_t seed = 1) {
  Values<T> values(n);
  for (T& v : values) v = T(static_cast<float>((seed = seed * 1664525U + 1013904223U) >> 8) * 0x1p-23F - 1);
  return values;
}

// Collects the repetitions, prints the medians in the order of the cases and writes them as JSON lines.
class Table : public benchmark::BenchmarkReporter {
 public:
  explicit Table(const std::vector<Case>& cases) : cases_(cases) {}

  bool ReportContext(const Context&) override {
    std::fprintf(stderr, "measuring the machine, then %zu cases ...\n", cases_.size());
    measure_machine();
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs)
      if (run.run_type == Run::RT_Iteration && run.iterations > 0)
        seconds_[run.run_name.function_name].push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
  }
  void Finalize() override {
    measure_machine();
    std::printf("%d threads; peak %.0f GFLOP/s (f32 multiply-add), copy %.1f GB/s; medians\n", omp_get_max_threads(),
                peak_, copy_);
    if (bf16_peak_ > 0) std::printf("bf16 peak %.0f GFLOP/s\n", bf16_peak_);
    std::FILE* json = open_json();
    const bool flops = cases_.front().flops > 0, pairs = cases_.front().computed_pairs > 0;
    std::printf("\n%-22s %-20s %-26s %-4s %9s %8s %6s %8s%s\n", "kernel", "rung", "shape", "type", "ms",
                flops ? "GFLOP/s" : "GB/s", flops ? "% peak" : "% copy", "speed-up",
                pairs ? "   visible  computed" : "");
    std::string ladder;
    double first = 0;
    std::map<std::string, std::pair<double, int>> groups;  // Σ log(share of the peak) and how many
    for (const Case& c : cases_) {
      std::vector<double>& times = seconds_[name_of(c)];
      if (times.empty()) continue;  // not asked for
      std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
      const double seconds = times[times.size() / 2];
      if (ladder != c.kernel + c.shape + c.dtype) ladder = c.kernel + c.shape + c.dtype, first = seconds;
      print_row(c, pairs, seconds, first);
      if (!c.group.empty()) {
        auto& [sum, count] = groups[c.group + ", " + c.rung];
        sum += std::log(c.flops * 1e-9 / seconds / peak_of(c)), ++count;
      }
      if (json) print_json(json, c, seconds);
    }
    if (json) std::fclose(json);
    for (const auto& [name, mean] : groups)
      std::printf("geometric mean of %2d: %5.1f %% of peak  %s\n", mean.second,
                  100 * std::exp(mean.first / mean.second), name.c_str());
  }

  static std::string name_of(const Case& c) { return c.kernel + "/" + c.rung + "/" + c.shape + "/" + c.dtype; }

 private:
  // Before and after the cases, in case one of the two moments was noisy.
  void measure_machine() {
    peak_ = std::max(peak_, peak_gflops()), copy_ = std::max(copy_, copy_gbytes());
    for (const Case& c : cases_)
      if (c.dtype == "bf16") {
        bf16_peak_ = std::max(bf16_peak_, bf16_peak_gflops());
        break;
      }
  }
  double peak_of(const Case& c) const { return c.dtype == "bf16" ? bf16_peak_ : peak_; }
  static std::FILE* open_json() {
    const char* path = std::getenv("JSON");
    if (!path || !*path) return nullptr;
    std::FILE* file = std::fopen(path, "w");
    if (!file) std::perror(path);
    return file;
  }
  // The speed-up is over the first rung of the same kernel and shape.
  void print_row(const Case& c, bool pairs, double seconds, double first) const {
    const double rate = std::max(c.flops, c.bytes) * 1e-9 / seconds;
    std::printf("%-22s %-20s %-26s %-4s %9.3f %8.1f %6.0f ", c.kernel.c_str(), c.rung.c_str(), c.shape.c_str(),
                c.dtype.c_str(), 1e3 * seconds, rate, 100 * rate / (c.flops > 0 ? peak_of(c) : copy_));
    if (first == seconds)
      std::printf("%8s", "");
    else
      std::printf("%7.2fx", first / seconds);
    if (pairs) std::printf(" %9ld %9ld", c.visible_pairs, c.computed_pairs);
    std::printf("\n");
  }
  void print_json(std::FILE* file, const Case& c, double seconds) const {
    std::fprintf(file, R"({"kernel": "%s", "rung": "%s", "shape": "%s", "dtype": "%s", "visible_pairs": %ld, )",
                 c.kernel.c_str(), c.rung.c_str(), c.shape.c_str(), c.dtype.c_str(), c.visible_pairs);
    std::fprintf(file, R"("computed_pairs": %ld, "seconds": %.6g, "gflops": %.6g, "gbytes_per_second": %.6g, )",
                 c.computed_pairs, seconds, c.flops * 1e-9 / seconds, c.bytes * 1e-9 / seconds);
    std::fprintf(file, R"("peak_gflops": %.6g, "copy_gbytes_per_second": %.6g, "threads": %d})", peak_of(c), copy_,
                 omp_get_max_threads());
    std::fprintf(file, "\n");
  }

  const std::vector<Case>& cases_;
  std::map<std::string, std::vector<double>> seconds_;
  double peak_ = 0, bf16_peak_ = 0, copy_ = 0;
};

// Five repetitions of every case, in random order so that a noisy moment falls on all of them alike. Options on the
// command line (--benchmark_filter=..., --benchmark_min_time=...) come later and win.
inline int run_all(int argc, char** argv, const std::vector<Case>& cases) {
  std::vector<std::string> arguments{argv[0], "--benchmark_repetitions=5", "--benchmark_min_time=0.05",
                                     "--benchmark_enable_random_interleaving=true"};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;
  for (const Case& c : cases)
    benchmark::RegisterBenchmark(Table::name_of(c).c_str(), [run = c.run](benchmark::State& state) {
      for (auto _ : state) run();
    })->UseRealTime();
  Table table(cases);
  benchmark::RunSpecifiedBenchmarks(&table);
  return 0;
}

}  // namespace kernels::bench
