// Every number of Measuring on models whose answers a few lines can compute: one answers the same whatever it sees, one
// by the mean of the pixels.
#include "vit/compare/measure.h"

#include <cmath>

#include "tests/vit/data_files.h"
#include "vit/data/augment.h"
#include "vit/eval/corruption.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

constexpr long kSide = 16, kPatch = 4, kAcross = kSide / kPatch, kClasses = 8, kDim = 4, kImages = 64;
const Preprocessing kPixels{.mean = {0.5F, 0.5F, 0.5F}, .std = {0.25F, 0.25F, 0.25F}};

// Class c is the likeliest of a brightness of about level(c).
double level(long c) { return 0.25 * static_cast<double>(c) - 0.875; }
constexpr double kSharpness = 8;

// A token is (brightness of its patch, 1, 0.5, -0.25), and every block adds to its brightness: attention and the MLP
// pass nothing on but the MLP's bias.
constexpr std::array kToken{0.0, 1.0, 0.5, -0.25};
constexpr std::array kAdded{0.5, -0.375};
// What the queries of a head ask for in each layer, of the brightness among the keys.
constexpr double kAsked[2][2]{{0, 3}, {2, -2}};

// The answers: those of brightness, or the same always.
enum class Kind { brightness, constant };

ViT model_of(Kind kind, long channels) {
  ViT model({.height = kSide,
             .width = kSide,
             .patch = kPatch,
             .channels = channels,
             .classes = kClasses,
             .dim = kDim,
             .depth = 2,
             .heads = 2,
             .mlp_ratio = 1,
             .pool = Pooling::mean,
             .final_norm = FinalNorm::none,
             .class_token = false,
             .position = position_preset("none")});
  const long pixels = channels * kPatch * kPatch;
  for_each_parameter(model, [&](const std::string& name, Var& v) {
    std::vector<float> values(v.value().numel(), name.ends_with("norm1.weight") ? 1 : 0);
    const long layer = name.starts_with("blocks.1") ? 1 : 0;
    if (name == "patch_embed.proj.weight") std::fill_n(values.begin(), pixels, 1 / static_cast<float>(pixels));
    if (name == "patch_embed.proj.bias") values.assign(kToken.begin(), kToken.end());
    if (name.ends_with("attn.qkv.bias")) values[0] = kAsked[layer][0], values[2] = kAsked[layer][1];
    if (name.ends_with("attn.qkv.weight")) values[4 * kDim] = values[6 * kDim] = 1;  // the first number of each key
    if (name.ends_with("mlp.fc2.bias")) values[0] = kAdded[layer];
    for (long c = 0; c < kClasses; ++c) {
      if (name == "head.weight" && kind == Kind::brightness) values[c * kDim] = kSharpness * level(c);
      if (name == "head.bias")
        values[c] = kind == Kind::constant
                        ? 0.25 * static_cast<double>(c)
                        : -kSharpness * (level(c) * level(c) / 2 + (kAdded[0] + kAdded[1]) * level(c));
    }
    v.set_value(from_vector(values, v.shape()));
  });
  return model;
}

using Picture = std::vector<double>;  // normalised, (channels, side, side)
struct Labelled {
  Picture picture;
  long label;
};

double mean_of(const Picture& p) {
  double sum = 0;
  for (const double x : p) sum += x;
  return sum / static_cast<double>(p.size());
}

std::vector<double> logits_of(Kind kind, double brightness, double added = 0) {
  std::vector<double> logits;
  for (long c = 0; c < kClasses; ++c)
    logits.push_back(kind == Kind::constant ? 0.25 * static_cast<double>(c)
                                            : kSharpness * level(c) * (brightness + added - level(c) / 2));
  return logits;
}

std::vector<double> softmax_of(std::vector<double> logits) {
  double sum = 0;
  for (double& x : logits) sum += x = std::exp(x);
  for (double& x : logits) x /= sum;
  return logits;
}

long best_of(const std::vector<double>& logits) { return std::ranges::max_element(logits) - logits.begin(); }

// Percent of labels among the `first` likeliest classes.
double accuracy_of(Kind kind, const std::vector<Labelled>& all, long first = 1) {
  double hits = 0;
  for (const auto& [picture, label] : all) {
    const std::vector<double> logits = logits_of(kind, mean_of(picture));
    const double own = logits[label];
    hits += std::ranges::count_if(logits, [&](double x) { return x > own; }) < first ? 1 : 0;
  }
  return 100 * hits / static_cast<double>(all.size());
}

