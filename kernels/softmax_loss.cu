// Classification losses on a GPU: a block per row of logits.
#include "kernels/softmax_loss.h"

#include <cmath>

#include "kernels/cuda/reduce.h"

namespace kernels {
namespace {

// What row r should be for class c.
template <class T>
struct Target {
  const T* weights;  // of the row, or null: a label
  std::int64_t label;
  T own, other;
  __device__ Target(const ClassLoss<T>& p, long r)
      : weights(p.targets.labels ? nullptr : p.targets.weights + r * p.classes),
        label(p.targets.labels ? p.targets.labels[r] : 0),
        own(0),
        other(0 <= label && label < p.classes ? p.targets.smoothing / static_cast<T>(p.classes) : T(NAN)) {
    own = other + (1 - p.targets.smoothing);
  }
  __device__ T operator()(long c) const { return weights ? weights[c] : c == label ? own : other; }
};

// Each thread has the same classes in every pass, so that dlogits may stand where the logits do.
template <class T>
__global__ void softmax_row(ClassLoss<T> p) {
  const long r = blockIdx.x;
  const T* x = p.logits + r * p.classes;
  T* dx = p.dlogits + r * p.classes;
  const Target<T> target(p, r);
  T max = x[0];
  for (long c = threadIdx.x; c < p.classes; c += blockDim.x) max = max < x[c] ? x[c] : max;
  max = cuda::block_max(max);
  T sum = 0, dot = 0, target_sum = 0;
  for (long c = threadIdx.x; c < p.classes; c += blockDim.x) {
    const T shifted = x[c] - max, t = target(c);
    dx[c] = std::exp(shifted);
    sum += dx[c], target_sum += t;
    dot += t != 0 ? t * shifted : 0;
  }
  sum = cuda::block_sum(sum), dot = cuda::block_sum(dot), target_sum = cuda::block_sum(target_sum);
  if (!target.weights) target_sum = 1;
  for (long c = threadIdx.x; c < p.classes; c += blockDim.x)
    dx[c] = (dx[c] * (target_sum / sum) - target(c)) * p.gradient_scale;
  if (threadIdx.x == 0) p.loss[r] = target_sum * std::log(sum) - dot;
}

template <class T>
__global__ void binary_row(ClassLoss<T> p) {
  const long r = blockIdx.x;
  const T* x = p.logits + r * p.classes;
  T* dx = p.dlogits + r * p.classes;
  const Target<T> target(p, r);
  T loss = 0;
  for (long c = threadIdx.x; c < p.classes; c += blockDim.x) {
    const T v = x[c], t = target(c), e = std::exp(v < 0 ? v : -v), inverse = 1 / (1 + e);
    loss += (v < 0 ? 0 : v) - v * t + std::log1p(e);  // log(1 + e^v) without overflow
    dx[c] = ((v >= 0 ? inverse : e * inverse) - t) * p.gradient_scale;
  }
  loss = cuda::block_sum(loss);
  if (threadIdx.x == 0) p.loss[r] = loss;
}

}  // namespace

template <class T>
void softmax_cross_entropy(Cuda cuda, const ClassLoss<T>& p) {
  if (p.rows == 0) return;
  LAUNCH(softmax_row<T>, dim3(static_cast<unsigned>(p.rows)), dim3(cuda::threads_for(p.classes)), cuda, p);
}

template <class T>
void binary_cross_entropy(Cuda cuda, const ClassLoss<T>& p) {
  if (p.rows == 0) return;
  LAUNCH(binary_row<T>, dim3(static_cast<unsigned>(p.rows)), dim3(cuda::threads_for(p.classes)), cuda, p);
}

template void softmax_cross_entropy(Cuda, const ClassLoss<float>&);
template void softmax_cross_entropy(Cuda, const ClassLoss<double>&);
template void binary_cross_entropy(Cuda, const ClassLoss<float>&);
template void binary_cross_entropy(Cuda, const ClassLoss<double>&);

}  // namespace kernels
