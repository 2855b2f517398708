// Element-wise kernels and the sums that their gradients need.
#pragma once
#include <cstdint>

#include "kernels/context.h"

namespace kernels {

// y[i] = a[i] + b[i % period]: addition with b broadcast over the leading dimensions.
template <class T>
struct Add {
  T* y;        // (n) out; may alias a
  const T* a;  // (n)
  const T* b;  // (period)
  long n, period;
};
template <class T>
void add(Cpu, const Add<T>&);
template <class T>
void add(Cuda, const Add<T>&);

// y = value
template <class T>
struct Fill {
  T* y;  // (n) out
  long n;
  T value;
};
template <class T>
void fill(Cpu, const Fill<T>&);
template <class T>
void fill(Cuda, const Fill<T>&);

// y = scale · x (+ y if accumulate)
template <class T>
struct Scale {
  T* y;        // (n) out; may alias x
  const T* x;  // (n)
  long n;
  Acc<T> scale;
  const Acc<T>* times = nullptr;  // (1): another factor, where one is known only to the device
  bool accumulate = false;
};
template <class T>
void scale(Cpu, const Scale<T>&);
template <class T>
void scale(Cuda, const Scale<T>&);

// y = a ⊙ b
template <class T>
struct Multiply {
  T* y;        // (n) out; may alias a or b
  const T* a;  // (n)
  const T* b;  // (n)
  long n;
};
template <class T>
void multiply(Cpu, const Multiply<T>&);
template <class T>
void multiply(Cuda, const Multiply<T>&);

// y = [cos x, sin x]
template <class T>
struct Waves {
  T* y;        // (rows, 2, cols) out
  const T* x;  // (rows, cols)
  long rows, cols;
};
template <class T>
void waves(Cpu, const Waves<T>&);
template <class T>
void waves(Cuda, const Waves<T>&);

// dx = cos x ⊙ dsin - sin x ⊙ dcos
template <class T>
struct WavesBackward {
  T* dx;            // (rows, cols) out
  const T *dy, *y;  // (rows, 2, cols)
  long rows, cols;
};
template <class T>
void waves_backward(Cpu, const WavesBackward<T>&);
template <class T>
void waves_backward(Cuda, const WavesBackward<T>&);

// out[c] (+)= Σ_r x[r][c], in an order that is fixed by the sizes: the same bits for any number of threads.
template <class T>
struct ColumnSum {
  Acc<T>* out;  // (cols) out
  const T* x;   // (rows, cols)
  long rows, cols;
  bool accumulate = false;
};
template <class T>
void column_sum(Cpu, const ColumnSum<T>&);
template <class T>
void column_sum(Cuda, const ColumnSum<T>&);

// sum = Σ x² in f64 over fixed blocks, for the gradient norm. Not finite if any element is not.
template <class T>
struct SumOfSquares {
  double* sum;  // (1) out
  const T* x;   // (n)
  long n;
};
template <class T>
void sum_of_squares(Cpu, const SumOfSquares<T>&);
template <class T>
void sum_of_squares(Cuda, const SumOfSquares<T>&);

template <class T>
struct Tanh {
  T* y;        // (n) out
  const T* x;  // (n)
  long n;
};
template <class T>
void tanh(Cpu, const Tanh<T>&);
template <class T>
void tanh(Cuda, const Tanh<T>&);

// dx = dy · (1 - y²)
template <class T>
struct TanhBackward {
  T* dx;            // (n) out; may alias dy
  const T *dy, *y;  // (n)
  long n;
};
template <class T>
void tanh_backward(Cpu, const TanhBackward<T>&);
template <class T>
void tanh_backward(Cuda, const TanhBackward<T>&);

// y = x / keep where a uniform number of stream (seed, a, b) is below keep, else 0. The mask depends on the element's
// index alone, so the backward pass is the same kernel applied to dy.
template <class T>
struct Dropout {
  T* y;        // (n) out; may alias x
  const T* x;  // (n)
  long n;
  float keep;  // in (0, 1]
  std::uint64_t seed;
  std::uint32_t a, b;
  const std::int64_t* live_a = nullptr;  // (1): if given, a is what stands there when the kernel runs
};
template <class T>
void dropout(Cpu, const Dropout<T>&);
template <class T>
void dropout(Cuda, const Dropout<T>&);

// Stochastic depth (Huang et al. 2016), the factors of n images: y = 0 with probability p, else 1 / (1 - p). Image i
// has word i % 4 of Philox4x32-10 at counter (i / 4, b, a, purpose).
template <class T>
struct DropPath {
  T* y;  // (n) out
  long n;
  double p;  // in [0, 1)
  std::uint64_t seed;
  std::uint32_t a, b, purpose;
  const std::int64_t* live_a = nullptr;  // as Dropout's
};
template <class T>
void drop_path(Cpu, const DropPath<T>&);
template <class T>
void drop_path(Cuda, const DropPath<T>&);

// Residual with LayerScale and stochastic depth: y = x + γ ⊙ branch · keep[image]
template <class T>
struct Residual {
  Acc<T>* y;                      // (images, tokens, cols) out; may alias x
  const Acc<T>* x;                // (images, tokens, cols)
  const T* branch;                // (images, tokens, cols)
  const Acc<T>* gamma = nullptr;  // (cols), or 1
  const Acc<T>* keep = nullptr;   // (images): 0 or 1 / keep probability, or 1
  long images, tokens, cols;
};
template <class T>
void residual(Cpu, const Residual<T>&);
template <class T>
void residual(Cuda, const Residual<T>&);

// dbranch = γ ⊙ dy · keep,  dγ (+)= Σ dy ⊙ branch · keep  (dx = dy)
template <class T>
struct ResidualBackward {
  T* dbranch;                // (images, tokens, cols) out
  Acc<T>* dgamma = nullptr;  // (cols) out, or not wanted
  const Acc<T>* dy;          // (images, tokens, cols)
  const T* branch;           // (images, tokens, cols), read only for dgamma
  const Acc<T>* gamma = nullptr;
  const Acc<T>* keep = nullptr;
  long images, tokens, cols;
  bool accumulate = false;  // dgamma is added to
};
template <class T>
void residual_backward(Cpu, const ResidualBackward<T>&);
template <class T>
void residual_backward(Cuda, const ResidualBackward<T>&);

}  // namespace kernels
