// FIRE's measure of the distances between all patches of 1024 px: 64 x 64 of them.
#include "kernels/log_distance.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kSide = 64;

// What one would write first: faster, since log(1 + x) is rounded where x is small, which log1p is not.
void first_loops(const LogDistance<float>& p) {
  const float c = std::abs(p.p[0]) + 1e-6F, m = std::max(std::abs(p.p[1]) * p.unit, p.farthest);
  for (long i = 0; i < p.n; ++i) p.y[i] = std::log(1 + c * p.d[i]) / std::log(1 + c * m);
}

}  // namespace

int main(int argc, char** argv) {
  Values<float> distances, parameters{0.1F, 2};
  for (long dy = 1 - kSide; dy < kSide; ++dy)
    for (long dx = 1 - kSide; dx < kSide; ++dx)
      distances.push_back(std::hypot(static_cast<float>(dy), static_cast<float>(dx)));
  const long n = std::ssize(distances);
  Values<float> y(n), dy = random_values(n), dp(2);
  const float farthest = *std::ranges::max_element(distances);
  const LogDistance<float> forward{
      .y = y.data(), .d = distances.data(), .p = parameters.data(), .n = n, .unit = farthest / 4, .farthest = farthest};
  const LogDistanceBackward<float> backward{.dp = dp.data(),
                                            .dy = dy.data(),
                                            .y = y.data(),
                                            .d = distances.data(),
                                            .p = parameters.data(),
                                            .n = n,
                                            .unit = forward.unit,
                                            .farthest = farthest};
  std::vector<Case> cases;
  const auto add = [&](const char* kernel, const char* rung, long arrays, std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "127 x 127",
                     .bytes = 4.0 * static_cast<double>(arrays * n),
                     .run = std::move(run)});
  };
  add("log_distance", "first loops", 2, [=] { first_loops(forward); });
  add("log_distance", "kernel", 2, [=] { log_distance(Cpu{}, forward); });
  add("log_distance_backward", "kernel", 3, [=] { log_distance_backward(Cpu{}, backward); });
  return run_all(argc, argv, cases);
}