std::vector<Labelled> changed(std::vector<Labelled> all, const std::function<void(Picture&, long label)>& change) {
  for (Labelled& each : all) change(each.picture, each.label);
  return all;
}

double shifted_accuracy(Kind kind, const std::vector<Labelled>& all, long dy, long dx) {
  return accuracy_of(kind, changed(all, [&](Picture& p, long) {
                       const Picture before = p;
                       for (long y = 0; y < kSide; ++y)
                         for (long x = 0; x < kSide; ++x) {
                           const long from_y = y - dy, from_x = x - dx;
                           const bool inside = from_y >= 0 && from_y < kSide && from_x >= 0 && from_x < kSide;
                           p[y * kSide + x] = inside ? before[from_y * kSide + from_x] : 0;
                         }
                     }));
}

// Every pixel has a gradient of the same sign: Σ (softmax - label) level.
double attacked_accuracy(const std::vector<Labelled>& all, double epsilon, int steps, double step) {
  return accuracy_of(Kind::brightness, changed(all, [&](Picture& picture, long label) {
                       const Picture before = picture;
                       for (int i = 0; i < steps; ++i) {
                         const auto p = softmax_of(logits_of(Kind::brightness, mean_of(picture)));
                         double slope = -level(label);
                         for (long c = 0; c < kClasses; ++c) slope += p[c] * level(c);
                         for (std::size_t k = 0; k < picture.size(); ++k) {
                           const double was = before[k] / 4 + 0.5, pixel = picture[k] / 4 + 0.5;
                           const double moved =
                               std::clamp(pixel + (slope > 0 ? step : -step), was - epsilon, was + epsilon);
                           picture[k] = 4 * (std::clamp(moved, 0.0, 1.0) - 0.5);
                         }
                       }
                     }));
}

class Measure : public ::testing::Test {
 protected:
  // Pictures brighter towards some side, of a brightness that is about the label's, written as a data set.
  void SetUp() override {
    Rng rng(299, Purpose::test);
    std::string pixels = idx_header({kImages, kSide, kSide}), labels = idx_header({kImages});
    for (long i = 0; i < kImages; ++i) {
      const long label = i % kClasses;
      const double base = level(label) + rng.uniform(-0.2F, 0.2F), down = rng.uniform(-2, 2),
                   right = rng.uniform(-2, 2);
      Labelled& image = images_.emplace_back();
      image.label = label;
      for (long k = 0; k < kSide * kSide; ++k) {
        const double x = base + down * (static_cast<double>(k / kSide) / kSide - 0.5) +
                         right * (static_cast<double>(k % kSide) / kSide - 0.5) + rng.uniform(-0.5F, 0.5F);
        const auto byte = static_cast<std::uint8_t>(std::clamp(255 * (x / 4 + 0.5), 0.0, 255.0));
        pixels += static_cast<char>(byte);
        image.picture.push_back(Normalise(0.5F, 0.25F)(byte));
      }
      labels += static_cast<char>(label);
    }
    write_file(folder_ / "t10k-images-idx3-ubyte", pixels), write_file(folder_ / "t10k-labels-idx1-ubyte", labels);
  }

