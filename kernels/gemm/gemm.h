// Matrix products, and linear layers with what follows them done while the result is still in the cache. The one place
// that calls BLAS; on a GPU cuBLAS (kernels/cuda/product.h).
#pragma once
#include "kernels/activation/activation.h"

namespace kernels {

// Who multiplies. own: kernels/gemm/own.h, with the same bits for any number of threads. The others run everything but
// the product as separate loops. f64 always takes openblas, bf16 always own.
enum class GemmBackend { own, openblas, onednn };
inline constexpr GemmBackend kEveryGemmBackend[] = {GemmBackend::own, GemmBackend::openblas, GemmBackend::onednn};

const char* name_of(GemmBackend backend);  // as the environment variable spells it
bool can_run(GemmBackend backend);         // onednn: only where its header was found when this was built
// $LOOKHERE_GEMM if it names one that can run; else own, the fastest of those always there for every shape of a ViT
// (kernels/README.md), but openblas where kernels are portable (LOOKHERE_ISA): it has faster code for old processors.
// Settled by the first call and the same from then on.
GemmBackend gemm_backend();
// What is wrong with $LOOKHERE_GEMM, as one line; empty if nothing.
const char* gemm_problem();

enum class Transpose { no, yes };

// C = A·B (+ C), for f32 and f64
template <class T>
struct Gemm {
  T* c;        // (m, n) out
  const T* a;  // (m, k), or (k, m) if transpose_a
  const T* b;  // (k, n), or (n, k) if transpose_b
  long m, n, k;
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  bool accumulate = false;  // add to c instead of overwriting it
};
template <class T>
void gemm(Cpu, const Gemm<T>&, GemmBackend backend = gemm_backend());
template <class T>
void gemm(Cuda, const Gemm<T>&);

// y = x·Wᵀ + b, one row per token, and optionally activated = f(y) and sum = residual + γ ⊙ y · keep[image]. Whatever
// of the three is wanted is written, each once. bf16 rounds the weights while it packs them; γ ⊙ y is taken from y in
// f32.
template <class T>
struct Linear {
  T* y = nullptr;                    // (rows, out) out, or not wanted
  T* activated = nullptr;            // (rows, out) out, or not wanted
  Acc<T>* sum = nullptr;             // (rows, out) out, or not wanted; may alias residual
  const T* x;                        // (rows, in)
  const Acc<T>* w;                   // (out, in)
  const Acc<T>* b = nullptr;         // (out), or none
  const Acc<T>* residual = nullptr;  // (rows, out), with sum
  const Acc<T>* gamma = nullptr;     // (out), or 1
  const Acc<T>* keep = nullptr;      // (rows / tokens), one value per image, or 1
  long rows, in, out;
  long tokens = 1;             // rows per image
  Activation activation = {};  // f
};
template <class T>
void linear(Cpu, const Linear<T>&, GemmBackend backend = gemm_backend());
template <class T>
void linear(Cuda, const Linear<T>&);

// dx = dy·W, optionally ⊙ f'(pre): the gradient before the activation whose result was x
template <class T>
struct LinearInputGradient {
  T* dx;                   // (rows, in) out
  const T* dy;             // (rows, out)
  const Acc<T>* w;         // (out, in)
  const T* pre = nullptr;  // (rows, in), or no activation
  long rows, in, out;
  Activation activation = {};  // f
};
template <class T>
void linear_input_gradient(Cpu, const LinearInputGradient<T>&, GemmBackend backend = gemm_backend());
template <class T>
void linear_input_gradient(Cuda, const LinearInputGradient<T>&);

// dW = dyᵀ·x,  db = Σ_rows dy
template <class T>
struct LinearWeightGradient {
  Acc<T>* dw;            // (out, in) out
  Acc<T>* db = nullptr;  // (out) out, or not wanted
  const T* dy;           // (rows, out)
  const T* x;            // (rows, in)
  long rows, in, out;
  bool accumulate = false;  // add to dw and db instead of overwriting them
};
template <class T>
void linear_weight_gradient(Cpu, const LinearWeightGradient<T>&, GemmBackend backend = gemm_backend());
template <class T>
void linear_weight_gradient(Cuda, const LinearWeightGradient<T>&);

}  // namespace kernels
