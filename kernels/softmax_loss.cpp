// Classification losses on the CPU: logits are few, so plain loops and the C library's functions.
#include "kernels/softmax_loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/isa.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void softmax_cross_entropy(const ClassLoss<T>& p) {
  parallel_for(p.rows, 20 * p.classes, [&](long r) {
    const T* x = p.logits + r * p.classes;
    T* dx = p.dlogits + r * p.classes;
    T max = x[0], sum = 0, target_sum = 0, dot = 0;
    // A NaN must reach the loss: std::max would drop it, the sum keeps it.
    for (long c = 1; c < p.classes; ++c) max = std::max(max, x[c]);
    for (long c = 0; c < p.classes; ++c) sum += std::exp(x[c] - max);
    const T log_sum = max + std::log(sum);
    for (long c = 0; c < p.classes; ++c) {
      const T t = p.targets.of(r, c, p.classes);
      target_sum += t;
      if (t != 0) dot += t * (log_sum - x[c]);
    }
    for (long c = 0; c < p.classes; ++c)
      dx[c] = (std::exp(x[c] - log_sum) * target_sum - p.targets.of(r, c, p.classes)) * p.gradient_scale;
    p.loss[r] = dot;
  });
}

template <class T>
void binary_cross_entropy(const ClassLoss<T>& p) {
  parallel_for(p.rows, 20 * p.classes, [&](long r) {
    const T* x = p.logits + r * p.classes;
    T* dx = p.dlogits + r * p.classes;
    T loss = 0;
    for (long c = 0; c < p.classes; ++c) {
      const T v = x[c], t = p.targets.of(r, c, p.classes), e = std::exp(-std::abs(v));
      loss += std::max(v, T(0)) - v * t + std::log1p(e);  // log(1 + e^v) without overflow
      dx[c] = ((v >= 0 ? 1 / (1 + e) : e / (1 + e)) - t) * p.gradient_scale;
    }
    p.loss[r] = loss;
  });
}

}  // namespace KERNELS_ISA

KERNEL(softmax_cross_entropy, ClassLoss, float);
KERNEL(softmax_cross_entropy, ClassLoss, double);
KERNEL(binary_cross_entropy, ClassLoss, float);
KERNEL(binary_cross_entropy, ClassLoss, double);

}  // namespace kernels
