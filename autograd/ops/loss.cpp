// Classification losses. The kernel gives value and gradient in one pass; backward only multiplies by dy.
#include "autograd/ops.h"
#include "kernels/pointwise.h"
#include "kernels/softmax_loss.h"
#include "tensor/dispatch.h"

namespace lookhere {
namespace {

enum class Kind { softmax, binary };

void check_labels(const char* op, const Tensor& labels, long batch, long classes) {
  check(labels.shape() == Shape{batch}, op, ": labels must be ", Shape{batch}, ", got ", labels.shape());
  if (labels.device() != Device::cpu) return;  // the kernel looks at them: to wait for it would stop the device
  for (long i = 0; i < batch; ++i) {
    const i64 label = labels.host<i64>()[i];
    check(0 <= label && label < classes, op, ": label ", label, " at ", i, " is not one of ", classes, " classes");
  }
}

Var class_loss(Kind kind, const Var& logits, const Tensor& labels, const Tensor& targets, double smoothing) {
  const char* op = kind == Kind::softmax ? "softmax_cross_entropy" : "binary_cross_entropy";
  check(logits.shape().rank() == 2 && logits.value().numel() > 0, op, ": logits must be [batch, classes], got ",
        logits.shape());
  const long batch = logits.shape()[0], classes = logits.shape()[1];
  if (labels.defined()) check_labels(op, labels, batch, classes);
  const Tensor truth = labels.defined() ? labels.to(logits.value().device()) : Tensor();
  check(labels.defined() || targets.shape() == logits.shape(), op, ": targets must be ", logits.shape(), ", got ",
        targets.shape());
  check(smoothing >= 0 && smoothing < 1, op, ": smoothing must be in [0, 1), got ", smoothing);
  Tensor rows = empty({batch}, logits.value()), dlogits = empty_like(logits.value()), mean = empty({1}, logits.value());
  dispatch(dlogits, [&]<class T>(auto ctx) {
    const kernels::ClassLoss<T> problem{.loss = rows.data<T>(),
                                        .dlogits = dlogits.data<T>(),
                                        .logits = logits.value().data<T>(),
                                        .targets = {.labels = truth.defined() ? truth.data<i64>() : nullptr,
                                                    .weights = targets.defined() ? targets.data<T>() : nullptr,
                                                    .smoothing = static_cast<T>(smoothing)},
                                        .rows = batch,
                                        .classes = classes,
                                        .gradient_scale = 1 / static_cast<T>(batch)};
    kind == Kind::softmax ? kernels::softmax_cross_entropy(ctx, problem) : kernels::binary_cross_entropy(ctx, problem);
    kernels::column_sum<T>(ctx, {.out = mean.data<T>(), .x = rows.data<T>(), .rows = batch, .cols = 1});
    kernels::scale<T>(ctx, {.y = mean.data<T>(), .x = mean.data<T>(), .n = 1, .scale = 1 / static_cast<T>(batch)});
  });
  return Var::record(op, mean, {logits}, [dlogits](const Tensor& dy) {
    Tensor dx = empty_like(dlogits);
    dispatch(dx, [&]<class T>(auto ctx) {
      kernels::scale<T>(
          ctx, {.y = dx.data<T>(), .x = dlogits.data<T>(), .n = dx.numel(), .scale = 1, .times = dy.data<T>()});
    });
    return Grads{dx};
  });
}

}  // namespace

Var softmax_cross_entropy(const Var& logits, const Tensor& labels, double smoothing) {
  return class_loss(Kind::softmax, logits, labels, {}, smoothing);
}
Var softmax_cross_entropy_soft(const Var& logits, const Tensor& targets) {
  return class_loss(Kind::softmax, logits, {}, targets, 0);
}
Var binary_cross_entropy(const Var& logits, const Tensor& labels, double smoothing) {
  return class_loss(Kind::binary, logits, labels, {}, smoothing);
}
Var binary_cross_entropy_soft(const Var& logits, const Tensor& targets) {
  return class_loss(Kind::binary, logits, {}, targets, 0);
}

}  // namespace lookhere
