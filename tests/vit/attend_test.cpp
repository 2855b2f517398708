// Attention made visible: rows and rollout against sums over all pairs in f64, the picture, the command.
#include "tests/vit/mistakes.h"
#include "tests/vit/model_cases.h"
#include "tests/vit/show_pictures.h"
#include "vit/eval/attention_maps.h"
#include "vit/model/preprocessing.h"
#include "vit/show/attention.h"
#include "vit/show/png.h"

namespace lookhere {
namespace {

using Matrix = std::vector<std::vector<double>>;

// The weights of all pairs of one head, from the formula and the head's own definition.
Matrix weights_of(const Tensor& qkv, long heads, long h, const std::vector<NamedHead>& named, Grid grid) {
  const long tokens = qkv.shape()[1], dim = qkv.shape()[2] / 3 / heads;
  const float* values = qkv.host<float>();
  Matrix p(tokens, std::vector<double>(tokens));
  for (long q = 0; q < tokens; ++q) {
    double sum = 0;
    for (long k = 0; k < tokens; ++k) {
      double logit = 0;
      for (long d = 0; d < dim; ++d)
        logit += static_cast<double>(values[(q * 3 * heads + h) * dim + d]) *
                 static_cast<double>(values[((k * 3 + 1) * heads + h) * dim + d]) / std::sqrt(static_cast<double>(dim));
      if (!named.empty() && q > 0 && k > 0)
        logit += named[h].head.bias(grid, (q - 1) / grid.x, (q - 1) % grid.x, (k - 1) / grid.x, (k - 1) % grid.x);
      sum += p[q][k] = std::exp(logit);
    }
    for (double& weight : p[q]) weight /= sum;
  }
  return p;
}

// GPSA's: (1 - g)·p + g·softmax(P), P by offset and 0 beside the class token.
void add_by_position(Matrix& p, const LayerPosition& position, long h, Grid grid) {
  const float* table = position.by_position.value().host<float>() + h * (2 * grid.y - 1) * (2 * grid.x - 1);
  const double share = static_cast<double>(position.share.value().host<float>()[h]);
  for (std::size_t q = 0; q < p.size(); ++q) {
    std::vector<double> weights(p.size(), 1);
    double sum = 0;
    for (std::size_t k = 0; k < p.size(); ++k) {
      if (q > 0 && k > 0) {
        const long i = static_cast<long>(q) - 1, j = static_cast<long>(k) - 1;
        const long dy = j / grid.x - i / grid.x, dx = j % grid.x - i % grid.x;
        weights[k] = std::exp(static_cast<double>(table[(grid.y - 1 - dy) * (2 * grid.x - 1) + grid.x - 1 - dx]));
      }
      sum += weights[k];
    }
    for (std::size_t k = 0; k < p.size(); ++k) p[q][k] = (1 - share) * p[q][k] + share * weights[k] / sum;
  }
}

struct Case {
  const char* position;
  Pooling pool;
  std::optional<long> patch;
};

class Attend : public testing::TestWithParam<Case> {};

TEST_P(Attend, RowsAndRolloutAreTheFormulas) {
  const auto& [position, pool, patch] = GetParam();
  ViTConfig config = small_config(position_preset(position), 6);
  config.pool = pool;
  ViT model(config, std::nullopt);
  fill_by_rule(model);
  const Grid grid{4, 5};  // another than the model's
  const Tensor image = rule_images({1, 2, 8, 10}, Dtype::f32);
  const AttentionMaps maps = attention_maps(model, image, patch);
  EXPECT_EQ(maps.grid, grid);
  EXPECT_TRUE(same_bits(maps.logits, model(Var(image)).value()));
  const long tokens = 21;
  ASSERT_EQ(maps.rows.shape(), (Shape{2, 6, tokens}));

  std::vector<double> readers(tokens, 0);
  if (patch)
    readers[*patch + 1] = 1;
  else if (pool == Pooling::cls)
    readers[0] = 1;
  else
    std::fill(readers.begin() + 1, readers.end(), 1.0 / 20);
  Matrix product(tokens, std::vector<double>(tokens, 0));  // of the rollout
  for (long t = 0; t < tokens; ++t) product[t][t] = 1;
  long layer = 0;
  double largest_unseen = 0;
  Pass pass{.on_attention = [&](const Tensor& qkv, const LayerPosition& position) {
    const std::vector<NamedHead> named = config.position->bias(config.position_sizes(), layer);
    Matrix step(tokens, std::vector<double>(tokens, 0));
    for (long h = 0; h < 6; ++h) {
      Matrix p = weights_of(qkv, 6, h, named, grid);
      if (position.by_position.defined()) add_by_position(p, position, h, grid);
      double sum = 0;
      for (long k = 0; k < tokens; ++k) {
        double want = 0;
        for (long q = 0; q < tokens; ++q) want += readers[q] * p[q][k], step[q][k] += p[q][k] / 12;
        const double got = static_cast<double>(maps.rows.host<float>()[(layer * 6 + h) * tokens + k]);
        EXPECT_NEAR(got, want, 1e-6) << "layer " << layer << ", head " << h << ", token " << k;
        if (want == 0) largest_unseen = std::max(largest_unseen, got);
        sum += got;
      }
      EXPECT_NEAR(sum, 1, 1e-6);
    }
    Matrix next(tokens, std::vector<double>(tokens, 0));
    for (long i = 0; i < tokens; ++i) {
      step[i][i] += 0.5;
      for (long j = 0; j < tokens; ++j)
        for (long k = 0; k < tokens; ++k) next[i][k] += step[i][j] * product[j][k];
    }
    product = next;
    ++layer;
  }};
  model(Var(image), pass);
  EXPECT_EQ(layer, 2);
  EXPECT_EQ(largest_unseen, 0) << "a mask is exact";
  double sum = 0;
  for (long k = 0; k < tokens; ++k) {
    double want = 0;
    for (long q = 0; q < tokens; ++q) want += readers[q] * product[q][k];
    EXPECT_NEAR(maps.rollout[k], want, 1e-6) << k;
    sum += maps.rollout[k];
  }
  EXPECT_NEAR(sum, 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Positions, Attend,
                         testing::Values(Case{"lh90", Pooling::cls, {}}, Case{"lh45", Pooling::mean, {}},
                                         Case{"lh180", Pooling::cls, 7}, Case{"learned", Pooling::cls, {}},
                                         Case{"learned", Pooling::mean, {}}, Case{"none", Pooling::mean, 19},
                                         Case{"none", Pooling::cls, {}}, Case{"rope", Pooling::cls, 0},
                                         Case{"window", Pooling::cls, {}}, Case{"pape", Pooling::mean, {}},
                                         Case{"rope-mixed", Pooling::cls, {}}, Case{"gpsa", Pooling::cls, 7}));

TEST(AttentionMaps, TheNumberOfThreadsChangesNoBit) {
  ViT model(small_config(position_preset("lh90"), 6), 1);
  const Tensor image = rule_images({1, 2, 8, 10}, Dtype::f32);
  const auto with = [&](int threads) {
    const Threads set(threads);
    return attention_maps(model, image);
  };
  const AttentionMaps one = with(1), three = with(3);
  EXPECT_TRUE(same_bits(one.rows, three.rows));
  EXPECT_EQ(one.rollout, three.rollout);
}

TEST(AttentionMaps, AreTheSameOnAGpu) {
  const ViTConfig config = small_config(position_preset("lh90"), 6);
  ViT cpu(config, 1), gpu(config, 1, Dtype::f32, Device::cuda);
  const Tensor image = rule_images({1, 2, 8, 10}, Dtype::f32);
  const AttentionMaps want = attention_maps(cpu, image), got = attention_maps(gpu, image);
  EXPECT_LT(max_relative_error(got.rows, want.rows), 1e-5);
  EXPECT_LT(max_relative_error(got.logits, want.logits), 1e-5);
}

TEST(AttentionMaps, SaysWhatItWants) {
  ViT model(small_config(position_preset("none"), 6), 1);
  EXPECT_ERROR(attention_maps(model, rule_images({2, 2, 4, 6}, Dtype::f32)), "wanted one image [1, C, Y, X], got [2,");
  EXPECT_ERROR(attention_maps(model, rule_images({1, 3, 4, 6}, Dtype::f32)),
               "images must be [batch, 2, height, width]");
  EXPECT_ERROR(attention_maps(model, rule_images({1, 2, 4, 6}, Dtype::f32), 6), "wanted a patch from 0 to 5, got 6");
  EXPECT_ERROR(attention_maps(model, rule_images({1, 2, 4, 6}, Dtype::f32), -1), "wanted a patch from 0 to 5, got -1");
  EXPECT_ERROR(attention_maps(model, full({1, 2, 4, 6}, NAN)), "the model's answer");
}

std::string picture_of(const char* position, std::optional<long> patch, long channels = 3) {
  const ViTConfig config = small_config(position_preset(position), 6);
  ViT model(config, 1);
  const AttentionMaps maps = attention_maps(model, rule_images({1, 2, 4, 6}, Dtype::f32), patch);
  std::vector<std::uint8_t> pixels(24 * channels);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(3 * i);
  return attention_svg(maps, config,
                       {.title = "<&>", .answer = "a", .image = {pixels.data(), channels, 4, 6}, .patch = patch});
}

TEST(AttentionPicture, HasAPanelForEveryHead) {
  for (const char* position : {"lh45", "none"})
    for (const auto patch : {std::optional<long>{}, std::optional<long>{4}}) {
      const std::string svg = picture_of(position, patch);
      const bool directed = position == std::string("lh45");
      EXPECT_EQ(xml_error(svg), "");
      EXPECT_EQ(texts_outside(svg), std::vector<std::string>{});
      const long panels = 2 * (6 + 1) + 1;
      EXPECT_EQ(count(svg, "<use href=\"#picture\""), panels);
      // Two of the image, one of each panel's weights, one of each head's mask.
      EXPECT_EQ(std::ssize(images(svg)), 2 + panels + (directed ? 12 : 0));
      EXPECT_EQ(images(svg)[0].grey, true);
      EXPECT_EQ(images(svg)[1].grey, false);
      const std::vector<std::string> words = texts(svg);
      const auto has = [&](const char* text) { return std::ranges::find(words, text) != words.end(); };
      EXPECT_TRUE(has("&lt;&amp;&gt;") && has("layer 1") && has("head 5") && has("mean") && !has("head 6"));
      EXPECT_EQ(count(svg, "url(#unseen)") > 0, directed);
      EXPECT_TRUE(has(patch ? "attention from the patch in row 1, column 1" : "attention from the class token"));
    }
  EXPECT_TRUE(images(picture_of("none", {}, 1))[1].grey);
}

// Hatched is what a query patch does not see, over its panel.
TEST(AttentionPicture, MarksWhatAPatchMayNotSee) {
  EXPECT_GT(count(picture_of("lh90", 0), "url(#unseen)"), count(picture_of("lh90", {}), "url(#unseen)"));
}

TEST(AttentionPicture, DrawsNoThousandsOfPanels) {
  ViTConfig config;
  const std::vector<std::uint8_t> pixels(1);
  const AttentionMaps maps{.grid = {1, 1}, .logits = {}, .rows = zeros({241, 17, 2}), .rollout = {0, 1}};
  EXPECT_ERROR(attention_svg(maps, config, {.title = "", .answer = "", .image = {pixels.data(), 1, 1, 1}, .patch = {}}),
               "attend: wanted at most 4096 heads to draw, got 241 layers of 17");
}

// 16×16 pixels of three channels side by side.
std::vector<std::uint8_t> pixels() {
  std::vector<std::uint8_t> values;
  for (int i = 0; i < 768; ++i) values.push_back(static_cast<std::uint8_t>(37 * i));
  return values;
}

TEST(AttendCommand, DrawsArraysPhotographsAndTestImages) {
  const TemporaryFolder folder;
  ViT model = tiny_model();
  const Preprocessing preprocessing{.mean = {0.5F, 0.5F, 0.5F}, .std = {0.25F, 0.25F, 0.25F}};
  save_model(folder / "model", model, {{"preprocessing", to_json(preprocessing)}});
  // All the same picture: a PNG of the model's size, and its pixels normalised by hand.
  const std::vector<std::uint8_t> picture = pixels();
  write_file(folder / "photo.PNG", png_bytes(picture, 16, 16, 3));
  Tensor array = empty({1, 3, 16, 16});
  for (long c = 0; c < 3; ++c)
    for (long i = 0; i < 256; ++i)
      array.host<float>()[c * 256 + i] = (static_cast<float>(picture[3 * i + c]) / 255 - 0.5F) / 0.25F;
  save_npy(folder / "image.npy", array);
  for (const std::string& image : {folder / "photo.PNG", folder / "image.npy", std::string("shapes:3")}) {
    const Finished end = run_program({"attend", "--model", folder / "model", image, "--query", "3,0", "--output",
                                      folder / "maps.svg", "--npy", folder / "rows.npy"});
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.err, "");
    EXPECT_EQ(end.out, folder / "maps.svg" + "\n" + (folder / "rows.npy") + "\n");
    const std::string svg = read_file(folder / "maps.svg");
    EXPECT_EQ(xml_error(svg), "");
    EXPECT_NE(svg.find("taken for: "), std::string::npos);
    EXPECT_EQ(svg.find("; it is: ") != std::string::npos, image == "shapes:3");
    const Tensor rows = load_npy(folder / "rows.npy");
    EXPECT_EQ(rows.shape(), (Shape{2, 3, 17}));
    if (image == "shapes:3") continue;
    EXPECT_LT(max_relative_error(rows, attention_maps(model, array, 12).rows), 1e-5);
    EXPECT_EQ(images(svg)[1].rgb, picture);
  }
  // predict takes the same.
  std::vector<std::string> answers;
  for (const char* image : {"photo.PNG", "image.npy"})
    answers.push_back(run_program({"predict", "--model", folder / "model", folder / image}).out);
  EXPECT_FALSE(answers[0].empty());
  EXPECT_EQ(answers[0], answers[1]);
}

TEST(AttendCommand, SaysWhatIsWrong) {
  ViT model = tiny_model();
  const Preprocessing preprocessing{.mean = {0, 0, 0}, .std = {1, 1, 1}};
  save_model(files() + "/knows", model, {{"preprocessing", to_json(preprocessing)}});
  ViTConfig grey = model.config();
  grey.channels = 1;
  ViT grey_model(grey);
  save_model(files() + "/grey", grey_model, {{"preprocessing", R"({"mean": [0], "std": [1]})"}});
  write_file(files() + "/photo.png", png_bytes(pixels(), 16, 16, 3));
  write_file(files() + "/cut.png", read_file(files() + "/photo.png").substr(0, 60));
  write_file(files() + "/text.jpg", "This is a picture.\n");
  write_file(files() + "/empty.png", "");
  const auto attend = [](const Words& more, const char* file = "@knows") {
    return Words{"attend", "--output", "%a.svg", "--model", file} + more;
  };
  for (const Mistake& mistake : std::vector<Mistake>{
           {attend({"@one.npy", "--query", "4,0"}), kInput, "--query: no patch in row 4 and column 0 of 4×4"},
           {attend({"@one.npy", "--query", "0,4"}), kInput, "--query: no patch in row 0 and column 4 of 4×4"},
           {attend({"@one.npy", "--query", "-1,0"}), kInput, "--query: wanted two numbers from 0 to 512"},
           {attend({"@one.npy", "--query", "1"}), kInput, "--query: wanted two numbers"},
           {attend({"@one.npy", "--query", "1x1"}), kInput, "--query: wanted two numbers"},
           {attend({"@x.npy"}), kInput, "wanted one image"},
           {attend({"@none.jpg"}), kIo, "No such file or directory"},
           {attend({"@cut.png"}), kInput, "cut.png: damaged PNG"},
           {attend({"@text.jpg"}), kInput, "text.jpg: "},
           {attend({"@empty.png"}), kInput, "empty.png: "},
           {attend({"@photo.png"}, "@model.safetensors"), kInput, "does not say how"},
           {attend({"@photo.png"}, "@grey"), kInput, "photo.png: has 3 channels, the model wants 1"},
           {attend({"shapes:1x"}), kInput, "attend: wanted a JPEG, PNG or npy file or DATA:INDEX"},
           {attend({"shapes:2048"}), kInput, "wanted an image from 0 to 2047, got 2048"},
           {attend({"@one.npy"}, "@none"), kIo, "No such file or directory"},
           {{"attend", "--model", "@knows", "@one.npy", "--output", "@none/a.svg"}, kIo, "No such file or directory"},
       })
    expect_refusal(mistake);
}

}  // namespace
}  // namespace lookhere
