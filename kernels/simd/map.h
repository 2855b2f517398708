// map: a function of single values over whole arrays, vectorised, in parallel.
#pragma once
#include "kernels/simd/rows.h"

namespace kernels::KERNELS_ISA {

// y[i] = f(x[i]...) in Acc<T>, y may alias any x. f works on single values: `omp simd` says what the compiler cannot
// know of an alias, that only equal indices meet. Not in double, where f may call the C library.
template <class T, class F, class... X>
void map_block(long n, T* y, F f, const X*... x) {
  if constexpr (std::is_same_v<T, bf16>) {
    constexpr long kChunk = 256;  // as floats in the first-level cache
    struct Floats {
      float values[kChunk];
      Floats(const bf16* from, long size) {
        for_each_vector<float>(size, [&](long i, auto lanes) { store(values + i, load_as<float>(from + i, lanes)); });
      }
    };
    for (long i = 0; i < n; i += kChunk) {
      const long size = smaller(kChunk, n - i);
      float result[kChunk];
      map_block<float>(padded<float>(size), result, f, Floats(x + i, size).values...);
      for_each_vector<float>(size, [&](long k, auto lanes) { store_as(y + i + k, load(result + k), lanes); });
    }
  } else {
    constexpr bool kVectorise = std::is_same_v<T, float>;
#pragma omp simd if (simd : kVectorise)
    for (long i = 0; i < n; ++i) y[i] = f(x[i]...);
  }
}

// The same for long arrays, each value about `work` additions.
template <class T, class F, class... X>
void map(long n, long work, T* y, F f, const X*... x) {
  parallel_blocks(
      n, [=](long begin, long end) { map_block<T>(end - begin, y + begin, f, (x + begin)...); }, work);
}

}  // namespace kernels::KERNELS_ISA
