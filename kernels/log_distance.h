// FIRE's measure of distance (Li et al. 2024, arXiv 2310.04418), whose two parameters are learned:
//   y = log(1 + c·d) / log(1 + c·m),  c = |p[0]| + 1e-6,  m = max(|p[1]|·unit, farthest)
// so that y is from 0 to 1 whatever the grid; c says how much of it is spent on what is near.
#pragma once
#include "kernels/context.h"

namespace kernels {

template <class T>
struct LogDistance {
  T* y;        // (n) out
  const T* d;  // (n): distances from 0 to `farthest`
  const T* p;  // (2)
  long n;
  T unit, farthest;  // above 0
};
template <class T>
void log_distance(Cpu, const LogDistance<T>&);
template <class T>
void log_distance(Cuda, const LogDistance<T>&);

//   dp[0] = ± Σ dy·(d / (1 + c·d) - y·m / (1 + c·m)) / log(1 + c·m),  ± the sign of p[0], + for 0
//   dp[1] = ± Σ -dy·y·c·unit / ((1 + c·m)·log(1 + c·m)) where |p[1]|·unit is above `farthest`, else 0
template <class T>
struct LogDistanceBackward {
  T* dp;                // (2) out
  const T *dy, *y, *d;  // (n)
  const T* p;           // (2)
  long n;
  T unit, farthest;
};
template <class T>
void log_distance_backward(Cpu, const LogDistanceBackward<T>&);
template <class T>
void log_distance_backward(Cuda, const LogDistanceBackward<T>&);

}  // namespace kernels
