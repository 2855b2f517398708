// A list of steps per run: each gives some numbers, and those that the run's folder holds already are left out.
#include "vit/compare/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "vit/compare/subject.h"
#include "vit/compare/tune.h"
#include "vit/data/subset.h"
#include "vit/eval/attack.h"
#include "vit/eval/heads.h"
#include "vit/eval/logit_lens.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

constexpr double kGreys = 255;
constexpr double kBackward = 2;  // the work of a backward pass, in forward passes

struct Step {
  std::string detail, first_metric;
  long size;
  double work;  // per image
  // Nothing if it was stopped.
  std::function<std::vector<Measurement>(Subject&, const EvaluationOptions&)> run;
  bool tunes = false;  // looks at the held-out images as well, for each factor
  long images = 0;     // that it looks at; 0: all
};

std::vector<Measurement> accuracy_at(long size, Subject& subject, const EvaluationOptions& options) {
  const Judgement j = judge(subject, size, options);
  if (j.accuracy.stopped) return {};
  return {{"top1", size, j.accuracy.top1},
          {"top5", size, j.accuracy.top5},
          {"loss", size, j.accuracy.loss},
          {"ece", size, 100 * j.calibration.expected_error()}};
}

std::vector<Measurement> attacked_at(long size, double epsilon, const std::string& name, Subject& subject,
                                     EvaluationOptions options) {
  const Dataset& images = subject.images(size);
  Attack attack(subject.model(), {.mean = images.mean, .std = images.std}, subject.recipe().bce_loss);
  options.change = [&](const Tensor& batch, const Tensor& labels) {
    return attack(batch, labels, {.epsilon = epsilon / kGreys, .step_size = epsilon / kGreys});
  };
  Loader loader = subject.loader(size);
  const Accuracy a = evaluate(subject.model(), loader, options);
  if (a.stopped) return {};
  return {{name + ".top1", size, a.top1}, {name + ".top5", size, a.top5}};
}

// Tuned on held-out images, then judged on test images.
std::vector<Measurement> tuned_at(long size, Subject& subject, const EvaluationOptions& options) {
  const double own = subject.model().config().position->tunable()->value;
  const auto factor = best_factor([&](double each) {
    ViT model = subject.tuned(own * each);
    Loader loader = subject.loader(size, Images::held_out);
    return evaluate(model, loader, options);
  });
  if (!factor) return {};
  ViT model = subject.tuned(own * *factor);
  Loader loader = subject.loader(size);
  const Accuracy a = evaluate(model, loader, options);
  if (a.stopped) return {};
  return {{"tuned.top1", size, a.top1}, {"tuned.top5", size, a.top5}, {"tuned.value", size, own * *factor}};
}

// Each metric of every layer, and its mean.
std::vector<Measurement> by_layer(const std::string& name, long size, const std::vector<double>& layers) {
  std::vector<Measurement> all{{name, size, 0}};
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    all[0].value += layers[layer] / static_cast<double>(layers.size());
    all.push_back({fmt::format("{}.{}", name, layer), size, layers[layer]});
  }
  return all;
}

std::vector<Measurement> heads_at(long size, Subject& subject, const EvaluationOptions& options) {
  const long depth = subject.model().config().depth;
  const Dataset some = subset(subject.images(size), kPicturesForHeads);
  Loader loader(some, {.batch_size = 1, .image_height = size, .image_width = size});
  std::vector<double> diversity(depth), distance(depth), similarity(depth);
  loader.start(0);
  Batch batch;
  for (long done = 0; loader.next(batch); options.progress(++done)) {
    if (options.stop()) return {};
    const std::vector<LayerStatistics> layers = layer_statistics(subject.model(), batch.images);
    const auto count = static_cast<double>(some.size());
    for (long l = 0; l < depth; ++l) {
      diversity[l] += layers[l].diversity / count, distance[l] += layers[l].distance / count;
      similarity[l] += layers[l].similarity / count;
    }
  }
  std::vector<Measurement> all = by_layer("diversity", size, diversity);
  for (const auto& [name, layers] : {std::pair{"distance", &distance}, {"similarity", &similarity}})
    for (const Measurement& m : by_layer(name, size, *layers)) all.push_back(m);
  return all;
}