  // With batches that do not divide the images, or one of all; and progress is whole at the end.
  Measurements measured(Kind kind, const std::vector<std::string>& groups, const Recipe& recipe, long test_images = 0,
                        const std::function<void(Judging&)>& change = {}) {
    const long channels = recipe.data == "shapes" ? 3 : 1;
    ViT model = model_of(kind, channels);
    Preprocessing pixels = kPixels;
    pixels.mean.resize(channels), pixels.std.resize(channels);
    save_model(folder_ / "model.safetensors", model, {{"preprocessing", to_json(pixels)}});
    Subject subject(folder_ / "model.safetensors", recipe, test_images);
    Judging judging{.sizes = {kSide}, .epsilon = {40}, .masks = true, .groups = groups_of(groups)};
    if (change) change(judging);
    Measurements numbers("", "");
    const ImageCounts images{.train = 0, .test = subject.images(kSide).size(), .held_out = 0};
    const Measuring measuring(judging, model.config(), images);
    double told = 0;
    EXPECT_TRUE(measuring.run([&]() -> Subject& { return subject; }, numbers,
                              {.advance = [&](double done, const std::string&) { told += done; },
                               .note = [](const std::string&) {},
                               .stop = [] { return false; }}));
    EXPECT_NEAR(told, measuring.work(), 1e-9 * told) << "a progress bar would not end at 100 %";
    EXPECT_EQ(measuring.work_done(numbers), measuring.work());
    EXPECT_TRUE(measuring.is_done(numbers));
    return numbers;
  }
  Measurements measured(Kind kind, const std::vector<std::string>& groups,
                        const std::function<void(Judging&)>& change = {}) {
    Recipe recipe;
    recipe.data = folder_.path().string(), recipe.eval_batch_size = kind == Kind::constant ? kImages : 5;
    return measured(kind, groups, recipe, 0, change);
  }
  static double of(const Measurements& numbers, const std::string& metric) {
    const auto found = numbers.find(metric, kSide);
    EXPECT_TRUE(found) << metric;
    return found.value_or(-1);
  }

  TemporaryFolder folder_;
  std::vector<Labelled> images_;
};

TEST_F(Measure, AModelThatAnswersTheSameAlways) {
  const Measurements got = measured(Kind::constant, {"accuracy", "shift", "corruptions", "fgsm", "pgd"},
                                    [](Judging& j) { j.pgd_steps = 2; });
  // It takes all for class 7, which one of 8 are, and 3 to 7 for the likeliest five.
  double sum = 0, loss = 0;
  for (long c = 0; c < kClasses; ++c) sum += std::exp(0.25 * static_cast<double>(c));
  for (long c = 0; c < kClasses; ++c) loss += (std::log(sum) - 0.25 * static_cast<double>(c)) / kClasses;
  EXPECT_NEAR(of(got, "loss"), loss, 1e-6);
  EXPECT_NEAR(of(got, "ece"), 100 * (std::exp(1.75) / sum - 0.125), 1e-4);
  for (const Measurement& m : got.all()) {
    if (m.metric == "loss" || m.metric == "ece") continue;
    EXPECT_DOUBLE_EQ(m.value, m.metric.ends_with("top5") ? 62.5 : 12.5) << m.metric;
  }
  EXPECT_EQ(std::ssize(got.all()), 4 + 1 + 4 * 6 + 2 * 2);
}

TEST_F(Measure, AccuracyAndCalibration) {
  const Measurements got = measured(Kind::brightness, {"accuracy"});
  double loss = 0, bins[15][3]{};  // answers, confidence, right ones
  for (const auto& [picture, label] : images_) {
    const std::vector<double> p = softmax_of(logits_of(Kind::brightness, mean_of(picture)));
    loss -= std::log(p[label]) / kImages;
    const long best = best_of(p);
    double* bin = bins[static_cast<long>(std::ceil(15 * p[best])) - 1];
    bin[0] += 1, bin[1] += p[best], bin[2] += best == label;
  }
  double ece = 0;
  for (const auto& bin : bins) ece += 100 * std::abs(bin[2] - bin[1]) / kImages;
  const double top1 = accuracy_of(Kind::brightness, images_), top5 = accuracy_of(Kind::brightness, images_, 5);
  EXPECT_TRUE(25 < top1 && top1 < 100) << top1;
  EXPECT_DOUBLE_EQ(of(got, "top1"), top1);
  EXPECT_DOUBLE_EQ(of(got, "top5"), top5);
  EXPECT_NEAR(of(got, "loss"), loss, 1e-5);
  EXPECT_NEAR(of(got, "ece"), ece, 1e-3);
}

// Any direction in the place of another would make another mean.
TEST_F(Measure, ShiftsAreTheMeanOfEightDirections) {
  std::set<double> different;
  double sum = 0;
  for (long dy = -1; dy <= 1; ++dy)
    for (long dx = -1; dx <= 1; ++dx) {
      if (dy == 0 && dx == 0) continue;
      const double here = shifted_accuracy(Kind::brightness, images_, 2 * dy, 2 * dx);
      sum += here, different.insert(here);
    }
  EXPECT_EQ(different.size(), 8U);
  EXPECT_NEAR(of(measured(Kind::brightness, {"shift"}), "shifted"), sum / 8, 1e-9);
}

