// The recipe is the checkpoint's, where the file is one, else the usual one.
#include "vit/cli/judge.h"

#include <cmath>

#include "tensor/file.h"
#include "tensor/system/signals.h"
#include "tensor/text.h"
#include "vit/compare/results.h"
#include "vit/model/json.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/show/plot.h"
#include "vit/show/progress.h"
#include "vit/train/checkpoint.h"

namespace lookhere {
namespace {

Judging judging_of(const Judged& asked, const ViTConfig& model, Subject& subject) {
  Judging judging{.sizes = {model.height},
                  .all_at_sizes = true,
                  .epsilon = asked.epsilon,
                  .pgd_steps = asked.attack_steps,
                  .pgd_step = asked.attack_step,
                  .groups = groups_of(asked.metrics)};
  if (!asked.sizes.empty()) judging.sizes.clear();
  for (const double size : asked.sizes) {
    check(size >= 1 && size <= 16384 && size == std::round(size) && static_cast<long>(size) % model.patch == 0,
          "--sizes: wanted multiples of the patch size ", model.patch, ", got ", size);
    judging.sizes.push_back(static_cast<long>(size));
  }
  judging.masks = static_cast<bool>(subject.images(model.height).masks);
  return judging;
}

// Top-1 by image size and, where something was tuned, with it.
void draw_curve(const std::string& path, const std::string& title, const Measurements& numbers) {
  Chart chart{.title = title, .x_label = "image size in pixels", .y_label = "top-1 in %", .series = {}};
  for (const auto& [metric, name] : {std::pair{"top1", "as trained"}, {"tuned.top1", "tuned"}}) {
    Series series{.name = name, .x = {}, .y = {}};
    for (const Measurement& m : numbers.all())
      if (m.metric == metric) series.x.push_back(static_cast<double>(m.size)), series.y.push_back(m.value);
    if (!series.x.empty()) chart.series.push_back(series);
  }
  write_atomically(path, [&](FileWriter& out) { out.write(line_charts({chart})); });
}

}  // namespace

std::string to_csv(const Safetensors& file, const std::vector<Measurement>& numbers) {
  std::string position = config_of(file).position->to_json().at("type"), seed;
  if (file.metadata().contains("recipe")) {
    const Recipe recipe = recipe_of(file);
    position = recipe.position, seed = std::to_string(recipe.seed);
  }
  return kResultsHeader + csv_lines(position, seed, numbers);
}

std::string judging_words() { return "all (but pgd), or by commas some of " + joined(judging_groups()); }

void judge_model(const Judged& asked) {
  const Safetensors file(asked.model);
  const ViTConfig model = config_of(file);
  check(model.height == model.width, "--metrics: wanted a model of square images, got ", model.height, "x",
        model.width);
  Recipe recipe = asked.how;
  recipe.data = asked.data;
  Subject subject(asked.model, recipe, asked.test_images);
  Judging judging = judging_of(asked, model, subject);
  // Nothing but tuning needs training images.
  const bool tunes = judging.groups.contains("tuned");
  const long held_out = tunes && recipe.holdout > 0 ? load_training_split(recipe).held.size() : 0;
  judging.held_out = held_out > 0;
  check_tuning(asked.metrics, judging.held_out);
  Measurements numbers("", "");
  const long test = subject.images(model.height).size();
  const Measuring measuring(judging, model, {.train = 0, .test = test, .held_out = held_out});
  say("{} test images{}\n", test, subject.averaged() ? ", averaged weights" : "");
  Progress progress("judge", std::lround(measuring.work()));
  double done = 0;
  note_stop_signals();
  const bool whole = measuring.run([&]() -> Subject& { return subject; }, numbers,
                                   {.advance =
                                        [&](double work, const std::string& detail) {
                                          done += work;
                                          progress.update(std::lround(done), detail);
                                        },
                                    .note = [&](const std::string& line) { progress.note(line); },
                                    .stop = asked_to_stop});
  if (!whole) throw Error("interrupted", Exit::interrupted);
  progress.finish();
  if (!asked.curve.empty()) draw_curve(asked.curve, asked.data + ", " + asked.model, numbers);
  if (asked.format == ResultFormat::csv) return write_to_stdout(to_csv(file, numbers.all()));
  if (asked.format == ResultFormat::json) {
    auto list = nlohmann::ordered_json::array();
    for (const Measurement& m : numbers.all())
      list.push_back({{"metric", m.metric}, {"size", m.size}, {"value", m.value}});
    print("{}\n", to_text(list));
    return;
  }
  for (const Measurement& m : numbers.all()) print("{:<20} {:>5} px {:>12.5g}\n", m.metric, m.size, m.value);
}

}  // namespace lookhere
