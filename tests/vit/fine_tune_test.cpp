// Runs that begin with a model file: what they take from it, what they train and how fast, and what they say.
#include "vit/train/fine_tune.h"

#include <algorithm>
#include <map>

#include "autograd/profile.h"
#include "tensor/npy.h"
#include "tests/program.h"
#include "tests/vit/position_cases.h"
#include "tests/vit/tiny_run.h"
#include "vit/cli/command_line.h"
#include "vit/cli/train.h"
#include "vit/model/preprocessing.h"

namespace lookhere {
namespace {

// 4x4 patches of 4x4 pixels, two blocks; not the shapes' 8 classes.
ViTConfig origin_config(const std::string& position = "learned") {
  ViTConfig c;
  c.height = c.width = 16, c.patch = 4, c.channels = 3, c.classes = 5, c.dim = 24, c.depth = 2, c.heads = 3;
  c.mlp_ratio = 2, c.norm_eps = 1e-5, c.pool = Pooling::mean, c.activation = "quick_gelu";
  c.position = position_preset(position);
  return c;
}
std::string save_origin(const TemporaryFolder& folder, const ViTConfig& config = origin_config(),
                        const Metadata& more = {{"preprocessing", R"({"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]})"}}) {
  ViT model(config, 7);
  save_model(folder / "origin.safetensors", model, more);
  return folder / "origin.safetensors";
}
// A run that says nothing of the model.
Recipe from(const std::string& file) {
  Recipe r = tiny_recipe();
  r.initial_checkpoint = file, r.model = r.position = "";
  r.img_size = r.dim = r.depth = r.heads = 0;
  r.shapes_train = 64, r.shapes_test = 8, r.epochs = 1;
  return r;
}
std::map<std::string, Tensor> tensors_of(const std::string& path) {
  std::map<std::string, Tensor> all;
  const Safetensors file(path);
  for (const auto& entry : file.entries()) all.emplace(entry.name, file.read(entry.name));
  return all;
}
std::map<std::string, Tensor> tensors_of(ViT& model) {
  std::map<std::string, Tensor> all;
  for (const auto& [name, tensor] : weights_of(model)) all.emplace(name, tensor);
  return all;
}

TEST(FineTune, TakesConfigurationWeightsAndPreprocessing) {
  const TemporaryFolder folder;
  const std::string file = save_origin(folder);
  Trainer run(from(file), folder / "run");
  ViTConfig want = origin_config();
  want.classes = 8;
  EXPECT_EQ(to_json(run.model().config()), to_json(want));
  const auto now = tensors_of(run.model()), before = tensors_of(file);
  for (const auto& [name, tensor] : now)
    EXPECT_EQ(!name.starts_with("head"),
              before.at(name).shape() == tensor.shape() && same_bits(before.at(name), tensor))
        << name;
  EXPECT_EQ(run.training_data().mean, (std::vector<float>{0.1F, 0.2F, 0.3F}));
  EXPECT_EQ(run.test_data().std, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(run.notes(), (std::vector<std::string>{
                             concat("began with ", file, ": took ", now.size() - 2,
                                    " tensors; new: head.weight, head.bias; not used: head.bias, head.weight"),
                             concat("images are normalised with mean 0.1, 0.2, 0.3 and std 1, 2, 3, as in ", file)}));
}

TEST(FineTune, PositionsOfAnotherResolutionAndOfAnotherEncoding) {
  const TemporaryFolder folder;
  const std::string file = save_origin(folder, origin_config(), {});
  Recipe larger = from(file);
  larger.img_size = 24;
  Trainer resized(larger, folder / "resized");
  const Tensor held = tensors_of(file).at("pos_embed"), got = tensors_of(resized.model()).at("pos_embed");
  EXPECT_TRUE(same_bits(got, resize_grid(Var(held), {4, 4}, {6, 6}).value()));
  EXPECT_NE(resized.notes()[0].find("resized pos_embed from 4x4 to 6x6 patches; new: head"), std::string::npos);
  EXPECT_NE(resized.notes()[1].find("the data's: there are none in "), std::string::npos);

  Recipe other = from(file);
  other.position = "lh90", other.position_options["global-slope"] = 1.5;
  Trainer masked(other, folder / "masked");
  EXPECT_FALSE(tensors_of(masked.model()).contains("pos_embed"));
  EXPECT_NE(masked.notes()[0].find("not used: head.bias, head.weight, pos_embed"), std::string::npos);
  // An option of the encoding by itself changes the file's, which must have it.
  const std::string looks = save_origin(folder, origin_config("lh45"));
  Recipe steeper = from(looks);
  steeper.position_options["global-slope"] = 4.0;
  const std::string config = to_json(Trainer(steeper, folder / "steeper").model().config());
  EXPECT_NE(config.find("\"global_slope\":4.0"), std::string::npos) << config;
  EXPECT_NE(config.find("eighths1-eighths2-none"), std::string::npos) << config;
  // Shapes say nothing of heads and pooling.
  Recipe cut = from(file);
  cut.heads = 2, cut.pool = "cls";
  EXPECT_TRUE(Trainer(cut, folder / "cut")
                  .notes()[0]
                  .ends_with("; --heads 2 in place of 3, --pool \"cls\" in place of \"mean\""));
  // A learned table where there was none is new.
  Recipe learned = from(looks);
  learned.position = "learned";
  EXPECT_NE(Trainer(learned, folder / "learned").notes()[0].find("; new: pos_embed, head"), std::string::npos);
}

// Whatever the encoding, a model says of images of the new size what it said of them at that size before.
TEST(FineTune, OnAnotherGridEveryEncodingGoesOn) {
  const TemporaryFolder folder;
  const std::string file = folder / "origin.safetensors";
  for (const PositionType& type : position_types()) {
    if (type.json_type == "sincos") continue;  // no parameters, and its table belongs to the size that a model is for
    ViTConfig config = origin_config(type.names[0]);
    config.heads = 4, config.dim = 32;
    for (const bool class_token : {true, false}) {
      config.class_token = class_token;
      ViT before(config, std::nullopt);
      fill_by_rule(before);
      save_model(file, before);
      for (const Shape& size : {Shape{1, 3, 24, 24}, Shape{1, 3, 12, 20}}) {
        config.height = size[2], config.width = size[3];
        ViT after(config, 1);
        const std::string line = take_weights_of(Safetensors(file), after);
        EXPECT_EQ(line.find("new"), std::string::npos) << line;
        EXPECT_EQ(line.find("not used"), std::string::npos) << line;
        const Tensor images = rule_images(size, Dtype::f32);
        EXPECT_LT(
            worst_error(to_vector<float>(after(Var(images)).value()), to_vector<float>(before(Var(images)).value())),
            2e-6)
            << type.names[0] << size;
      }
    }
  }
}

TEST(FineTune, MistakesNameOptionAndTensor) {
  const TemporaryFolder folder;
  const std::string file = save_origin(folder);
  const auto begin = [&](const std::function<void(Recipe&)>& change) {
    Recipe r = from(file);
    change(r);
    Trainer(r, folder / "run");
  };
  EXPECT_ERROR(begin([](Recipe& r) { r.dim = 48; }),
               concat("tensor 'cls_token' of ", file,
                      " is [1, 1, 24], the options want [1, 1, 48]: --dim 48 in place of "
                      "24"));
  EXPECT_ERROR(begin([](Recipe& r) { r.patch_size = 8; }),
               "'patch_embed.proj.weight' of " + file +
                   " is [24, 3, 4, 4], the options want [24, 3, 8, 8]: --patch-size 8 in place of 4");
  EXPECT_ERROR(begin([](Recipe& r) { r.mlp_ratio = 4; }), "--mlp-ratio 4.0 in place of 2.0");
  EXPECT_ERROR(begin([](Recipe& r) { r.activation = "swiglu"; }), "--activation \"swiglu\" in place of \"quick_gelu\"");
  EXPECT_ERROR(
      begin([](Recipe& r) { r.position_options["global-slope"] = 1.0; }),
      "--global-slope belongs to --position lookhere, lh180, lh90, lh45, alibi, manhattan, axial, not to learned");
  EXPECT_ERROR(begin([&](Recipe& r) { r.initial_checkpoint = folder / "none"; }), folder / "none");
  EXPECT_ERROR(begin([](Recipe& r) { r.initial_checkpoint = ""; }), "position: wanted one of");
  ViTConfig grey = origin_config();
  grey.channels = 1;
  save_origin(folder, grey, {});
  EXPECT_ERROR(begin([](Recipe&) {}), "wants 1 channels, shapes has 3");
  Recipe r;
  r.sched_style = "late";
  EXPECT_ERROR(r.validate(), "--sched-style: wanted one of plain, timm, got \"late\"");
  r = {}, r.layer_decay = 0;
  EXPECT_ERROR(r.validate(), "--layer-decay");
}

TEST(FineTune, AHeadlessModelGetsAHead) {
  const TemporaryFolder folder;
  ViTConfig config = origin_config();
  config.head = HeadType::none, config.classes = config.dim;
  Trainer run(from(save_origin(folder, config)), folder / "run");
  EXPECT_EQ(run.model().config().head, HeadType::linear);
  EXPECT_NE(run.notes()[0].find("tensors; new: head.weight, head.bias"), std::string::npos) << run.notes()[0];
  EXPECT_EQ(run.notes()[0].find("not used"), std::string::npos);
}

TEST(FineTune, GoesOnWithoutTheFile) {
  const TemporaryFolder folder;
  Recipe recipe = from(save_origin(folder));
  recipe.epochs = 2, recipe.layer_decay = 0.5, recipe.sched_style = "timm", recipe.model_ema_decay = 0.9;
  for (const bool freeze : {false, true}) {
    const std::string whole = folder / concat("whole", int{freeze}), parts = folder / concat("parts", int{freeze});
    save_origin(folder);
    recipe.freeze = freeze;
    train(recipe, whole), train(recipe, parts, 3);
    std::filesystem::remove(folder / "origin.safetensors");
    resume(parts);
    expect_same_run(whole, parts);
    EXPECT_EQ(Trainer(recipe, whole, whole + "/last.safetensors").notes(), std::vector<std::string>{});
  }
  EXPECT_ERROR(resume(folder / "whole1", 0, [](Recipe& r) { r.freeze = false; }), "--no-freeze: this run trains");
}

TEST(FineTune, FrozenTrunkStaysAndHasNoState) {
  const TemporaryFolder folder;
  Recipe recipe = from(save_origin(folder));
  recipe.freeze = true, recipe.model_ema_decay = 0.9;
  TrainObserver nobody;
  Trainer run(recipe, folder / "run");
  const auto at_first = tensors_of(folder / "run/last.safetensors"), origin = tensors_of(folder / "origin.safetensors");
  EXPECT_TRUE(same_bits(at_first.at("head.weight"), zeros({8, 24})));
  run.run(nobody);
  long states = 0;
  const auto last = tensors_of(folder / "run/last.safetensors");
  for (const auto& [name, tensor] : last) {
    const bool state = name.starts_with("optimizer.") || name.starts_with("ema.");
    states += state;
    if (state || name.starts_with("head"))
      EXPECT_NE(name.find("head."), std::string::npos) << name;
    else
      EXPECT_TRUE(same_bits(tensor, origin.at(name))) << name;
  }
  EXPECT_EQ(states, 6);  // two moments and an average of weight and bias
  EXPECT_FALSE(same_bits(last.at("head.weight"), at_first.at("head.weight")));
  // The average of the rest is the rest.
  ViT averaged = load_model(folder / "run/last.safetensors");
  load_weights(averaged, Safetensors(folder / "run/last.safetensors"), "ema.");
  auto weights = tensors_of(averaged);
  EXPECT_TRUE(same_bits(weights.at("head.weight"), last.at("ema.head.weight")));
  EXPECT_TRUE(same_bits(weights.at("norm.weight"), origin.at("norm.weight")));
}

TEST(FineTune, NoBackwardPassThroughAFrozenTrunk) {
  const TemporaryFolder folder;
  Recipe recipe = from(save_origin(folder));
  recipe.head = "mlp";  // linear, tanh, linear
  const auto backward = [&](bool freeze) {
    recipe.freeze = freeze;
    std::vector<std::string> notes;
    const auto origin = open_origin(recipe, "");
    const Dataset data = load_training_data(recipe, origin.get());
    ViT model = begin_model(recipe, data, origin.get(), true, notes);
    ShardedModel sharded(model, 2);
    const Profile profile;
    Tensor labels = zeros({4}, Dtype::i64);
    sharded.accumulate_gradients(
        random({4, 3, 16, 16}, 1, Dtype::f32), labels, {}, 1,
        [](const Var& logits, const Tensor& wanted) { return softmax_cross_entropy(logits, wanted); });
    std::map<std::string, double> seconds;
    for (const Profile::Entry& entry : profile.entries()) seconds[entry.op] = entry.backward;
    for_each_parameter(model, [&](const std::string& name, const Var& p) {
      EXPECT_EQ(p.grad().defined(), !freeze || name.starts_with("head")) << name;
      EXPECT_EQ(p.grad_buffer().defined(), !freeze || name.starts_with("head")) << name;
    });
    return seconds;
  };
  const auto all = backward(false), head = backward(true);
  for (const char* op : {"attention", "mlp", "layer_norm", "residual", "mean_tokens", "prepend_token"}) {
    EXPECT_GT(all.at(op), 0) << op;
    EXPECT_EQ(head.at(op), 0) << op;
  }
  EXPECT_GT(head.at("linear"), 0);
  EXPECT_GT(head.at("tanh"), 0);
}

TEST(FineTune, LayerDecayIsTimms) {
  ViTConfig config = origin_config();
  config.depth = 3, config.registers = 2;
  ViT model(config);
  const std::map<std::string, double> want{{"cls_token", 0.0625},
                                           {"pos_embed", 0.0625},
                                           {"patch_embed.proj.bias", 0.0625},
                                           {"reg_token", 0.0625},
                                           {"blocks.0.attn.qkv.weight", 0.125},
                                           {"blocks.1.norm1.bias", 0.25},
                                           {"blocks.2.mlp.fc2.bias", 0.5},
                                           {"norm.weight", 0.5},
                                           {"head.weight", 1},
                                           {"head.bias", 1}};
  std::size_t seen = 0;
  for (const Parameter& p : trained_parameters(model, 0.5))
    if (const auto found = want.find(p.name); found != want.end()) {
      EXPECT_EQ(p.lr_scale, found->second) << p.name;
      ++seen;
    }
  EXPECT_EQ(seen, want.size());
  for (const Parameter& p : trained_parameters(model, 1)) EXPECT_EQ(p.lr_scale, 1) << p.name;
  // Adam's first step goes the learning rate far, whatever the gradient.
  std::vector<Parameter> parameters = trained_parameters(model, 0.5);
  std::map<std::string, float> before;
  AdamW optimizer(parameters, {.weight_decay = 0, .clip_norm = 0});
  for (Parameter& p : parameters) {
    before[p.name] = p.var.value().host<float>()[0];
    p.var.set_grad(full(p.var.shape(), -3));
  }
  optimizer.step(0.01);
  for (const Parameter& p : parameters)
    EXPECT_NEAR(p.var.value().host<float>()[0] - before.at(p.name), 0.01 * p.lr_scale, 1e-6) << p.name;
}

TEST(FineTune, CommandLineLeavesModelAndPositionToTheFile) {
  const TemporaryFolder folder;
  const auto read = [](std::vector<const char*> words, Recipe& got) {
    words.insert(words.begin(), {"lookhere", "train"});
    parse_command_line(static_cast<int>(words.size()), words.data(),
                       [&](RecipeCommand& train, const RecipeCommand& said) {
                         load_recipe(train, said);
                         got = train.recipe;
                       });
    return got.model + "|" + got.position + "|" + got.initial_checkpoint;
  };
  Recipe got;
  EXPECT_EQ(read({}, got), "nano|lh180|");
  EXPECT_EQ(read({"--initial-checkpoint", "a"}, got), "||a");
  write_file(folder / "config.toml", "initial-checkpoint = \"b\"\nposition = \"rope\"\n");
  const std::string config = folder / "config.toml";
  EXPECT_EQ(read({"-c", config.c_str()}, got), "|rope|b");
  write_file(folder / "short.toml", "initial-checkpoint = \"b\"\n");
  const std::string brief = folder / "short.toml";
  EXPECT_EQ(read({"-c", brief.c_str()}, got), "||b");
  Recipe written;
  update_from_toml_text(written, to_toml(got), "config.toml");
  EXPECT_EQ(to_json(written), to_json(got));
}

TEST(FineTune, AnotherGlobalSlopeAtEvaluation) {
  const TemporaryFolder folder;
  const std::string images = folder / "x.npy";
  save_npy(images, random({1, 3, 24, 24}, 1, Dtype::f32));
  const auto forward = [&](const std::string& model, const Words& more) {
    Words words{"forward", "--model", model, "--images", images, "--output", folder / "y.npy"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished end = run_program(words);
    return end.code == 0 ? std::string() : concat(end.code, " ", end.err);
  };
  ViTConfig config = origin_config("lh90");
  const std::string file = save_origin(folder, config);
  EXPECT_EQ(forward(file, {"--global-slope", "0.5"}), "");
  PositionOptions half;
  half["global-slope"] = 0.5;
  config.position = position_preset("lh90", half);
  ViT model(config, 7);
  const Tensor x = random({1, 3, 24, 24}, 1, Dtype::f32);
  EXPECT_TRUE(same_bits(load_npy(folder / "y.npy"), model(Var(x)).value()));
  EXPECT_EQ(forward(file, {}), "");
  EXPECT_FALSE(same_bits(load_npy(folder / "y.npy"), model(Var(x)).value()));
  const std::string learned = save_origin(folder);
  for (const Words& words : {Words{"forward", "--images", images, "--output", folder / "z.npy"},
                             Words{"eval", "--data", "shapes"}, Words{"predict", images}}) {
    Words all = words;
    all.insert(all.end(), {"--model", learned, "--global-slope", "1"});
    const Finished end = run_program(all);
    EXPECT_EQ(end.code, 2) << words[0];
    EXPECT_NE(end.err.find("--global-slope belongs to --position lookhere, lh180, lh90, lh45, alibi, manhattan, axial, "
                           "not to learned"),
              std::string::npos)
        << end.err;
  }
}

TEST(FineTune, DumpsWhatTheFirstUpdatesSawAndDid) {
  const TemporaryFolder folder;
  Words words = tiny_training(folder / "run", "1");
  words.insert(words.end(), {"--dump-batches", "2", "--dump-dir", folder / "a/dump", "--grad-accum-steps", "2", "--lr",
                             "0.01", "--model-ema-decay", "0", "--max-steps", "3", "--warmup-epochs", "0"});
  Finished end = run_program(words);
  EXPECT_EQ(end.code, 0) << end.err;
  const auto name = [&](const char* rest) { return folder / "a/dump/update-" + rest; };
  EXPECT_EQ(load_npy(name("1.part-1.images.npy")).shape(), (Shape{32, 3, 16, 16}));
  EXPECT_EQ(load_npy(name("1.part-2.labels.npy")).shape(), (Shape{32}));
  EXPECT_EQ(load_npy_array(name("2.part-2.labels.npy")).type, "<i8");
  EXPECT_FALSE(same_bits(load_npy(name("1.part-1.images.npy")), load_npy(name("1.part-2.images.npy"))));
  EXPECT_EQ(read_file(name("1.after.safetensors")), read_file(name("2.before.safetensors")));
  EXPECT_NE(read_file(name("2.after.safetensors")), read_file(name("2.before.safetensors")));
  long files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "a/dump")) ++files;
  EXPECT_EQ(files, 2 * (2 * 2 + 2));
  // The first update, made again from what is there.
  ViT model = load_model(name("1.before.safetensors"));
  ShardedModel sharded(model, 2);
  AdamW optimizer(parameters_of(model), optimizer_options(recipe_of(Safetensors(folder / "run/last.safetensors"))));
  for (const std::string part : {"1.part-1.", "1.part-2."})
    sharded.accumulate_gradients(
        load_npy(name((part + "images.npy").c_str())), load_npy(name((part + "labels.npy").c_str())), {}, 0.5,
        [](const Var& logits, const Tensor& labels) { return softmax_cross_entropy(logits, labels, 0.1); });
  optimizer.step(0.01);
  const auto after = tensors_of(name("1.after.safetensors"));
  for (const auto& [tensor, value] : tensors_of(model)) EXPECT_TRUE(same_bits(value, after.at(tensor))) << tensor;
  words = tiny_training(folder / "other", "1");
  words.insert(words.end(), {"--dump-batches", "1"});
  end = run_program(words);
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("--dump-batches and --dump-dir: wanted both, got 1 and \"\""), std::string::npos) << end.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "other"));
}

}  // namespace
}  // namespace lookhere
