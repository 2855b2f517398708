// lookhere forward, lookhere gradients: a model on arrays, for other programs to compare with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/finite.h"
#include "tensor/npy.h"
#include "vit/cli/commands.h"
#include "vit/cli/images.h"
#include "vit/eval/accuracy.h"
#include "vit/model/weights.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

constexpr long kChunk = 32;  // images at a time: bounds the memory, however long the file

}  // namespace

void ForwardCommand::run() const {
  const Device on = device_from_name(device);
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  const Tensor x = load_images(images, file);
  const NoGrad evaluation;
  Tensor logits = empty({x.shape()[0], vit.config().classes}, Dtype::f32, Device::cpu);
  Progress progress("forward", x.shape()[0]);
  Parts parts(kChunk, on);
  parts.for_each(x.shape()[0], [&](long begin, long end) {
    logits.rows(begin, end).copy_from(vit(Var(x.rows(begin, end).to(on))).value());
    if (const std::string note = parts.take_note(); !note.empty()) progress.note("forward: " + note);
    progress.update(end);
  });
  progress.finish_quietly();
  check_finite(logits, images, ": the model's answer");
  save_npy(output, logits);
}

void GradientsCommand::run() const {
  const Device on = device_from_name(device);
  const Safetensors file(model);
  ViT vit = load_model(file, Dtype::f32, on);
  const Tensor x = load_images(images, file), y = load_npy(labels);
  const long count = x.shape()[0];
  check(y.dtype() == Dtype::i64 && y.shape() == Shape{count}, labels, ": wanted ", count,
        " integer labels (one per image), got ", y.dtype(), " ", y.shape());
  double loss = 0;
  // Always the same chunks: sums of gradients depend on them.
  Progress progress("gradients", count);
  for (long begin = 0; begin < count; begin += kChunk) {
    const long end = std::min(begin + kChunk, count);
    const double share = static_cast<double>(end - begin) / static_cast<double>(count);
    const Var logits = vit(Var(x.rows(begin, end).to(on)));
    check_finite(logits.value(), images, ": the model's answer to images ", begin, " to ", end - 1);
    const Var part = scale(softmax_cross_entropy(logits, y.rows(begin, end)), share);
    loss += part.value().item();
    part.backward();
    progress.update(end);
  }
  progress.finish_quietly();
  check(std::isfinite(loss), images, ": the loss is not finite");
  NamedTensors gradients;
  for_each_parameter(vit, [&](const std::string& name, const Var& p) {
    gradients.emplace_back(name, p.grad().defined() ? p.grad() : zeros_like(p.value()));
    check_finite(gradients.back().second, images, ": the gradient of ", name);
  });
  save_safetensors(output, gradients, {{"loss", fmt::format("{:.9g}", loss)}});
}

}  // namespace lookhere
