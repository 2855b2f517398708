// What every kernel needs: where it runs, what it sums in, and one way to go parallel.
#pragma once
#include "kernels/bf16.h"

namespace kernels {

struct Cpu {};
struct Cuda {
  void* stream = nullptr;  // a cudaStream_t; void* so that this header needs no CUDA
};

// The type in which values of type T are summed: f32 for bf16, T itself otherwise.
template <class T>
struct AccumulateIn {
  using type = T;
};
template <>
struct AccumulateIn<bf16> {
  using type = float;
};
template <class T>
using Acc = typename AccumulateIn<T>::type;

// f(i) for i in [0, n), each item about `work` elementary operations. Small loops stay on the calling thread: waking
// the others costs more than it saves. Items are independent, so the result does not depend on the thread count.
template <class F>
void parallel_for(long n, long work, F f) {
#pragma omp parallel for schedule(static) if (n > 1 && n * work > 20000)
  for (long i = 0; i < n; ++i) f(i);
}

// The same for items of very different cost: each thread takes the next one when it is done.
template <class F>
void parallel_for_uneven(long n, long work, F f) {
#pragma omp parallel for schedule(dynamic, 1) if (n > 1 && n * work > 20000)
  for (long i = 0; i < n; ++i) f(i);
}

// The same, f(i, next): each thread knows the item that it will do next, or n, and can prepare for it.
template <class F>
void parallel_for_with_next(long n, long work, F f) {
  long taken = 0;
  const auto take = [&] {
    long i = 0;
#pragma omp atomic capture
    i = taken++;
    return i < n ? i : n;
  };
#pragma omp parallel if (n > 1 && n * work > 20000)
  for (long i = take(); i < n;) {
    const long next = take();
    f(i, next);
    i = next;
  }
}

// f(begin, end) over [0, n) in blocks whose borders do not depend on the thread count.
template <class F>
void parallel_blocks(long n, F f, long work = 1) {
  constexpr long kBlock = 4096;
  const long blocks = (n + kBlock - 1) / kBlock;
  parallel_for(blocks, kBlock * work,
               [=](long i) { f(i * kBlock, i * kBlock + kBlock < n ? i * kBlock + kBlock : n); });
}

}  // namespace kernels