TEST_F(Measure, CorruptionsAreTheMeanOfFiveStrengths) {
  const Measurements got = measured(Kind::brightness, {"corruptions"});
  const Preprocessing one{.mean = {0.5F}, .std = {0.25F}};
  for (const Corruption kind : {Corruption::noise, Corruption::blur, Corruption::contrast, Corruption::jpeg}) {
    double sum = 0;
    const std::string name = concat("corrupted.", name_of(kind));
    for (long strength = 1; strength <= 5; ++strength) {
      const double here =
          accuracy_of(Kind::brightness, changed(images_, [&](Picture& p, long) {
                        const Tensor x = from_vector(std::vector<float>(p.begin(), p.end()), {1, 1, kSide, kSide});
                        const auto y = to_vector<float>(corrupted(x, one, kind, strength));
                        p.assign(y.begin(), y.end());
                      }));
      EXPECT_NEAR(of(got, concat(name, '.', strength)), here, 1e-9) << name << strength;
      sum += here;
    }
    EXPECT_NEAR(of(got, name), sum / 5, 1e-9);
  }
  // Noise makes the answers others: those of the means stay where contrast is lowered about them.
  EXPECT_NE(of(got, "corrupted.noise.5"), of(got, "corrupted.noise.1"));
  EXPECT_DOUBLE_EQ(of(got, "corrupted.contrast"), accuracy_of(Kind::brightness, images_));
}

TEST_F(Measure, Attacks) {
  const double plain = accuracy_of(Kind::brightness, images_);
  for (const double e : {1.0, 3.0, 40.0}) {
    const Measurements got =
        measured(Kind::brightness, {"fgsm", "pgd"}, [&](Judging& j) { j.epsilon = {e}, j.pgd_steps = 2; });
    const std::string of_e = std::to_string(static_cast<int>(e)) + ".top1";
    const double fgsm = attacked_accuracy(images_, e / 255, 1, e / 255);
    EXPECT_NEAR(of(got, "fgsm" + of_e), fgsm, 1e-9) << e;
    EXPECT_NEAR(of(got, "pgd" + of_e), attacked_accuracy(images_, e / 255, 2, 1.25 * e / 255), 1e-9) << e;
    EXPECT_LE(fgsm, plain);
  }
  // Of smaller steps than epsilon.
  const Measurements small =
      measured(Kind::brightness, {"pgd"}, [](Judging& j) { j.epsilon = {20}, j.pgd_steps = 2, j.pgd_step = 1.5; });
  EXPECT_NEAR(of(small, "pgd20.top1"), attacked_accuracy(images_, 20. / 255, 2, 1.5 / 255), 1e-9);
  EXPECT_NE(attacked_accuracy(images_, 20. / 255, 2, 1.5 / 255), attacked_accuracy(images_, 20. / 255, 2, 25. / 255));
}

// Queries ask all for the same, so that a head has one row: softmax(asked · LayerNorm(token)[0] / √2).
TEST_F(Measure, HeadsByLayerAndTheirMean) {
  double want[3][2]{};  // diversity, distance, similarity
  const auto entropy = [](const std::vector<double>& row) {
    double sum = 0;
    for (const double p : row) sum -= p * std::log(p);
    return sum;
  };
  constexpr long kPatches = kAcross * kAcross;
  for (const Labelled& image : images_)
    for (long layer = 0; layer < 2; ++layer) {
      std::vector<std::array<double, kDim>> tokens(kPatches, {0, kToken[1], kToken[2], kToken[3]});
      for (long k = 0; k < kSide * kSide; ++k)
        tokens[k / kSide / kPatch * kAcross + k % kSide / kPatch][0] += image.picture[k] / (kPatch * kPatch);
      if (layer == 1)
        for (auto& token : tokens) token[0] += kAdded[0];
      std::vector<double> rows[2], mean(kPatches);
      for (long head = 0; head < 2; ++head) {
        for (const auto& t : tokens) {
          const double middle = (t[0] + t[1] + t[2] + t[3]) / 4;
          double variance = 0;
          for (const double x : t) variance += (x - middle) * (x - middle) / 4;
          rows[head].push_back(kAsked[layer][head] * (t[0] - middle) / std::sqrt(variance + 1e-6) / std::sqrt(2.0));
        }
        rows[head] = softmax_of(rows[head]);
        for (long key = 0; key < kPatches; ++key) {
          mean[key] += rows[head][key] / 2;
          for (long query = 0; query < kPatches; ++query)
            want[1][layer] += rows[head][key] / 2 / kPatches / kImages *
                              std::hypot(key / kAcross - query / kAcross, key % kAcross - query % kAcross);
        }
      }
      want[0][layer] += (entropy(mean) - (entropy(rows[0]) + entropy(rows[1])) / 2) / kImages;
      for (auto& token : tokens) token[0] += kAdded[layer];
      for (long i = 0; i < kPatches; ++i)
        for (long j = 0; j < i; ++j) {
          double product = 0, a = 0, b = 0;
          for (long f = 0; f < kDim; ++f)
            product += tokens[i][f] * tokens[j][f], a += tokens[i][f] * tokens[i][f], b += tokens[j][f] * tokens[j][f];
          want[2][layer] += product / std::sqrt(a * b) / (kPatches * (kPatches - 1) / 2.) / kImages;
        }
    }
  const Measurements got = measured(Kind::brightness, {"heads"});
  const char* names[]{"diversity", "distance", "similarity"};
  for (int i = 0; i < 3; ++i) {
    EXPECT_GT(std::abs(want[i][0] - want[i][1]), 1e-3) << names[i];
    for (long layer = 0; layer < 2; ++layer)
      EXPECT_NEAR(of(got, concat(names[i], '.', layer)), want[i][layer], 1e-5) << names[i] << layer;
    EXPECT_NEAR(of(got, names[i]), (want[i][0] + want[i][1]) / 2, 1e-5) << names[i];
  }
}

