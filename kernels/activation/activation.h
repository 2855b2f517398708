// Activations: functions of one number between two linear layers, by themselves or as gates. A new one is a file beside
// this one and a line in functions.h.
#pragma once
#include "kernels/context.h"

namespace kernels {

enum class Activation {
  gelu,        // x·Φ(x), Φ the exact normal distribution (Hendrycks & Gimpel 2016)
  silu,        // x·σ(x), also called swish (Elfwing et al. 2018)
  gelu_tanh,   // x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2, the older approximation of gelu
  quick_gelu,  // x·σ(1.702·x), as in CLIP
  softplus,    // log(1 + eˣ), which is above 0
};
const char* name_of(Activation function);

// y = f(x)
template <class T>
struct Activate {
  T* y;        // (n) out; may alias x
  const T* x;  // (n)
  long n;
  Activation function;
};
template <class T>
void activate(Cpu, const Activate<T>&);
template <class T>
void activate(Cuda, const Activate<T>&);

// dx = dy · f'(x)
template <class T>
struct ActivateBackward {
  T* dx;            // (n) out; may alias dy
  const T *dy, *x;  // (n)
  long n;
  Activation function;
};
template <class T>
void activate_backward(Cpu, const ActivateBackward<T>&);
template <class T>
void activate_backward(Cuda, const ActivateBackward<T>&);

// y = f(a) ⊙ b, where a row of x is [a, b]: SwiGLU is this with SiLU (Shazeer 2020)
template <class T>
struct Gate {
  T* y;        // (rows, cols) out
  const T* x;  // (rows, 2·cols)
  long rows, cols;
  Activation function;
};
template <class T>
void gate(Cpu, const Gate<T>&);
template <class T>
void gate(Cuda, const Gate<T>&);

// da = dy ⊙ b ⊙ f'(a),  db = dy ⊙ f(a)
template <class T>
struct GateBackward {
  T* dx;        // (rows, 2·cols) out: [da, db]
  const T* dy;  // (rows, cols)
  const T* x;   // (rows, 2·cols)
  long rows, cols;
  Activation function;
};
template <class T>
void gate_backward(Cpu, const GateBackward<T>&);
template <class T>
void gate_backward(Cuda, const GateBackward<T>&);

}  // namespace kernels
