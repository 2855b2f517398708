// Classification losses, value and gradient in one pass over the logits. In float and double: bf16 models cast their
// logits, which are few.
#pragma once
#include <cstdint>

#include "kernels/context.h"

namespace kernels {

// What each image should be: either a class index, smoothed over all classes, or a row of class weights (mixup).
template <class T>
struct Targets {
  const std::int64_t* labels = nullptr;  // (rows) in [0, classes); another makes the loss and the gradient NaN
  const T* weights = nullptr;            // (rows, classes), used if labels is null
  T smoothing = 0;                       // with labels: (1 - s) on the label plus s / classes everywhere
};

// Softmax cross-entropy: loss = -Σ_c t_c log softmax(x)_c,  dlogits = (softmax(x) · Σt - t) · gradient_scale
template <class T>
struct ClassLoss {
  T* loss;          // (rows) out
  T* dlogits;       // (rows, classes) out; may alias logits
  const T* logits;  // (rows, classes)
  Targets<T> targets;
  long rows, classes;
  T gradient_scale;  // 1 / rows for the mean over the batch
};
template <class T>
void softmax_cross_entropy(Cpu, const ClassLoss<T>&);
template <class T>
void softmax_cross_entropy(Cuda, const ClassLoss<T>&);

// Binary cross-entropy with logits, summed over classes: loss = Σ_c log(1 + e^x) - t·x,  dlogits = (σ(x) - t) · scale
template <class T>
void binary_cross_entropy(Cpu, const ClassLoss<T>&);
template <class T>
void binary_cross_entropy(Cuda, const ClassLoss<T>&);

}  // namespace kernels
