// A list of steps per run: each gives some numbers, and those that the run's folder holds already are left out.
#include "vit/compare/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "tensor/text.h"
#include "vit/compare/subject.h"
#include "vit/compare/tune.h"
#include "vit/data/subset.h"
#include "vit/eval/attack.h"
#include "vit/eval/corruption.h"
#include "vit/eval/heads.h"
#include "vit/eval/logit_lens.h"

namespace lookhere {
namespace {

constexpr std::array<std::pair<long, long>, 8> kDirections{
    {{-1, -1}, {-1, 0}, {-1, 1}, {0, -1}, {0, 1}, {1, -1}, {1, 0}, {1, 1}}};
constexpr double kGreys = 255;

// The work of a forward and a backward pass, in forward passes.
constexpr double kTrainingPass = 3;
using Step = Measuring::Step;

// A model whose answers are not finite has none that could be measured.
Accuracy accuracy_of(ViT& model, Loader& loader, long size, const EvaluationOptions& options) {
  Accuracy a = evaluate(model, loader, options);
  if (a.first_bad >= 0)
    throw Error(concat("the model's answer to test image ", a.first_bad, " at ", size, " px is not finite"),
                Exit::diverged);
  return a;
}

std::vector<Measurement> accuracy_at(long size, Subject& subject, const EvaluationOptions& options) {
  const Judgement j = judge(subject, size, options);
  if (j.accuracy.stopped) return {};
  return {{"top1", size, j.accuracy.top1},
          {"top5", size, j.accuracy.top5},
          {"loss", size, j.accuracy.loss},
          {"ece", size, 100 * j.calibration.expected_error()}};
}

std::vector<Measurement> attacked_at(long size, const AttackOptions& how, const std::string& name, Subject& subject,
                                     EvaluationOptions options) {
  const Dataset& images = subject.images(size);
  Attack attack(subject.model(), {.mean = images.mean, .std = images.std}, subject.recipe().bce_loss);
  options.change = [&](const Tensor& batch, const Tensor& labels) { return attack(batch, labels, how); };
  Loader loader = subject.loader(size);
  const Accuracy a = accuracy_of(subject.model(), loader, size, options);
  if (a.stopped) return {};
  return {{name + ".top1", size, a.top1}, {name + ".top5", size, a.top5}};
}

// Tuned on held-out images, then judged on test images.
std::vector<Measurement> tuned_at(long size, Subject& subject, const EvaluationOptions& options) {
  const auto [option, own, factors] = *subject.model().config().position->tunable();
  const auto factor = best_factor(factors, [&, own = own](double each) {
    ViT model = subject.tuned(own * each);
    Loader loader = subject.loader(size, Images::held_out);
    return accuracy_of(model, loader, size, options);
  });
  if (!factor) return {};
  ViT model = subject.tuned(own * *factor);
  Loader loader = subject.loader(size);
  const Accuracy a = accuracy_of(model, loader, size, options);
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

// Top-1 with every batch changed.
std::optional<double> top1_of(Subject& subject, long size, EvaluationOptions options,
                              const std::function<Tensor(const Tensor&)>& change) {
  options.change = [&](const Tensor& batch, const Tensor&) { return change(batch.to(Device::cpu)).to(batch.device()); };
  Loader loader = subject.loader(size);
  const Accuracy a = accuracy_of(subject.model(), loader, size, options);
  return a.stopped ? std::nullopt : std::optional(a.top1);
}

// The mean over all strengths, and each.
std::vector<Measurement> corrupted_at(long size, Corruption corruption, Subject& subject,
                                      const EvaluationOptions& options) {
  const Dataset& images = subject.images(size);
  const Preprocessing constants{.mean = images.mean, .std = images.std};
  const std::string name = concat("corrupted.", name_of(corruption));
  std::vector<Measurement> all{{name, size, 0}};
  for (long strength = 1; strength <= kStrengths; ++strength) {
    const auto top1 = top1_of(subject, size, options,
                              [&](const Tensor& batch) { return corrupted(batch, constants, corruption, strength); });
    if (!top1) return {};
    all[0].value += *top1 / kStrengths;
    all.push_back({fmt::format("{}.{}", name, strength), size, *top1});
  }
  return all;
}

// The mean over the eight directions, by an eighth of the side.
std::vector<Measurement> shifted_at(long size, Subject& subject, const EvaluationOptions& options) {
  const long by = std::max(1L, size / 8);
  double mean = 0;
  for (const auto& [dy, dx] : kDirections) {
    const auto top1 = top1_of(subject, size, options,
                              [&, dy = dy * by, dx = dx * by](const Tensor& batch) { return shifted(batch, dy, dx); });
    if (!top1) return {};
    mean += *top1 / static_cast<double>(kDirections.size());
  }
  return {{"shifted", size, mean}};
}

// What is measured at one size besides accuracy. work: of a forward pass.
void add_steps_at(long side, double work, const Judging& judging, const ViTConfig& model, std::vector<Step>& steps) {
  steps.push_back({"heads", "heads", "diversity", side, 2 * work,
                   [side](Subject& s, const EvaluationOptions& o) { return heads_at(side, s, o); }, 1, 0,
                   kPicturesForHeads});
  if (judging.masks && model.pool != Pooling::map)
    steps.push_back({"lens", "logit lens", "lens.miou", side, 2 * work,
                     [side](Subject& s, const EvaluationOptions& o) { return lens_at(side, s, o); }});
  steps.push_back({"shift", "shifted", "shifted", side, work,
                   [side](Subject& s, const EvaluationOptions& o) { return shifted_at(side, s, o); },
                   std::ssize(kDirections)});
  for (const Corruption corruption : kCorruptions)
    if (corruption != Corruption::jpeg || model.channels == 1 || model.channels == 3)
      steps.push_back({"corruptions", name_of(corruption), concat("corrupted.", name_of(corruption)), side, work,
                       [=](Subject& s, const EvaluationOptions& o) { return corrupted_at(side, corruption, s, o); },
                       kStrengths});
  const auto add_attack = [&](const char* group, const char* title, double epsilon, long passes, double step) {
    const std::string name = fmt::format("{}{}", group, epsilon);
    const AttackOptions how{.epsilon = epsilon / kGreys, .steps = passes, .step_size = step / kGreys};
    steps.push_back({group, fmt::format("{} {}/255", title, epsilon), name + ".top1", side,
                     (kTrainingPass * static_cast<double>(passes) + 1) * work,
                     [=](Subject& s, const EvaluationOptions& o) { return attacked_at(side, how, name, s, o); }});
  };
  for (const double epsilon : judging.epsilon) add_attack("fgsm", "FGSM", epsilon, 1, epsilon);
  for (const double epsilon : judging.epsilon) add_attack("pgd", "PGD", epsilon, judging.pgd_steps, judging.pgd_step);
}

double forward_work(const ViTConfig& model, long side) {
  return multiply_adds(model, {side / model.patch, side / model.patch}) / 1e6;
}

std::vector<Step> steps_of(const Judging& judging, const ViTConfig& model) {
  const long side = model.height;
  std::map<long, double> work{{side, forward_work(model, side)}};
  for (const long size : judging.sizes) work[size] = forward_work(model, size);
  std::vector<Step> steps;
  for (const long size : judging.sizes)
    steps.push_back({"accuracy", fmt::format("{} px", size), "top1", size, work[size],
                     [size](Subject& s, const EvaluationOptions& o) { return accuracy_at(size, s, o); }});
  const auto tunable = model.position->tunable();
  for (const long size : judging.sizes)
    if (judging.held_out && tunable && tunable->value > 0 && size != side)
      steps.push_back({"tuned", fmt::format("tuning at {} px", size), "tuned.top1", size, work[size],
                       [size](Subject& s, const EvaluationOptions& o) { return tuned_at(size, s, o); }, 1,
                       std::ssize(tunable->factors)});
  for (const long size : judging.all_at_sizes ? judging.sizes : std::vector{side})
    add_steps_at(size, work[size], judging, model, steps);
  std::erase_if(steps, [&](const Step& step) { return !judging.groups.contains(step.group); });
  return steps;
}

}  // namespace

Judgement judge(Subject& subject, long size, EvaluationOptions options) {
  std::vector<Answer> answers;
  options.answered = [&](const Tensor& logits, const Tensor& labels) {
    add_answers(answers, logits, labels, subject.recipe().bce_loss);
  };
  Loader loader = subject.loader(size);
  const Accuracy accuracy = accuracy_of(subject.model(), loader, size, options);
  return {accuracy, calibration_of(answers)};
}

std::vector<std::string> judging_groups() {
  return {"accuracy", "tuned", "heads", "lens", "shift", "corruptions", "fgsm", "pgd"};
}

std::set<std::string> groups_of(const std::vector<std::string>& words) {
  const std::vector<std::string> known = judging_groups();
  std::set<std::string> groups;
  for (const std::string& word : words.empty() ? std::vector<std::string>{"all"} : words)
    if (word == "all") {
      groups.insert(known.begin(), known.end() - 1);
    } else {
      check(std::ranges::find(known, word) != known.end(), "--metrics: wanted all or some of ", joined(known), ", got ",
            shown(word));
      groups.insert(word);
    }
  return groups;
}

Measuring::Measuring(const Judging& judging, const ViTConfig& model, const ImageCounts& images)
    : steps_(steps_of(judging, model)), images_(images), forward_pass_(forward_work(model, model.height)) {}

double Measuring::training_pass() const { return kTrainingPass * forward_pass_; }

double Measuring::work_of(const Step& step) const {
  const long test = step.images ? std::min(step.images, images_.test) : images_.test;
  return step.work * static_cast<double>(step.passes * test + step.tuning_passes * images_.held_out);
}

double Measuring::work() const {
  double all = 0;
  for (const Step& step : steps_) all += work_of(step);
  return all;
}

double Measuring::work_done(const Measurements& have) const {
  double done = 0;
  for (const Step& step : steps_)
    if (have.find(step.first_metric, step.size)) done += work_of(step);
  return done;
}

bool Measuring::is_done(const Measurements& have) const {
  return std::ranges::all_of(steps_,
                             [&](const Step& step) { return have.find(step.first_metric, step.size).has_value(); });
}

bool Measuring::run(const std::function<Subject&()>& subject, Measurements& have, const ComparisonWatch& watch) const {
  for (const Step& step : steps_) {
    if (have.find(step.first_metric, step.size)) continue;
    if (watch.stop()) return false;
    long told = 0;  // of this pass over images
    const auto more =
        step.run(subject(), {.progress =
                                 [&](long done) {
                                   if (done <= told) told = 0;  // the next pass
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
