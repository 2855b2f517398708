// Loops of kernels that are bound by memory: over the vectors of a row, and over rows whose columns are summed.
#pragma once
#include "kernels/simd/bf16_vector.h"
#include "kernels/simd/lanes.h"

namespace kernels::KERNELS_ISA {

// How many lanes of a vector lie within the row: all, known when compiled, or the first n.
struct Whole {};
struct First {
  long n;
};
template <class A, class T>
inline Vector<A> load_as(const T* from, Whole) {
  return load_as<A>(from);
}
template <class A, class T>
inline Vector<A> load_as(const T* from, First lanes) {
  return load_as<A>(from, lanes.n);
}
template <class T>
inline void store_as(T* to, Vector<Acc<T>> value, Whole) {
  store_as(to, value);
}
template <class T>
inline void store_as(T* to, Vector<Acc<T>> value, First lanes) {
  store_as(to, value, lanes.n);
}

// f(i, lanes) for the vectors of a row of n values.
template <class A, class F>
inline void for_each_vector(long n, F f) {
  long i = 0;
  for (; i + kLanes<A> <= n; i += kLanes<A>) f(i, Whole{});
  if (i < n) f(i, First{n - i});
}

// Σ f(i, lanes) over the vectors of a row, in four independent sums, so that additions need not wait for each other.
template <class A, class F>
inline A sum_vectors(long n, F f) {
  constexpr long kSums = 4;
  Vector<A> sum[kSums] = {};
  long i = 0;
  for (; i + kSums * kLanes<A> <= n; i += kSums * kLanes<A>)
#pragma GCC unroll 4
    for (long k = 0; k < kSums; ++k) sum[k] += f(i + k * kLanes<A>, Whole{});
  for (; i + kLanes<A> <= n; i += kLanes<A>) sum[0] += f(i, Whole{});
  if (i < n) {
    const Vector<A> last = f(i, First{n - i});
    for (long k = 0; k < n - i; ++k) sum[1][k] += last[k];
  }
  return sum_of_lanes<A>((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

// out[s][c] (+)= Σ over rows, for kSums sums per column: add_rows(begin, end, sums) adds some rows to sums[s][c].
// Each part of the rows has sums of its own, which are then added in order. Sizes alone decide where parts end, so the
// number of threads does not matter. Several rows per part keep the extra additions few.
template <int kSums, class A, class F>
inline void sum_rows(long rows, long cols, long work, A* const (&out)[kSums], bool accumulate, F add_rows) {
  constexpr long kRoom = (1L << 20) / sizeof(A), kLeastRows = 32, kMostParts = 64;
  const long parts = smaller(smaller(rows / kLeastRows, kMostParts), kRoom / (kSums * cols));
  if (parts < 2) {
    if (!accumulate)
      for (A* sums : out)
        for (long c = 0; c < cols; ++c) sums[c] = 0;
    return add_rows(0, rows, out);
  }
  alignas(kVectorBytes) A room[kRoom];  // (parts, kSums, cols)
  const auto sums_of = [&room, cols](long part, long sum) { return room + (part * kSums + sum) * cols; };
  parallel_for(parts, rows / parts * cols * work, [&](long part) {
    A* sums[kSums];
    for (int s = 0; s < kSums; ++s) sums[s] = sums_of(part, s);
    for (long c = 0; c < kSums * cols; ++c) sums[0][c] = 0;
    add_rows(rows * part / parts, rows * (part + 1) / parts, sums);
  });
  for (long part = 1; part < parts; ++part)
    for (long c = 0; c < kSums * cols; ++c) room[c] += sums_of(part, 0)[c];
  for (int s = 0; s < kSums; ++s)
    for (long c = 0; c < cols; ++c) out[s][c] = accumulate ? out[s][c] + sums_of(0, s)[c] : sums_of(0, s)[c];
}

}  // namespace kernels::KERNELS_ISA