// Of 16 of 64 drawn images, whose masks are found by their pixels.
TEST_F(Measure, TheLogitLensAndItsMasks) {
  Recipe recipe;
  recipe.data = "shapes", recipe.shapes_test = 64, recipe.eval_batch_size = 4;
  const Measurements got = measured(Kind::brightness, {"lens"}, recipe, 16);
  const Dataset all = load_dataset("shapes", false, {.shapes_size = kSide, .shapes_test = 64});
  double hits[2][kClasses]{}, labelled[kClasses]{}, taken[2][kClasses]{};
  // Of 64 images ordered by class every fourth: the subset's choice.
  std::vector<long> order(64);
  for (long i = 0; i < 64; ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](long i) { return all.labels[i]; });
  for (long place = 0; place < 64; place += 4) {
    const long i = order[place], label = all.labels[i];
    std::vector<std::uint8_t> buffer;
    const Image image = all.read(i, buffer);
    const std::vector<std::uint8_t> mask = all.masks(i);
    for (long patch = 0; patch < kAcross * kAcross; ++patch) {
      double brightness = 0;
      long inside = 0;
      for (long y = patch / kAcross * kPatch; y < (patch / kAcross + 1) * kPatch; ++y)
        for (long x = patch % kAcross * kPatch; x < (patch % kAcross + 1) * kPatch; ++x) {
          inside += mask[y * kSide + x] == 1;
          for (long c = 0; c < 3; ++c)
            brightness += (image.pixels[(c * kSide + y) * kSide + x] / 255. - 0.5) * 4 / (3 * kPatch * kPatch);
        }
      if (2 * inside < kPatch * kPatch) continue;
      ++labelled[label];
      // The head takes what both blocks have added away.
      for (long layer = 0; layer < 2; ++layer) {
        const long best = best_of(logits_of(Kind::brightness, brightness, layer == 0 ? -kAdded[1] : 0));
        ++taken[layer][best], hits[layer][best] += best == label;
      }
    }
  }
  double want[2]{};
  for (long layer = 0; layer < 2; ++layer) {
    double classes = 0;
    for (long c = 0; c < kClasses; ++c)
      if (const double either = labelled[c] + taken[layer][c] - hits[layer][c]; either > 0)
        want[layer] += 100 * hits[layer][c] / either, ++classes;
    want[layer] /= classes;
    EXPECT_GT(want[layer], 0);
  }
  EXPECT_NE(want[0], want[1]);
  EXPECT_NEAR(of(got, "lens.miou.0"), want[0], 1e-9);
  EXPECT_NEAR(of(got, "lens.miou.1"), want[1], 1e-9);
  EXPECT_EQ(of(got, "lens.miou"), of(got, "lens.miou.1"));
}

}  // namespace
}  // namespace lookhere
