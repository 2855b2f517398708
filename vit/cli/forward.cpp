// lookhere forward, lookhere gradients: a model on arrays, for other programs to compare with.
#include <fmt/format.h>

#include <algorithm>

#include "tensor/npy.h"
#include "vit/cli/commands.h"
#include "vit/eval/accuracy.h"
#include "vit/model/weights.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

constexpr long kChunk = 32;  // images at a time: bounds the memory, however long the file

Tensor load_images(const std::string& path, const ViTConfig& config) {
  Tensor images = load_npy(path).to(Dtype::f32);
  const Shape& shape = images.shape();
  check(shape.rank() == 4 && shape[1] == config.channels, path, ": wanted images [batch, ", config.channels,
        ", height, width], got ", shape);
  check(shape[0] >= 1 && shape[2] >= config.patch && shape[3] >= config.patch && shape[2] % config.patch == 0 &&
            shape[3] % config.patch == 0,
        path, ": wanted at least one image with height and width divisible by the patch size ", config.patch, ", got ",
        shape);
  return images;
}

}  // namespace

void ForwardCommand::run() const {
  ViT vit = load_model(model);
  const Tensor x = load_images(images, vit.config());
  const NoGrad evaluation;
  Tensor logits = empty({x.shape()[0], vit.config().classes});
  Progress progress("forward", x.shape()[0]);
  Parts parts(kChunk);
  parts.for_each(x.shape()[0], [&](long begin, long end) {
    logits.rows(begin, end).copy_from(vit(Var(x.rows(begin, end))).value());
    if (const std::string note = parts.take_note(); !note.empty()) progress.note("forward: " + note);
    progress.update(end);
  });
  progress.finish_quietly();
  save_npy(output, logits);
}

void GradientsCommand::run() const {
  ViT vit = load_model(model);
  const Tensor x = load_images(images, vit.config()), y = load_npy(labels);
  const long count = x.shape()[0];
  check(y.dtype() == Dtype::i64 && y.shape() == Shape{count}, labels, ": wanted ", count,
        " integer labels (one per image), got ", y.dtype(), " ", y.shape());
  double loss = 0;
  // Always the same chunks: sums of gradients depend on them.
  Progress progress("gradients", count);
  for (long begin = 0; begin < count; begin += kChunk) {
    const long end = std::min(begin + kChunk, count);
    const double share = static_cast<double>(end - begin) / static_cast<double>(count);
    const Var part = scale(softmax_cross_entropy(vit(Var(x.rows(begin, end))), y.rows(begin, end)), share);
    loss += part.value().item();
    part.backward();
    progress.update(end);
  }
  progress.finish_quietly();
  NamedTensors gradients;
  for_each_parameter(vit, [&](const std::string& name, const Var& p) {
    gradients.emplace_back(name, p.grad().defined() ? p.grad() : zeros_like(p.value()));
  });
  save_safetensors(output, gradients, {{"loss", fmt::format("{:.9g}", loss)}});
}

}  // namespace lookhere
