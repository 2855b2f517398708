// lookhere eval: accuracy of a model at the training or another resolution, how sure it is, and how easily misled.
#include "vit/eval/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/file.h"
#include "tensor/text.h"
#include "vit/cli/commands.h"
#include "vit/cli/judge.h"
#include "vit/cli/picture.h"
#include "vit/eval/attack.h"
#include "vit/eval/calibration.h"
#include "vit/eval/test_set.h"
#include "vit/model/json.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"
#include "vit/show/reliability.h"
#include "vit/train/checkpoint.h"

namespace lookhere {

namespace {

constexpr double kGreys = 255;  // --epsilon and --attack-step are in units of 1/255

class Eval : public Command {
 public:
  Page page() const override {
    return {.name = "eval",
            .summary = "Accuracy of a model on a test set, at any resolution; its calibration; attacks",
            .examples =
                "  lookhere eval --model runs/fashion/best.safetensors --data fashion\n"
                "  lookhere eval --model runs/fashion/best.safetensors --data fashion --img-size 56\n"
                "  lookhere eval --model best.safetensors --reliability reliability.svg\n"
                "  lookhere eval --model best.safetensors --metrics accuracy --sizes 28,56,112 --curve curve.svg\n"
                "  lookhere eval --model best.safetensors --metrics accuracy,pgd --sizes 28,56,112 --csv\n"
                "  lookhere eval --model best.safetensors --attack pgd --epsilon 1 3 --attack-steps 10"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file", .required = true, .file = File::model}, model);
    o.add({.names = "--data", .help = source_help(), .file = File::read}, data);
    add_picture_options(o, chosen);
    add_fields(o, drawn, {"glyphs-zoom", "on-bad-image"});
    o.add({.names = "-b,--batch-size", .help = "images at a time", .range = {1, 1 << 20}}, batch_size);
    o.add({.names = "-j,--workers", .help = "threads that prepare batches", .range = {1, 256}}, workers);
    const char* metrics_group = "Metrics";
    o.add({.names = "--metrics",
           .help = "instead, the numbers that compare has of each run: " + judging_words(),
           .group = metrics_group},
          metrics);
    o.add(
        {.names = "--sizes", .help = "of them: sides of the images (none given: the model's)", .group = metrics_group},
        sizes);
    o.add({.names = "--curve",
           .help = "of them: top-1 by size (svg), for --sizes",
           .group = metrics_group,
           .file = File::written},
          curve);
    o.add({.names = "--test-images",
           .help = "of them: look at as many, evenly spread (0: all)",
           .group = metrics_group,
           .range = {.low = 0}},
          test_images);
    add_global_slope(o, global_slope);
    add_device(o, device);
    o.add({.names = "--use-ema", .help = "the averaged weights of a checkpoint"}, use_ema);
    o.add({.names = "--json", .help = "one JSON object instead of a table"}, json);
    o.add({.names = "--csv", .help = "the lines of a results.csv instead of a table"}, csv);
    const char *calibration = "Calibration", *attacks = "Attacks";
    o.add(
        {.names = "--bce-loss",
         .help =
             "the model was trained with --bce-loss (those of a run say so themselves): confidences are sigmoids, and "
             "attacks raise that loss",
         .group = calibration},
        bce_loss);
    o.add({.names = "--reliability", .help = "reliability diagram (svg)", .group = calibration, .file = File::written},
          reliability);
    o.add({.names = "--attack", .help = "fgsm, or pgd (from the image itself); empty: none", .group = attacks}, attack);
    o.add({.names = "--epsilon", .help = "largest changes of a pixel, in 1/255", .group = attacks}, epsilon);
    o.add({.names = "--attack-steps", .help = "of pgd", .group = attacks, .range = {1, 10000}}, attack_steps);
    o.add({.names = "--attack-step",
           .help = "pgd's step, in 1/255 (0: 2.5 epsilon / steps)",
           .group = attacks,
           .range = {0, kGreys}},
          attack_step);
  }
  void run() const override;

 private:
  struct Results {
    Accuracy plain = {};
    Calibration calibration = {};
    std::vector<Accuracy> attacked = {};  // by epsilon
    long height = 0, width = 0;
    bool sigmoid = false;
  };
  ViT load(const Safetensors& file, Device on) const;
  Accuracy measure(ViT& vit, Loader& loader, long images, const std::string& label, EvaluationOptions options) const;
  void report(const Safetensors& file, const Results& r) const;
  bool measures(const char* group) const { return !metrics.empty() && groups_of(comma_list(metrics)).contains(group); }
  void check_attack() const;
  void check_metrics() const;

  std::string model, data = "fashion", reliability, attack, metrics, curve;
  DeviceChoice device;
  double global_slope = -1, attack_step = 0;
  PictureOptions chosen;
  long batch_size = 256, workers = 1, attack_steps = 10;
  std::vector<double> epsilon{1, 3}, sizes;
  long test_images = 0;
  bool use_ema = false, json = false, csv = false, bce_loss = false;
  Recipe drawn;
};

void Eval::check_attack() const {
  check(attack.empty() || attack == "fgsm" || attack == "pgd", "--attack: wanted fgsm or pgd, got ", shown(attack));
  check(!epsilon.empty(), "--epsilon: wanted at least one number");
  for (const double each : epsilon) check_range("--epsilon", {0, kGreys}, each);
  const Eval untouched;
  check(!attack.empty() || !metrics.empty() || epsilon == untouched.epsilon, "--epsilon: wanted --attack beside it");
  check(attack == "pgd" || measures("pgd") ||
            (attack_step == untouched.attack_step && attack_steps == untouched.attack_steps),
        "--attack-step and --attack-steps: wanted --attack pgd or --metrics pgd beside them");
}

// What would be left unsaid or undone is refused.
void Eval::check_metrics() const {
  const bool all = !metrics.empty();
  check(all || sizes.empty(), "--sizes: wanted --metrics beside it; one size is --img-size");
  check(curve.empty() || sizes.size() > 1, "--curve: wanted --metrics accuracy and several --sizes beside it");
  check(curve.empty() || measures("accuracy"), "--curve: wanted accuracy among --metrics, got ", shown(metrics));
  check(all || test_images == 0, "--test-images: wanted --metrics beside it");
  check(!csv || !json, "--csv: wanted without --json");
  for (const auto& [name, given] :
       std::initializer_list<std::pair<const char*, bool>>{{"--img-size", chosen.img_size > 0},
                                                           {"--size-rule", !chosen.size_rule.empty()},
                                                           {"--interpolation", !chosen.interpolation.empty()},
                                                           {"--crop-pct", chosen.crop_pct > 0},
                                                           {"--global-slope", global_slope >= 0},
                                                           {"--use-ema", use_ema},
                                                           {"--reliability", !reliability.empty()},
                                                           {"--attack", !attack.empty()}})
    check(!all || !given, "--metrics: measures as compare does, without ", name);
}

ViT Eval::load(const Safetensors& file, Device on) const {
  ViT vit = load_model(file, with_global_slope(config_of(file), global_slope), Dtype::f32, on);
  if (!use_ema) return vit;
  check(std::ranges::any_of(file.entries(), [](const auto& entry) { return entry.name.starts_with("ema."); }), model,
        ": has no averaged weights (train with --model-ema-decay)");
  load_weights(vit, file, "ema.");
  return vit;
}

Accuracy Eval::measure(ViT& vit, Loader& loader, long images, const std::string& label,
                       EvaluationOptions options) const {
  Progress progress(label, images);
  options.progress = [&](long done) { progress.update(done); };
  options.note = [&](const std::string& line) { progress.note(line); };
  const Accuracy result = evaluate(vit, loader, options);
  check(result.first_bad < 0, data, ": the model's answer to image ", result.first_bad, " is not finite");
  check(std::isfinite(result.loss), data, ": the loss is not finite");
  progress.finish();
  return result;
}

void Eval::run() const {
  check_attack();
  check_metrics();
  drawn.validate();
  const Device on = device.use();
  announce();
  const Safetensors file(model);
  Recipe how = recipe_behind(file);
  if (drawn.glyphs_zoom != Recipe().glyphs_zoom) how.glyphs_zoom = drawn.glyphs_zoom;
  if (drawn.on_bad_image != Recipe().on_bad_image) how.on_bad_image = drawn.on_bad_image;
  how.bce_loss = how.bce_loss || bce_loss;
  how.device = device.name, how.eval_batch_size = batch_size, how.workers = workers;
  if (!metrics.empty())
    return judge_model({.model = model,
                        .data = data,
                        .metrics = comma_list(metrics),
                        .sizes = sizes,
                        .epsilon = epsilon,
                        .attack_steps = attack_steps,
                        .attack_step = attack_step,
                        .test_images = test_images,
                        .curve = curve,
                        .format = csv    ? ResultFormat::csv
                                  : json ? ResultFormat::json
                                         : ResultFormat::table,
                        .how = how});
  ViT vit = load(file, on);
  const ViTConfig& config = vit.config();
  const InputSize size =
      input_size(config, chosen, preprocessing_of(file, config.channels).value_or(Preprocessing()).size_rule);
  Results r{.height = size.height.seen, .width = size.width.seen};
  check(!csv || r.height == r.width, "--csv: wanted square images, for it has one number for their size, got ",
        r.height, "x", r.width);
  r.sigmoid = how.bce_loss;
  DatasetOptions options = dataset_options(how);
  options.shapes_size = options.glyphs_size = size.height.resized;
  Dataset dataset = load_test_set(data, file, options);
  crop_as_chosen(dataset, config, size, chosen);
  Loader loader(dataset, {.batch_size = batch_size,
                          .image_height = size.height.resized,
                          .image_width = size.width.resized,
                          .workers = static_cast<int>(workers),
                          .device = on});
  const auto fit = [&](const Tensor& images, const Tensor&) { return fitted(images, r.height, r.width); };
  std::vector<Answer> answers;
  r.plain = measure(vit, loader, dataset.size(), "evaluate",
                    {.change = fit, .answered = [&](const Tensor& logits, const Tensor& labels) {
                       add_answers(answers, logits, labels, r.sigmoid);
                     }});
  r.calibration = calibration_of(answers);
  if (!attack.empty()) {
    Attack on_images(vit, {.mean = dataset.mean, .std = dataset.std}, r.sigmoid);
    for (const double each : epsilon) {
      const AttackOptions how{.epsilon = each / kGreys,
                              .steps = attack == "fgsm" ? 1 : attack_steps,
                              .step_size = attack == "fgsm" ? each / kGreys : attack_step / kGreys};
      const auto change = [&](const Tensor& images, const Tensor& labels) {
        return on_images(fitted(images, r.height, r.width), labels, how);
      };
      r.attacked.push_back(
          measure(vit, loader, dataset.size(), fmt::format("{} {}/255", attack, each), {.change = change}));
    }
  }
  if (!reliability.empty()) {
    const std::string svg = reliability_diagram(r.calibration, r.sigmoid ? "sigmoid" : "softmax");
    write_atomically(reliability, [&](FileWriter& out) { out.write(svg); });
  }
  if (const std::string note = dataset.skipped("test"); !note.empty()) say("note: {}\n", note);
  report(file, r);
}

void Eval::report(const Safetensors& file, const Results& r) const {
  const char* confidence = r.sigmoid ? "sigmoid" : "softmax";
  const double ece = r.calibration.expected_error();
  if (csv) {
    std::vector<Measurement> numbers{{"top1", r.height, r.plain.top1},
                                     {"top5", r.height, r.plain.top5},
                                     {"loss", r.height, r.plain.loss},
                                     {"ece", r.height, 100 * ece}};
    for (std::size_t i = 0; i < r.attacked.size(); ++i) {
      const std::string name = fmt::format("{}{}", attack, epsilon[i]);
      numbers.push_back({name + ".top1", r.height, r.attacked[i].top1});
      numbers.push_back({name + ".top5", r.height, r.attacked[i].top5});
    }
    return write_to_stdout(to_csv(file, numbers));
  }
  if (json) {
    // ASCII: whatever stands in a path, the terminal is safe and the JSON valid.
    nlohmann::ordered_json object{{"model", model},           {"data", data},         {"img_size", {r.height, r.width}},
                                  {"images", r.plain.images}, {"loss", r.plain.loss}, {"top1", r.plain.top1},
                                  {"top5", r.plain.top5},     {"ece", 100 * ece},     {"confidence", confidence}};
    auto attacks = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < r.attacked.size(); ++i)
      attacks.push_back({{"attack", attack},
                         {"epsilon", epsilon[i]},
                         {"loss", r.attacked[i].loss},
                         {"top1", r.attacked[i].top1},
                         {"top5", r.attacked[i].top5}});
    if (!attack.empty()) object["attacks"] = attacks;
    print("{}\n", to_text(object));
    return;
  }
  print("images {}\nsize   {}x{}\nloss   {:.4f}\ntop-1  {:.2f} %\ntop-5  {:.2f} %\n", r.plain.images, r.height, r.width,
        r.plain.loss, r.plain.top1, r.plain.top5);
  print("ECE    {:.2f} % ({}, {} bins)\n", 100 * ece, confidence, r.calibration.bins.size());
  for (std::size_t i = 0; i < r.attacked.size(); ++i)
    print("{:<6} {}/255: top-1 {:.2f} %, top-5 {:.2f} %\n", attack, epsilon[i], r.attacked[i].top1, r.attacked[i].top5);
  if (!reliability.empty()) print("{}\n", reliability);
}

}  // namespace

std::unique_ptr<Command> make_eval() { return std::make_unique<Eval>(); }

}  // namespace lookhere
