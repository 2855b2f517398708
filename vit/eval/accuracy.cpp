// Top-1 and top-5 accuracy.
#include "vit/eval/accuracy.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "tensor/finite.h"
#include "tensor/machine.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"

namespace lookhere {

Tensor logits_of(ViT& model, const Tensor& images, Dtype inside) {
  const long count = images.shape()[0],
             tasks = model.device() == Device::cuda ? 1 : std::min<long>(thread_count(), count);
  model.prepare(images.shape());
  Tensor logits = empty({count, model.config().classes}, Dtype::f32, Device::cpu);
  parallel_tasks(tasks, [&](long i) {
    const NoGrad evaluation;
    const long begin = i * count / tasks, end = (i + 1) * count / tasks;
    Pass pass{.dtype = inside};
    const Tensor part = images.rows(begin, end).to(model.device());
    logits.rows(begin, end).copy_from(model(Var(part), pass).value());
  });
  return logits;
}

void Parts::for_each(long count, const std::function<void(long, long)>& f) {
  for (long begin = 0; begin < count;) {
    const long size = std::min(size_, count - begin);
    try {
      f(begin, begin + size);
      begin += size;
    } catch (const std::bad_alloc&) {
      if (size == 1) throw;
      if (!too_large_) too_large_ = size;
      size_ = size / 2;
      Pool::of(device_).release_kept();  // what is kept for larger parts would be in the way
    }
  }
}

std::string Parts::take_note() {
  const long too_large = std::exchange(too_large_, 0);
  return too_large ? concat(too_large, " images at a time do not fit, going on with ", size_) : "";
}

long rank_of_label(const float* logits, long classes, long label) {
  long rank = 0;
  for (long c = 0; c < classes; ++c) rank += c != label && !(logits[c] < logits[label]);
  return rank;
}

Accuracy evaluate(ViT& model, Loader& loader, const EvaluationOptions& options) {
  Accuracy result;
  long hits = 0, hits5 = 0;
  Batch batch;
  Parts parts(std::numeric_limits<long>::max(), model.device());
  const auto stop = [&] { return result.stopped = options.stop && options.stop(); };
  loader.start(0);
  for (long left = loader.batches(); left > 0 && !stop() && loader.next(batch); --left) {
    const long count = batch.labels.numel(), classes = model.config().classes;
    const auto [first, last] = loader.own_rows(count);
    const Tensor logits = empty({count, classes}, Dtype::f32, Device::cpu);
    parts.for_each(last - first, [&, first = first](long begin, long end) {
      const Tensor images = batch.images.rows(begin, end);
      begin += first, end += first;
      const Tensor shown = options.change ? options.change(images, batch.labels.rows(begin, end)) : images;
      logits.rows(begin, end).copy_from(logits_of(model, shown));
    });
    if (options.team) options.team->share(logits.host<std::byte>(), count, logits.bytes() / count);
    if (const std::string note = parts.take_note(); options.note && !note.empty()) options.note("evaluation: " + note);
    result.loss += softmax_cross_entropy(Var(logits), batch.labels).value().item() * static_cast<double>(count);
    if (const long bad = first_not_finite(logits); bad >= 0 && result.first_bad < 0)
      result.first_bad = result.images + bad / classes;
    for (long i = 0; i < count; ++i) {
      const long rank = rank_of_label(logits.host<float>() + i * classes, classes, batch.labels.host<i64>()[i]);
      hits += rank < 1, hits5 += rank < 5;
    }
    if (options.answered) options.answered(logits, batch.labels);
    result.images += count;
    if (options.progress) options.progress(result.images);
  }
  if (result.stopped && result.images == 0) return result;
  check(result.images > 0, "evaluate: the data set has no images");
  const auto n = static_cast<double>(result.images);
  result.loss /= n, result.top1 = 100 * static_cast<double>(hits) / n,
                    result.top5 = 100 * static_cast<double>(hits5) / n;
  return result;
}

}  // namespace lookhere
