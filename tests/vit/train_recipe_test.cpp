// The recipe: through JSON, through TOML and the real command line, into a model; and every option out of range.
#include "vit/train/recipe.h"

#include <nlohmann/json.hpp>

#include "tests/program.h"
#include "tests/vit/tiny_run.h"
#include "vit/model/position/lookhere.h"

namespace lookhere {
namespace {

// Every field other than its default, each with a value that text could get wrong.
Recipe unusual_recipe() {
  Recipe r = tiny_recipe();
  r.position = "lookhere", r.head = "mlp", r.pool = "cls";
  r.position_options["directions"] = std::vector<std::string>{"halves-diagonals-none", "corners-triangles-none"};
  r.position_options["global-slope"] = 1.0 / 3;
  r.position_options["layer-slopes"] = std::vector{0.1, 2.0};
  r.position_options["distance"] = "sqrt", r.position_options["fill"] = "zero";
  r.mlp_ratio = 2.5, r.activation = "swiglu", r.layer_scale = 1e-5, r.grad_accum_steps = 2,
  r.seed = 9007199254740991 / 2;
  r.lr = 0.1 + 0.2, r.warmup_lr = 1e-300, r.weight_decay = 1e-17, r.bce_loss = true, r.model_ema_decay = 0.123456789;
  return r;
}

TEST(Recipe, SurvivesJson) {
  for (const Recipe& recipe : {Recipe(), tiny_recipe(), unusual_recipe()}) {
    Recipe read;
    read.lr = 7, read.seed = 7, read.data = "overwritten";
    update_from_json(read, to_json(recipe));
    EXPECT_EQ(to_json(read), to_json(recipe));
    EXPECT_EQ(read.lr, recipe.lr);
    EXPECT_EQ(read.position_options["directions"], Recipe(recipe).position_options["directions"]);
  }
}

TEST(Recipe, KeepsWhatJsonDoesNotName) {
  Recipe recipe = tiny_recipe();
  update_from_json(recipe, R"({"dim": 48, "lr": 1, "from a later version": [1]})");
  EXPECT_EQ(recipe.dim, 48);
  EXPECT_EQ(recipe.lr, 1);  // a whole number will do for a real one
  EXPECT_EQ(recipe.depth, 2);
}

TEST(Recipe, RefusesJsonOfTheWrongKind) {
  const struct {
    const char *json, *message;
  } cases[] = {
      {"", "wanted a JSON object"},
      {"[]", "wanted a JSON object, got array"},
      {"{\"dim\": 24", "wanted a JSON object"},
      {R"({"dim": "24"})", "'dim' must be a whole number, got \"24\""},
      {R"({"dim": 24.5})", "'dim' must be a whole number, got 24.5"},
      {R"({"dim": 1e300})", "'dim' must be a whole number"},
      {R"({"dim": null})", "'dim' must be a whole number"},
      {R"({"epochs": true})", "'epochs' must be a whole number"},
      {R"({"lr": "fast"})", "'lr': wanted a number, got \"fast\""},
      {R"({"data": 3})", "'data': wanted a text, got 3"},
      {R"({"bce-loss": 1})", "'bce-loss': wanted true or false, got 1"},
      {R"({"directions": "a"})", "'directions': wanted a list of texts, got \"a\""},
      {R"({"layer-slopes": [1, "b"]})", "'layer-slopes': wanted a list of numbers, got array of 2"},
      {R"({"epochs": 0})", "--epochs: wanted 1 to"},
      {R"({"seed": -1})", "--seed: wanted 0 to"},
      {R"({"seed": 18446744073709551615})", "--seed: wanted 0 to 9000000000000000, got 18446744073709551615"},
      {R"({"seed": 9000000000000001})", "--seed: wanted 0 to 9000000000000000, got 9000000000000001"},
  };
  for (const auto& c : cases) {
    Recipe recipe;
    EXPECT_ERROR(update_from_json(recipe, c.json), c.message);
  }
}

TEST(Recipe, ValidateNamesTheOption) {
  const struct {
    const char* option;
    void (*change)(Recipe&);
  } cases[] = {
      {"--epochs", [](Recipe& r) { r.epochs = 0; }},
      {"--batch-size", [](Recipe& r) { r.batch_size = 0; }},
      {"--grad-accum-steps", [](Recipe& r) { r.grad_accum_steps = -1; }},
      {"--seed", [](Recipe& r) { r.seed = -1; }},
      {"--lr", [](Recipe& r) { r.lr = NAN; }},
      {"--lr", [](Recipe& r) { r.lr = -1e-9; }},
      {"--warmup-lr", [](Recipe& r) { r.warmup_lr = INFINITY; }},
      {"--min-lr", [](Recipe& r) { r.min_lr = -1; }},
      {"--warmup-epochs", [](Recipe& r) { r.warmup_epochs = -1; }},
      {"--weight-decay", [](Recipe& r) { r.weight_decay = -1; }},
      {"--clip-grad", [](Recipe& r) { r.clip_grad = -1; }},
      {"--smoothing", [](Recipe& r) { r.smoothing = 1; }},
      {"--drop", [](Recipe& r) { r.drop = 1; }},
      {"--drop-path", [](Recipe& r) { r.drop_path = 1; }},
      {"--model-ema-decay", [](Recipe& r) { r.model_ema_decay = 1; }},
      {"--hflip", [](Recipe& r) { r.hflip = 1.5; }},
      {"--crop-padding", [](Recipe& r) { r.crop_padding = -1; }},
      {"--shapes-train", [](Recipe& r) { r.shapes_train = 0; }},
      {"--shapes-test", [](Recipe& r) { r.shapes_test = 0; }},
      {"--glyphs-train", [](Recipe& r) { r.glyphs_train = 0; }},
      {"--glyphs-test", [](Recipe& r) { r.glyphs_test = 0; }},
      {"--glyphs-zoom",
       [](Recipe& r) {
         r.glyphs_zoom = {0.4, 0.8};
       }},
      {"--glyphs-zoom",
       [](Recipe& r) {
         r.glyphs_zoom = {0.5, 0.4};
       }},
      {"--eval-batch-size", [](Recipe& r) { r.eval_batch_size = 0; }},
      {"--workers", [](Recipe& r) { r.workers = 1L << 32; }},
      {"--shards", [](Recipe& r) { r.shards = -1; }},
      {"--recovery-interval", [](Recipe& r) { r.recovery_interval = -1; }},
      {"--img-size", [](Recipe& r) { r.img_size = -16; }},
      {"--patch-size", [](Recipe& r) { r.patch_size = -4; }},
      {"--mlp-ratio", [](Recipe& r) { r.mlp_ratio = NAN; }},
      {"--layer-scale", [](Recipe& r) { r.layer_scale = NAN; }},
      {"--global-slope", [](Recipe& r) { r.position_options["global-slope"] = NAN; }},
      {"--data", [](Recipe& r) { r.data = "photos\xff"; }},
      {"--directions",
       [](Recipe& r) {
         r.position_options["directions"] = std::vector<std::string>{"a", "\xc3"};
       }},
      {"--dim", [](Recipe& r) { r.dim = -1; }},
      {"--depth", [](Recipe& r) { r.depth = 257; }},
      {"--heads", [](Recipe& r) { r.heads = -3; }},
      {"--init-std", [](Recipe& r) { r.init_std = 11; }},
      {"--layer-slopes", [](Recipe& r) { r.position_options["layer-slopes"] = std::vector{1.0}; }},
      {"--layer-slopes",
       [](Recipe& r) {
         r.position_options["layer-slopes"] = std::vector{1.0, -1.0};
       }},
  };
  for (const auto& c : cases) {
    Recipe recipe;
    EXPECT_NO_THROW(recipe.validate());
    c.change(recipe);
    EXPECT_ERROR(recipe.validate(), std::string(c.option) + ": wanted");
  }
}

// A limit as shown is the limit: nothing that is refused is printed as if it were allowed.
TEST(Recipe, LimitsAreExact) {
  Recipe recipe;
  recipe.seed = 9000000000000000;
  EXPECT_NO_THROW(recipe.validate());
  recipe.seed = 9000000000000001;
  EXPECT_ERROR(recipe.validate(), "--seed: wanted 0 to 9000000000000000, got 9000000000000001");
  recipe = {}, recipe.recovery_interval = 1000000001;
  EXPECT_ERROR(recipe.validate(), "--recovery-interval: wanted 0 to 1000000000, got 1000000001");
  recipe = {}, recipe.lr = 1000.0000000000001;
  EXPECT_ERROR(recipe.validate(), "--lr: wanted 0 to 1000, got 1000.0000000000001");
  recipe = {}, recipe.model_ema_decay = 0.9999990000000001;
  EXPECT_ERROR(recipe.validate(), "--model-ema-decay: wanted 0 to 0.999999, got 0.9999990000000001");
  recipe = {}, recipe.data = "x\xff";
  EXPECT_ERROR(recipe.validate(), "--data: wanted UTF-8 text, got \"x?\"");
}

TEST(Recipe, SaysWhatLimitsWhat) {
  Recipe recipe;
  EXPECT_EQ(recipe.notes(), std::vector<std::string>{});
  recipe.lr = 0.001, recipe.min_lr = 0.01, recipe.warmup_lr = 0.1, recipe.epochs = 3, recipe.warmup_epochs = 3;
  EXPECT_EQ(recipe.notes(),
            (std::vector<std::string>{
                "--min-lr 0.01 is above --lr 0.001: the learning rate ends at 0.001",
                "--warmup-lr 0.1 is above --lr 0.001: the learning rate starts at 0.001",
                "--warmup-epochs 3 is not below --epochs 3: the learning rate rises up to the last update"}));
  const Schedule schedule = schedule_of(recipe, 5);
  EXPECT_EQ(schedule.at(0), 0.001);
  EXPECT_EQ(schedule.at(15), 0.001);
  EXPECT_EQ(schedule.warmup_steps, 14);
  recipe.warmup_epochs = 0;
  EXPECT_EQ(recipe.notes().size(), 1U) << "without a warm-up its learning rate does not matter";
}

TEST(Recipe, DescribesTheModel) {
  Dataset data;
  data.channels = 2, data.classes = 7, data.height = 20, data.width = 28;
  const auto model = [&](const std::function<void(Recipe&)>& change) {
    Recipe recipe;
    change(recipe);
    return model_config(recipe, data);
  };
  const ViTConfig plain = model([](Recipe&) {}), nano = model_preset("nano");
  EXPECT_EQ(plain.channels, 2);
  EXPECT_EQ(plain.classes, 7);
  EXPECT_EQ(plain.height, 20);
  EXPECT_EQ(plain.width, 28);
  EXPECT_EQ(plain.dim, nano.dim);
  const ViTConfig tiny = model([](Recipe& r) { r.model = "vit_tiny"; });
  EXPECT_EQ(tiny.height, 224) << "presets other than nano have a size of their own";
  const ViTConfig changed = model([](Recipe& r) {
    r = unusual_recipe();
    r.patch_size = 8;
  });
  EXPECT_EQ(changed.height, 16);
  EXPECT_EQ(changed.patch, 8);
  EXPECT_EQ(changed.dim, 24);
  EXPECT_EQ(changed.mlp_ratio, 2.5);
  EXPECT_EQ(changed.activation, "swiglu");
  EXPECT_TRUE(changed.layer_scale);
  EXPECT_EQ(changed.head, HeadType::mlp);
  EXPECT_EQ(changed.pool, Pooling::cls);
  EXPECT_TRUE(changed.position == lookhere_position({.directions = {"halves-diagonals-none", "corners-triangles-none"},
                                                     .global_slope = 1.0 / 3,
                                                     .layer_slopes = {0.1, 2},
                                                     .distance = DistancePower::sqrt,
                                                     .fill = MaskFill::zero}));
  EXPECT_TRUE(model([](Recipe& r) { r.position = "rope", r.position_options["rope-base"] = 7.0; }).position ==
              position_from_json({{"type", "rope"}, {"base", 7}}));
  EXPECT_FALSE(model([](Recipe& r) { r.layer_scale = 0; }).layer_scale);

  EXPECT_ERROR(model([](Recipe& r) { r.model = "vit_huge"; }), "vit_huge");
  EXPECT_ERROR(model([](Recipe& r) { r.head = "conv"; }), "--head: wanted linear or mlp, got \"conv\"");
  EXPECT_ERROR(model([](Recipe& r) { r.pool = "max"; }), "--pool: wanted cls or mean, got \"max\"");
  EXPECT_ERROR(model([](Recipe& r) { r.position = "polar"; }), "polar");
  EXPECT_EQ(model([](Recipe&) {}).attention, AttentionWeights::softmax);
  EXPECT_EQ(model([](Recipe& r) { r.attention = "sigmoid"; }).attention, AttentionWeights::sigmoid);
  EXPECT_ERROR(model([](Recipe& r) { r.attention = "relu"; }), "--attention: wanted softmax or sigmoid, got \"relu\"");
  ViTConfig odd = model([](Recipe& r) { r.dim = 12, r.heads = 2, r.mlp_ratio = 2.25; });
  odd.activation = "swiglu";
  EXPECT_ERROR(odd.validate(), "model: swiglu wants an even number of hidden units, dim x mlp_ratio, got 27");
  EXPECT_ERROR(model([](Recipe& r) { r.position_options["fill"] = "half"; }), "half");
  EXPECT_ERROR(model([](Recipe& r) { r.position = "none", r.position_options["fill"] = "inf"; }),
               "--fill belongs to --position lookhere, lh180, lh90, lh45, alibi, manhattan, axial, not to none");
  EXPECT_ERROR(model([](Recipe& r) { r.position_options["rope-base"] = 50.0; }),
               "--rope-base belongs to --position rope, not to lh180");
}

TEST(RecipeToml, ReadsWhatPeopleWrite) {
  const TemporaryFolder folder;
  const std::string path = folder / "my.toml";
  write_file(path,
             "# my first run\r\n\n  dim=48   # wide\n\tlr = 1e-3\ndata = \"a # b = \\\"c\\\"\"\nhead = 'mlp'\n"
             "bce-loss = true\nlayer-slopes = [ 1, 0.5 ]\ndirections = [\"x\",\"y\"]#");
  Recipe recipe;
  update_from_toml(recipe, path);
  EXPECT_EQ(recipe.dim, 48);
  EXPECT_EQ(recipe.lr, 1e-3);
  EXPECT_EQ(recipe.data, "a # b = \"c\"");
  EXPECT_EQ(recipe.head, "mlp");
  EXPECT_TRUE(recipe.bce_loss);
  EXPECT_EQ(recipe.position_options["layer-slopes"], PositionValue(std::vector<double>{1, 0.5}));
  EXPECT_EQ(recipe.position_options["directions"], PositionValue(std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(recipe.depth, Recipe().depth);
}

// A run's config.toml describes the run: whoever begins another with it gets the same, bit by bit.
TEST(RecipeToml, RepeatsARunOnTheCommandLine) {
  const TemporaryFolder folder;
  Recipe recipe = unusual_recipe();
  recipe.epochs = 1;
  train(recipe, folder / "run");
  const Finished again = run_program({"train", "-c", folder / "run/config.toml", "--output", folder / "again"});
  ASSERT_EQ(again.code, 0) << again.err;
  expect_same_run(folder / "run", folder / "again");

  // The command line wins over the file, wherever on it the file is named.
  const Finished other =
      run_program({"train", "--seed", "5", "--no-bce-loss", "--config=" + (folder / "run/config.toml"), "--lr", "0.25",
                   "--output", folder / "other", "--max-steps", "1"});
  ASSERT_EQ(other.code, 0) << other.err;
  Recipe read;
  update_from_toml(read, folder / "other/config.toml");
  recipe.seed = 5, recipe.bce_loss = false, recipe.lr = 0.25;
  EXPECT_EQ(to_json(read), to_json(recipe));
  EXPECT_EQ(to_toml(read), read_file(folder / "other/config.toml"));

  // So it does over a resumed run's own options, and what it says holds from then on.
  ASSERT_EQ(run_program({"train", "--resume", folder / "other", "--lr", "0.5", "--max-steps", "1"}).code, 0);
  ASSERT_EQ(run_program({"train", "--resume=" + (folder / "other"), "--max-steps", "1"}).code, 0);
  update_from_toml(read, folder / "other/config.toml");
  EXPECT_EQ(read.lr, 0.5);
  EXPECT_EQ(read.seed, 5);
}

}  // namespace
}  // namespace lookhere
