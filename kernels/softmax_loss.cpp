// Classification losses on the CPU: while a row is in the first-level cache, its exponentials are taken once and kept
// where the gradient goes.
#include "kernels/softmax_loss.h"

#include <cmath>
#include <type_traits>

#include "kernels/simd/math.h"
#include "kernels/simd/vector.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

// The largest of n values, whatever if one is NaN.
template <class T>
T largest(const T* x, long n) {
  T result = x[0];
  long i = 1;
  if (n >= kLanes<T>) {
    Vector<T> most = load(x);
    for (i = kLanes<T>; i < n; i += kLanes<T>) {
      const Vector<T> v =
          load(x + (i + kLanes<T> <= n ? i : n - kLanes<T>));  // the last vector overlaps the one before
      most = most < v ? v : most;
    }
    for (long k = 0; k < kLanes<T>; ++k) result = result < most[k] ? most[k] : result;
  }
  for (; i < n; ++i) result = result < x[i] ? x[i] : result;
  return result;
}

// f(target, sum), where target(c) is what row r should be for class c, and sum that over all classes.
template <class T, class F>
void with_target(const ClassLoss<T>& p, long r, F f) {
  const Targets<T>& t = p.targets;
  if (t.labels) {
    // 32 bits wide, so that labels are compared in as many lanes as floats have.
    const int label = static_cast<int>(t.labels[r]);
    const bool is_class = 0 <= t.labels[r] && t.labels[r] < p.classes;
    const T other = is_class ? t.smoothing / static_cast<T>(p.classes) : T(NAN), own = other + (1 - t.smoothing);
    return f([=](int c) { return c == label ? own : other; }, T(1));
  }
  const T* weights = t.weights + r * p.classes;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (long c = 0; c < p.classes; ++c) sum += weights[c];
  f([=](int c) { return weights[c]; }, sum);
}

}  // namespace

template <class T>
void softmax_cross_entropy(const ClassLoss<T>& p) {
  parallel_for(p.rows, 20 * p.classes, [=](long r) {
    with_target(p, r, [=](auto target, T target_sum) {
      constexpr bool kVectorise = std::is_same_v<T, float>;  // in double exp is a call of the C library
      const int classes = static_cast<int>(p.classes);
      const T* x = p.logits + r * p.classes;
      T* dx = p.dlogits + r * p.classes;
      // A NaN must reach the loss: the sum keeps it.
      const T max = largest(x, p.classes);
      T sum = 0, dot = 0;
#pragma omp simd if (simd : kVectorise) reduction(+ : sum, dot)
      for (int c = 0; c < classes; ++c) {
        const T shifted = x[c] - max, t = target(c);
        dx[c] = fast_exp(shifted);
        sum += dx[c];
        dot += t != 0 ? t * shifted : 0;
      }
      const T factor = target_sum / sum;
#pragma omp simd if (simd : kVectorise)
      for (int c = 0; c < classes; ++c) dx[c] = (dx[c] * factor - target(c)) * p.gradient_scale;
      p.loss[r] = target_sum * std::log(sum) - dot;
    });
  });
}

template <class T>
void binary_cross_entropy(const ClassLoss<T>& p) {
  parallel_for(p.rows, 20 * p.classes, [=](long r) {
    with_target(p, r, [=](auto target, T) {
      constexpr bool kVectorise = std::is_same_v<T, float>;  // in double exp is a call of the C library
      const int classes = static_cast<int>(p.classes);
      const T* x = p.logits + r * p.classes;
      T* dx = p.dlogits + r * p.classes;
      T loss = 0;
#pragma omp simd if (simd : kVectorise) reduction(+ : loss)
      for (int c = 0; c < classes; ++c) {
        const T v = x[c], t = target(c), e = fast_exp(-std::abs(v)), inverse = 1 / (1 + e);
        loss += (v < 0 ? 0 : v) - v * t + fast_log1p(e);  // log(1 + e^v) without overflow
        dx[c] = ((v >= 0 ? inverse : e * inverse) - t) * p.gradient_scale;
      }
      p.loss[r] = loss;
    });
  });
}

}  // namespace KERNELS_ISA

KERNEL(softmax_cross_entropy, ClassLoss, float);
KERNEL(softmax_cross_entropy, ClassLoss, double);
KERNEL(binary_cross_entropy, ClassLoss, float);
KERNEL(binary_cross_entropy, ClassLoss, double);

}  // namespace kernels
