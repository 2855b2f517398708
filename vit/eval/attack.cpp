// The images are what the loss is differentiated by; the weights are constants.
#include "vit/eval/attack.h"

#include <algorithm>
#include <utility>

#include "tensor/machine.h"
#include "tensor/parallel.h"

namespace lookhere {

Tensor moved(const Tensor& images, const Tensor& from, const Tensor& gradient, double step, double epsilon,
             const Preprocessing& p) {
  const Shape& shape = images.shape();
  const auto channels = static_cast<long>(p.mean.size());
  check(shape.rank() == 4 && shape[1] == channels && std::ssize(p.std) == channels && from.shape() == shape &&
            gradient.shape() == shape,
        "attack: wanted images, originals and gradient [batch, ", channels, ", height, width], got ", shape, ", ",
        from.shape(), " and ", gradient.shape());
  Tensor result = empty(shape, Dtype::f32, Device::cpu);
  const float *x = images.host<float>(), *x0 = from.host<float>(), *dx = gradient.host<float>();
  float* out = result.host<float>();
  const long plane = shape[2] * shape[3];
  for (long i = 0; i < images.numel(); ++i) {
    const long c = i / plane % channels;
    const double mean = p.mean[c], std = p.std[c], start = x0[i] * std + mean;
    const double pixel = x[i] * std + mean + step * ((dx[i] > 0 ? 1 : 0) - (dx[i] < 0 ? 1 : 0));
    const double near = std::clamp(pixel, start - epsilon, start + epsilon);
    out[i] = static_cast<float>((std::clamp(near, 0.0, 1.0) - mean) / std);
  }
  return result;
}

Attack::Attack(const ViT& model, Preprocessing preprocessing, bool binary)
    : model_(model), preprocessing_(std::move(preprocessing)), binary_(binary) {
  for_each_parameter(model_, [](const std::string&, Var& p) {
    if (p.defined()) p = Var(p.value());
  });
}

Tensor Attack::gradient(const Tensor& images, const Tensor& labels) {
  const long count = images.shape()[0],
             tasks = model_.device() == Device::cuda ? 1 : std::min<long>(thread_count(), count);
  model_.prepare(images.shape());
  Tensor result = empty(images.shape(), Dtype::f32, Device::cpu);
  parallel_tasks(tasks, [&](long i) {
    const long begin = i * count / tasks, end = (i + 1) * count / tasks;
    const Var shown(images.rows(begin, end).to(model_.device()), true);
    const Var logits = model_(shown);
    const Tensor own = labels.rows(begin, end);
    // Of a part's mean loss; that of all images is less by their share.
    const Var loss = binary_ ? binary_cross_entropy(logits, own) : softmax_cross_entropy(logits, own);
    scale(loss, static_cast<double>(end - begin) / static_cast<double>(count)).backward();
    result.rows(begin, end).copy_from(shown.grad());
  });
  return result;
}

Tensor Attack::operator()(const Tensor& images, const Tensor& labels, const AttackOptions& o) {
  check(o.epsilon >= 0 && o.steps >= 1 && o.step_size >= 0, "attack: wanted epsilon and step size of at least 0 and ",
        "at least 1 step, got ", o.epsilon, ", ", o.step_size, " and ", o.steps);
  const double usual = o.steps == 1 ? o.epsilon : 2.5 * o.epsilon / static_cast<double>(o.steps);
  const double step = o.step_size > 0 ? o.step_size : usual;
  const Tensor from = images.to(Device::cpu);
  Tensor at = from;
  for (long i = 0; i < o.steps; ++i) at = moved(at, from, gradient(at, labels), step, o.epsilon, preprocessing_);
  return at;
}

}  // namespace lookhere
