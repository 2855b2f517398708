// Pictures are those that the commands gallery, attend, masks and eval --reliability draw.
#include "vit/compare/run_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "tensor/file.h"
#include "tensor/machine.h"
#include "vit/compare/comparison.h"
#include "vit/compare/measure.h"
#include "vit/compare/report_numbers.h"
#include "vit/compare/report_pictures.h"
#include "vit/data/sources.h"
#include "vit/eval/attention_maps.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"
#include "vit/show/attention.h"
#include "vit/show/gallery.h"
#include "vit/show/html.h"
#include "vit/show/masks.h"
#include "vit/show/reliability.h"
#include "vit/show/training_curve.h"
#include "vit/train/checkpoint.h"

namespace lookhere {
namespace {

constexpr long kGallery = 40;

// Of the images as the loader gives them, one at a time.
std::vector<Prediction> predictions_of(Subject& subject, long size, long count) {
  const Dataset& data = subject.images(size);
  Loader loader(data, {.batch_size = 1, .image_height = size, .image_width = size});
  std::vector<Prediction> predictions;
  loader.start(0);
  Batch batch;
  for (long i = 0; i < count && loader.next(batch); ++i) {
    const Tensor logits = logits_of(subject.model(), batch.images);
    const float* row = logits.host<float>();
    const long best = std::max_element(row, row + data.classes) - row;
    const Answer answer = answer_of(row, data.classes, best, false);
    predictions.push_back({.index = i, .predicted = best, .probability = static_cast<float>(answer.confidence)});
  }
  return predictions;
}

void add_attention(HtmlPage& page, Subject& subject, long size) {
  const Dataset& data = subject.images(size);
  Loader loader(data, {.batch_size = 1, .image_height = size, .image_width = size});
  loader.start(0);
  Batch batch;
  if (!loader.next(batch)) return;
  const std::vector<std::uint8_t> seen = pixels_of(batch.images, {.mean = data.mean, .std = data.std});
  const AttentionMaps maps = attention_maps(subject.model(), batch.images);
  const float* row = maps.logits.host<float>();
  page.heading("Where its heads look");
  page.picture(
      attention_svg(maps, subject.model().config(),
                    {.title = "Attention in the first test image",
                     .answer = fmt::format("taken for: {}; it is: {}",
                                           data.class_names[std::max_element(row, row + data.classes) - row],
                                           data.class_names[data.labels[0]]),
                     .image = {.pixels = seen.data(), .channels = data.channels, .height = size, .width = size},
                     .patch = {}}),
      "Attention by layer and head in the first test image");
}

Judging judging_of(const RunReportOptions& asked, Subject& subject) {
  const ViTConfig& model = subject.model().config();
  check(model.height == model.width, "report: wanted a model of square images, got ", model.height, "x", model.width);
  check_judging(asked.sizes, asked.metrics);
  for (const long size : asked.sizes)
    check(size % model.patch == 0, "--sizes: wanted multiples of the patch size ", model.patch, ", got ", size);
  Judging judging{.sizes = asked.sizes.empty() ? usual_sizes(model.height, model.patch) : asked.sizes,
                  .masks = static_cast<bool>(subject.images(model.height).masks),
                  .groups = groups_of(asked.metrics)};
  judging.held_out = subject.recipe().holdout > 0;
  check_tuning(asked.metrics, judging.held_out);
  return judging;
}

void add_accuracy(HtmlPage& page, const Judgement& j, long images, bool sigmoid) {
  page.heading("Accuracy and calibration");
  page.table(
      fmt::format("On {} test images, with the weights of the last checkpoint, averaged where the recipe says so",
                  images),
      {{HtmlCell("measure"), "value"},
       {HtmlCell("top-1"), fmt::format("{:.2f} %", j.accuracy.top1)},
       {HtmlCell("top-5"), fmt::format("{:.2f} %", j.accuracy.top5)},
       {HtmlCell("cross-entropy"), fmt::format("{:.4f}", j.accuracy.loss)},
       {HtmlCell("ECE, 15 bins"), fmt::format("{:.2f} %", 100 * j.calibration.expected_error())}});
  page.picture(reliability_diagram(j.calibration, sigmoid ? "sigmoid" : "softmax"),
               "How often answers are right, by how sure the model is of them");
}

}  // namespace

bool write_run_report(const std::string& folder, const RunReportOptions& options, const RunReportWatch& watch) {
  const std::string checkpoint = checkpoint_path(folder);
  Subject subject(checkpoint, options.test_images);
  const Recipe& recipe = subject.recipe();
  const ViTConfig& config = subject.model().config();
  const Judging judging = judging_of(options, subject);
  const std::string name = recipe.position.empty() ? "this run" : variant_name(recipe);
  const TrainingState state = training_state_of(Safetensors(checkpoint));
  HtmlPage page(fmt::format("{} on {}", recipe.position.empty() ? "A run" : name, title_of_dataset(recipe.data)),
                fmt::format("{} parameters, {} blocks of {} features and {} heads, {}x{} patches; {} of {} epochs",
                            subject.model().parameter_count(), config.depth, config.dim, config.heads, config.grid().y,
                            config.grid().x, state.epoch, recipe.epochs));
  page.heading("Training");
  std::vector<std::string> charts;
  for (const Chart& chart : training_charts(read_summary_so_far(folder + "/summary.csv"), true))
    charts.push_back(line_charts({chart}));
  page.charts(charts);

  const long images = subject.images(config.height).size();
  Measurements numbers("", "");
  // Nothing but tuning needs training images.
  const bool tunes = judging.held_out && judging.groups.contains("tuned");
  const long held_out = tunes ? load_training_split(recipe).held.size() : 0;
  const Measuring measuring(judging, config, {.train = 0, .test = images, .held_out = held_out});
  const double each = measuring.forward_pass(), own = each * static_cast<double>(images);
  const double total = own + measuring.work();
  double done = own;
  const Judgement j =
      judge(subject, config.height,
            {.progress = [&](long seen) { watch.progress(each * static_cast<double>(seen), total, "calibration"); },
             .stop = watch.stop});
  if (j.accuracy.stopped) return false;
  add_accuracy(page, j, images, recipe.bce_loss);
  const auto advance = [&](double work, const std::string& detail) { watch.progress(done += work, total, detail); };
  if (!measuring.run([&]() -> Subject& { return subject; }, numbers,
                     {.advance = advance, .note = [](const std::string&) {}, .stop = watch.stop}))
    return false;
  add_numbers(page, {.variants = {name},
                     .models = {config},
                     .results = {{name, recipe.seed, numbers.all()}},
                     .sizes = judging.sizes});

  page.heading("Test images and answers");
  page.picture(
      gallery_svg(subject.images(config.height), predictions_of(subject, config.height, std::min(kGallery, images))),
      "The first test images with the model's answers");
  add_attention(page, subject, config.height);
  if (!add_pictures(page,
                    {.models = {{name, checkpoint}},
                     .sizes = judging.sizes,
                     .test_images = options.test_images,
                     .heading = "Where the model looks",
                     .whose = ""},
                    {.stop = watch.stop}))
    return false;
  if (!config.position->bias(config.position_sizes(), 0).empty()) {
    page.heading("What its heads may see");
    page.picture(masks_svg(trained_position_of(Safetensors(checkpoint)), config.heads, config.depth, config.grid()),
                 "Masks and penalties of the first layer, from the patch in the centre");
  }
  page.heading("The same again");
  page.code("lookhere train -c recipe.toml --output FOLDER");
  page.paragraph("with this recipe.toml:");
  page.code(to_toml(recipe));
  page.paragraph("Report made on: " + describe_cpu());
  write_atomically(folder + "/report.html", [&](FileWriter& out) { out.write(page.str()); });
  return true;
}

}  // namespace lookhere