std::vector<Measurement> lens_at(long size, Subject& subject, const EvaluationOptions& options) {
  const ViTConfig& config = subject.model().config();
  const Dataset& images = subject.images(size);
  const Grid grid{size / config.patch, size / config.patch};
  std::vector<MeanIou> layers(config.depth, MeanIou(config.classes));
  Loader loader = subject.loader(size);
  loader.start(0);
  Batch batch;
  for (long done = 0; loader.next(batch); options.progress(done)) {
    if (options.stop()) return {};
    const auto taken = patch_classes(subject.model(), batch.images);
    for (long i = 0; i < batch.labels.numel(); ++i, ++done) {
      const std::vector<bool> thing = patches_of_thing(images.masks(done), size, size, grid);
      for (long layer = 0; layer < config.depth; ++layer)
        for (long patch = 0; patch < grid.patches(); ++patch)
          if (thing[patch]) layers[layer].add(images.labels[done], taken[layer][i * grid.patches() + patch]);
    }
  }
  std::vector<Measurement> all{{"lens.miou", size, layers.back().percent()}};
  for (long layer = 0; layer < config.depth; ++layer)
    all.push_back({fmt::format("lens.miou.{}", layer), size, layers[layer].percent()});
  return all;
}

std::vector<Step> steps_of(const Comparison& comparison, const ViTConfig& model, bool masks) {
  const auto own = static_cast<double>(model.height * model.width);
  std::vector<Step> steps;
  for (const long size : comparison.sizes)
    steps.push_back({fmt::format("{} px", size), "top1", size, static_cast<double>(size * size) / own,
                     [size](Subject& subject, const EvaluationOptions& o) { return accuracy_at(size, subject, o); }});
  const auto tunable = model.position->tunable();
  for (const long size : comparison.sizes)
    if (tunable && tunable->value > 0 && comparison.recipe.holdout > 0 && size != model.height)
      steps.push_back({fmt::format("tuning at {} px", size), "tuned.top1", size, static_cast<double>(size * size) / own,
                       [size](Subject& subject, const EvaluationOptions& o) { return tuned_at(size, subject, o); },
                       true});
  steps.push_back({"heads", "diversity", model.height, 2,
                   [size = model.height](Subject& s, const EvaluationOptions& o) { return heads_at(size, s, o); },
                   false, kPicturesForHeads});
  if (masks && model.pool != Pooling::map)
    steps.push_back({"logit lens", "lens.miou", model.height, 2,
                     [size = model.height](Subject& s, const EvaluationOptions& o) { return lens_at(size, s, o); }});
  for (const double epsilon : comparison.epsilon) {
    const std::string name = fmt::format("fgsm{}", epsilon);
    steps.push_back({fmt::format("FGSM {}/255", epsilon), name + ".top1", model.height, 2 + kBackward,
                     [=, size = model.height](Subject& subject, const EvaluationOptions& o) {
                       return attacked_at(size, epsilon, name, subject, o);
                     }});
  }
  return steps;
}

double work_of(const Step& step, const ImageCounts& images) {
  const double seen =
      static_cast<double>(images.test) +
      (step.tunes ? static_cast<double>(kTuningFactors.size()) * static_cast<double>(images.held_out) : 0);
  return step.work * seen;
}

}  // namespace

Judgement judge(Subject& subject, long size, EvaluationOptions options) {
  const long classes = subject.model().config().classes;
  const bool sigmoid = subject.recipe().bce_loss;
  std::vector<Answer> answers;
  options.answered = [&](const Tensor& logits, const Tensor& labels) {
    for (long i = 0; i < labels.numel(); ++i)
      answers.push_back(answer_of(logits.host<float>() + i * classes, classes, labels.host<i64>()[i], sigmoid));
  };
  Loader loader = subject.loader(size);
  const Accuracy accuracy = evaluate(subject.model(), loader, options);
  return {accuracy, calibration_of(answers)};
}

std::string made_with(const Comparison& comparison) { return concat("test_images ", comparison.test_images); }

MeasuringWork measuring_work(const Comparison& comparison, const ViTConfig& model, const ImageCounts& images,
                             const Measurements& have) {
  MeasuringWork work;
  for (const Step& step : steps_of(comparison, model, images.masks)) {
    const double each = work_of(step, images);
    work.all += each;
    if (have.find(step.first_metric, step.size)) work.done += each;
  }
  return work;
}

bool measure(const Comparison& comparison, const std::string& checkpoint, bool masks, Measurements& have,
             const ComparisonWatch& watch) {
  std::optional<Subject> subject;
  for (const Step& step : steps_of(comparison, config_of(Safetensors(checkpoint)), masks)) {
    if (have.find(step.first_metric, step.size)) continue;
    if (watch.stop()) return false;
    if (!subject) subject.emplace(checkpoint, comparison.test_images);
    long told = 0;  // of this pass over images
    const auto more =
        step.run(*subject, {.progress =
                                [&](long done) {
                                  if (done < told) told = 0;
                                  watch.advance(step.work * static_cast<double>(done - told), step.detail);
                                  told = done;
                                },
                            .stop = watch.stop,
                            .note = watch.note});
    if (more.empty()) return false;
    have.add(more);
  }
  return true;
}

}  // namespace lookhere
