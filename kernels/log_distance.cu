// FIRE's distance on a GPU: a thread for each, and one block for the two sums.
#include "kernels/log_distance.h"

#include <cmath>

#include "kernels/cuda/map.h"

namespace kernels {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void add_up(LogDistanceBackward<T> p) {
  const double c = std::abs(static_cast<double>(p.p[0])) + 1e-6, own = std::abs(p.p[1] * static_cast<double>(p.unit));
  const bool learned = own > static_cast<double>(p.farthest);
  const double m = learned ? own : static_cast<double>(p.farthest), inside = 1 + c * m, whole = std::log1p(c * m);
  double near = 0, share = 0;
  for (long i = threadIdx.x; i < p.n; i += kThreads) {
    const double d = p.d[i], dy = p.dy[i];
    near += dy * d / (1 + c * d), share += dy * static_cast<double>(p.y[i]);
  }
  near = cuda::block_sum(near), share = cuda::block_sum(share);
  if (threadIdx.x > 0) return;
  const double dc = (near - share * m / inside) / whole;
  const double dm = learned ? -share * c * static_cast<double>(p.unit) / (inside * whole) : 0;
  p.dp[0] = static_cast<T>(p.p[0] < 0 ? -dc : dc), p.dp[1] = static_cast<T>(p.p[1] < 0 ? -dm : dm);
}

}  // namespace

template <class T>
void log_distance(Cuda cuda, const LogDistance<T>& p) {
  cuda::for_each(cuda, p.n, [p] __device__(long i) {
    const T c = std::abs(p.p[0]) + T(1e-6), own = std::abs(p.p[1]) * p.unit, m = own > p.farthest ? own : p.farthest;
    p.y[i] = std::log1p(c * p.d[i]) / std::log1p(c * m);
  });
}

template <class T>
void log_distance_backward(Cuda cuda, const LogDistanceBackward<T>& p) {
  LAUNCH(add_up<T>, dim3(1), dim3(kThreads), cuda, p);
}

template void log_distance(Cuda, const LogDistance<float>&);
template void log_distance(Cuda, const LogDistance<double>&);
template void log_distance_backward(Cuda, const LogDistanceBackward<float>&);
template void log_distance_backward(Cuda, const LogDistanceBackward<double>&);

}  // namespace kernels
