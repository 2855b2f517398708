// A chart of losses, one of accuracies.
#include "vit/show/training_curve.h"

#include <algorithm>
#include <cmath>

namespace lookhere {

std::vector<Chart> training_charts(const std::vector<EpochRow>& rows, bool augmented) {
  // A run that version 0.1 began has only the loss that it minimises, which label smoothing lifts above the test loss.
  const bool measured =
      std::ranges::any_of(rows, [](const EpochRow& row) { return std::isfinite(row.train_cross_entropy); });
  Series train{.name = !measured   ? "training loss"
                       : augmented ? "training batches, augmented, before their update"
                                   : "training batches, before their update",
               .x = {},
               .y = {}};
  Series test{.name = "test images, after the epoch", .x = {}, .y = {}};
  Series top1{.name = "top-1", .x = {}, .y = {}}, top5{.name = "top-5", .x = {}, .y = {}};
  for (const EpochRow& row : rows) {
    const auto epoch = static_cast<double>(row.epoch + 1);
    for (auto [series, value] : {std::pair{&train, measured ? row.train_cross_entropy : row.train_loss},
                                 {&test, row.eval_loss},
                                 {&top1, row.eval_top1},
                                 {&top5, row.eval_top5}})
      series->x.push_back(epoch), series->y.push_back(value);
  }
  return {{.title = "Loss", .x_label = "epoch", .y_label = "cross-entropy", .series = {train, test}},
          {.title = "Test accuracy", .x_label = "epoch", .y_label = "%", .series = {top1, top5}}};
}

std::string training_curve(const std::vector<EpochRow>& rows, bool augmented) {
  return line_charts(training_charts(rows, augmented));
}

}  // namespace lookhere
