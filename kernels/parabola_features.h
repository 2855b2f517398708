// The six features of parabola.h and their gradients, for the host and for GPUs. Static, since each instruction set has
// its own.
#pragma once
#include <cmath>

#include "kernels/host_device.h"
#include "kernels/parabola.h"

namespace kernels {

// How much larger q is made.
template <class T>
HOST_DEVICE static T query_scale(long head_dim) {
  return static_cast<T>(std::sqrt(1 + static_cast<double>(kParabolaFeatures) / static_cast<double>(head_dim)));
}

// Of a key at (x, y).
template <class T>
HOST_DEVICE static void features_of_key(T* to, T x, T y) {
  to[0] = x * x, to[1] = x * y, to[2] = y * y, to[3] = x, to[4] = y, to[5] = 1;
}

// Of a query at (x, y) with A = a, B = b (null: 0).
template <class T>
HOST_DEVICE static void features_of_query(T* to, const T* a, const T* b, T x, T y, T scale) {
  const T bx = b ? b[0] : T(0), by = b ? b[1] : T(0);
  to[0] = scale * -a[0], to[1] = scale * -2 * a[1], to[2] = scale * -a[2];
  to[3] = scale * (2 * (a[0] * x + a[1] * y) - bx), to[4] = scale * (2 * (a[1] * x + a[2] * y) - by);
  to[5] = scale * (bx * x + by * y - (a[0] * x * x + 2 * a[1] * x * y + a[2] * y * y));
}
template <class T>
HOST_DEVICE static void gradients_of_query(T* da, T* db, const T* d, T x, T y, T scale) {
  da[0] = scale * (2 * x * d[3] - d[0] - x * x * d[5]), da[2] = scale * (2 * y * d[4] - d[2] - y * y * d[5]);
  da[1] = 2 * scale * (y * d[3] + x * d[4] - d[1] - x * y * d[5]);
  if (db) db[0] = scale * (x * d[5] - d[3]), db[1] = scale * (y * d[5] - d[4]);
}

}  // namespace kernels
