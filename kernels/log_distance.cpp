// A few thousand offsets per layer: plain loops, sums in f64 and in order.
#include "kernels/log_distance.h"

#include <cmath>

#include "kernels/simd/vector.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void log_distance(const LogDistance<T>& p) {
  const T c = std::abs(p.p[0]) + T(1e-6), own = std::abs(p.p[1]) * p.unit, m = own > p.farthest ? own : p.farthest;
  const T scale = 1 / std::log1p(c * m);
  parallel_blocks(p.n, [=](long begin, long end) {
    for (long i = begin; i < end; ++i) p.y[i] = std::log1p(c * p.d[i]) * scale;
  });
}

template <class T>
void log_distance_backward(const LogDistanceBackward<T>& p) {
  const double c = std::abs(static_cast<double>(p.p[0])) + 1e-6, own = std::abs(p.p[1] * static_cast<double>(p.unit));
  const bool learned = own > static_cast<double>(p.farthest);
  const double m = learned ? own : static_cast<double>(p.farthest), inside = 1 + c * m, whole = std::log1p(c * m);
  double near = 0, share = 0;
  for (long i = 0; i < p.n; ++i) {
    const double d = p.d[i], dy = p.dy[i];
    near += dy * d / (1 + c * d), share += dy * static_cast<double>(p.y[i]);
  }
  p.dp[0] = static_cast<T>((near - share * m / inside) / whole);
  p.dp[1] = static_cast<T>(learned ? -share * c * static_cast<double>(p.unit) / (inside * whole) : 0);
  for (int i = 0; i < 2; ++i)
    if (p.p[i] < 0) p.dp[i] = -p.dp[i];
}

}  // namespace KERNELS_ISA

KERNEL(log_distance, LogDistance, float);
KERNEL(log_distance, LogDistance, double);
KERNEL(log_distance_backward, LogDistanceBackward, float);
KERNEL(log_distance_backward, LogDistanceBackward, double);

}  // namespace kernels
