// Models as files: nothing is lost on the way, and whatever is wrong with a file is named before it costs memory.
#include "vit/model/weights.h"

#include "nn/optim.h"
#include "tensor/pool.h"
#include "tests/vit/model_cases.h"

namespace lookhere {
namespace {

using Json = nlohmann::json;

ViTConfig tiny(const PositionConfig& position = position_preset("lh90")) {
  ViTConfig config = small_config(position, 3);
  config.dim = 12;
  return config;
}

TEST(Weights, RoundTripBitForBit) {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  for (const char* position : {"lh45", "alibi", "learned", "none", "factorized", "fourier", "rpe", "gpsa", "rope-mixed",
                               "fire", "window", "pape", "pape-ri"})
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      ViTConfig config = tiny(position_preset(position));
      config.layer_scale = dtype == Dtype::f32, config.head = dtype == Dtype::f32 ? HeadType::mlp : HeadType::linear;
      ViT model(config, 5, dtype);
      save_model(path, model);
      ViT loaded = load_model(path, dtype);
      EXPECT_EQ(to_json(loaded.config()), to_json(config));
      const NamedTensors want = weights_of(model), got = weights_of(loaded);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < want.size(); ++i) {
        EXPECT_EQ(got[i].first, want[i].first);
        EXPECT_TRUE(same_bits(got[i].second, want[i].second)) << got[i].first;
      }
      const std::string bytes = read_file(path);
      save_model(path, loaded);
      EXPECT_EQ(read_file(path), bytes);
      ViT other = load_model(path, dtype == Dtype::f32 ? Dtype::f64 : Dtype::f32);  // converted
      const Tensor cls = weights_of(other)[0].second;
      EXPECT_TRUE(same_bits(cls.to(Dtype::f32), want[0].second.to(Dtype::f32)));
    }
}

std::vector<PositionConfig> positions() {
  std::vector<PositionConfig> all;
  for (const PositionType& type : position_types())
    for (const std::string& name : type.names) all.push_back(position_preset(name));
  all.push_back(lookhere_position({.directions = {"halves", "zerocorners-none"},
                                   .global_slope = 0.1,
                                   .layer_slopes = {1.0 / 3, 7},
                                   .distance = DistancePower::sqrt,
                                   .fill = MaskFill::zero,
                                   .round_to_bf16 = false}));
  all.push_back(lookhere_position({.distance = DistancePower::square, .fill = MaskFill::max}));
  all.push_back(lookhere_position({.learned_layer_slopes = true}));
  return all;
}

TEST(Weights, ConfigurationsSurviveJson) {
  for (const PositionConfig& position : positions())
    for (const HeadType head : {HeadType::linear, HeadType::mlp})
      for (const Pooling pool : {Pooling::cls, Pooling::mean})
        for (const bool layer_scale : {false, true}) {
          ViTConfig c = tiny(position);
          c.head = head, c.pool = pool, c.layer_scale = layer_scale, c.mlp_ratio = 8.0 / 3, c.norm_eps = 1e-5;
          c.activation = layer_scale ? "swiglu" : "gelu";
          const ViTConfig back = config_from_json(to_json(c));
          EXPECT_EQ(to_json(back), to_json(c));
          EXPECT_TRUE(back.position == position) << to_json(c);
          EXPECT_TRUE(back.head == head && back.pool == pool && back.layer_scale == layer_scale);
          EXPECT_TRUE(back.height == 4 && back.width == 6 && back.patch == 2 && back.channels == 2 &&
                      back.classes == 3 && back.dim == 12 && back.depth == 2 && back.heads == 3);
          EXPECT_TRUE(back.mlp_ratio == 8.0 / 3 && back.norm_eps == 1e-5 && back.activation == c.activation);
          // Files of models that earlier versions know are as those versions wrote them.
          EXPECT_EQ(to_json(c).find("activation") == std::string::npos, !layer_scale);
        }
  // What may be left out has timm's values; one number is a square image.
  const ViTConfig c = config_from_json(R"({"image_size": 32, "patch_size": 4, "channels": 3, "classes": 10, "dim": 8,
      "depth": 1, "heads": 2, "position": {"type": "lookhere", "directions": "none"}, "of a later version": 1})");
  EXPECT_TRUE(c.height == 32 && c.width == 32 && c.mlp_ratio == 4 && c.norm_eps == 1e-6 && !c.layer_scale &&
              c.activation == "gelu");
  EXPECT_TRUE(c.head == HeadType::linear && c.pool == Pooling::cls);
  EXPECT_TRUE(c.position == lookhere_position({.directions = {"none"}}));
}

// What a plain ViT of timm may have beside: written only where it is, so that other files stay as they were.
TEST(Weights, VariantsSurviveFilesAndLeaveOthersAsTheyWere) {
  const TemporaryFolder folder;
  ViTConfig c = tiny(position_preset("learned"));
  for (const char* field :
       {"\"attention\"", "final_norm", "registers", "class_token", "distilled", "bias", "pre_norm", "qk_norm"})
    EXPECT_EQ(to_json(c).find(field), std::string::npos) << field;
  std::vector<ViTConfig> all(3, c);
  all[0].registers = 2, all[0].pre_norm = all[0].qk_norm = true, all[0].patch_bias = all[0].qkv_bias = false;
  all[1].class_token = false, all[1].pool = Pooling::map, all[1].final_norm = FinalNorm::none;
  all[1].head = HeadType::none, all[1].classes = c.dim;
  all[0].attention = AttentionWeights::sigmoid;
  all[2].distilled = true, all[2].head = HeadType::linear, all[2].activation = "quick_gelu";
  for (const ViTConfig& config : all) {
    ViT model(config, 5);
    save_model(folder / "a", model);
    ViT loaded = load_model(folder / "a");
    EXPECT_EQ(to_json(loaded.config()), to_json(config));
    const Var images(rule_images({1, 2, 8, 6}, Dtype::f32));
    EXPECT_TRUE(same_bits(model(images).value(), loaded(images).value()));
  }
}

TEST(Weights, ACheckpointsOptimizerIsLeftAlone) {
  const TemporaryFolder folder;
  ViT model(tiny(), 5);
  AdamW optimizer(parameters_of(model), {.ema_decay = 0.9});
  for (Parameter& p : parameters_of(model)) p.var.set_grad(random(p.var.shape(), 3, Dtype::f32));
  optimizer.step(0.1);
  NamedTensors tensors = weights_of(model);
  for (auto& state : optimizer.state()) tensors.push_back(state);
  save_safetensors(folder / "a", tensors, metadata_of(model));
  ViT loaded = load_model(folder / "a");
  const NamedTensors want = weights_of(model), got = weights_of(loaded);
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(same_bits(got[i].second, want[i].second));
  const Tensor raw = want[0].second.clone();
  // Unless they are asked for by their prefix.
  load_weights(loaded, Safetensors(folder / "a"), "ema.");
  const AdamW::UseEma averaged(optimizer);
  const NamedTensors average = weights_of(model), got_average = weights_of(loaded);
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(same_bits(got_average[i].second, average[i].second));
  EXPECT_FALSE(same_bits(average[0].second, raw));
}

TEST(Weights, ClassNames) {
  const TemporaryFolder folder;
  ViT model(tiny(), 5);
  save_model(folder / "a", model, class_names_metadata({"Mantel", "\xff", "日本"}));
  EXPECT_EQ(class_names_of(Safetensors(folder / "a"), 3), (std::vector<std::string>{"Mantel", "\xEF\xBF\xBD", "日本"}));
  EXPECT_ERROR(class_names_of(Safetensors(folder / "a"), 4), "'class_names' in the metadata must be 4 strings");
  save_model(folder / "b", model);
  EXPECT_EQ(class_names_of(Safetensors(folder / "b"), 2), (std::vector<std::string>{"class 0", "class 1"}));
}

struct Content {
  Json config;
  std::string text;  // instead of config, unless empty
  NamedTensors tensors;
};
using Edit = std::function<void(Content&)>;
Edit set(const char* field, const Json& value) {
  return [=](Content& c) { c.config[field] = value; };
}
Edit set_position(const char* field, const Json& value) {
  return [=](Content& c) { c.config["position"][field] = value; };
}
Edit without(const char* field) {
  return [=](Content& c) { c.config.erase(field); };
}
Edit text(const std::string& text) {
  return [=](Content& c) { c.text = text; };
}
Edit tensor(const std::string& name, const Tensor& value) {
  return [=](Content& c) {
    std::erase_if(c.tensors, [&](const auto& item) { return item.first == name; });
    if (value.defined()) c.tensors.emplace_back(name, value);
  };
}
Edit spoil(const std::string& name, double value) {
  return [=](Content& c) {
    for (auto& [key, t] : c.tensors)
      if (key == name) t = t.clone(), t.host<float>()[1] = static_cast<float>(value);
  };
}
// A table for the largest image from the smallest file: 16 GiB if it were made before the file was looked at.
void huge_table(Content& c) {
  c.config["image_size"] = {16384, 16384}, c.config["patch_size"] = 1, c.config["position"] = {{"type", "learned"}};
  tensor("patch_embed.proj.weight", zeros({12, 2, 1, 1}))(c);
  tensor("pos_embed", zeros({1, 6, 12}))(c);
}

std::vector<std::pair<Edit, std::string>> broken_files() {
  const std::string deep = std::string(12, '[') + std::string(12, ']');
  std::vector<std::pair<Edit, std::string>> all{
      {text("{\"dim\": 12"), "wanted a JSON object, got no valid JSON"},
      {text("[1, 2]"), "wanted a JSON object, got array"},
      {text("7"), "wanted a JSON object, got number"},
      {text(deep), "wanted a JSON object, got array"},
      {text(std::string(500'000, '[') + std::string(500'000, ']')), "config: wanted JSON of at most 16 levels"},
      {text("{\"image_size\":" + deep + "}"), "'image_size' must be [height, width] or one number, got array of 1"},
      {text("{\"image_size\":[" + deep + ",4]}"), "'image_size' must be an integer, got array of 1"},
      {text("{\"image_size\":4,\"patch_size\":" + deep + "}"), "'patch_size' must be an integer, got array of 1"},
      {set("dim", "12\n"), "'dim' must be an integer, got \"12?\""},
      {set("dim", 12.0), "'dim' must be an integer, got 12.0"},
      {set("dim", nullptr), "'dim' must be an integer, got null"},
      {set("dim", 0), "'dim' must be in [1, 1048576], got 0"},
      {set("dim", -12), "'dim' must be in [1, 1048576], got -12"},
      {set("dim", 18446744073709551615U), "'dim' must be in [1, 1048576], got 18446744073709551615"},
      {text("{\"image_size\":4,\"patch_size\":1e99}"), "'patch_size' must be an integer, got 1e+99"},
      {set("dim", 1 << 20), "dim must be in [1, 65536], got 1048576"},
      {set("depth", 257), "depth must be in [1, 256], got 257"},
      {set("heads", 1025), "heads must be in [1, 1024], got 1025"},
      {set("heads", 5), "dim must be a multiple of heads, got 12 and 5"},
      {set("dim", 3 * 257), "head size (dim / heads) must be in [1, 256], got 257"},
      {set("classes", 0), "'classes' must be in"},
      {set("channels", 5000), "channels must be in [1, 4096], got 5000"},
      {set("patch_size", 3), "image size must be a multiple of the patch size 3, got 4x6"},
      {set("image_size", {4}), "'image_size' must be [height, width] or one number, got array of 1"},
      {set("image_size", {4, true}), "'image_size' must be an integer, got true"},
      {set("image_size", {4, 32768}), "image width must be in [1, 16384], got 32768"},
      {set("image_size", {0, 6}), "'image_size' must be in [1, 1048576], got 0"},
      {set("mlp_ratio", 0), "mlp_ratio must be in (0, 64] and leave a hidden unit, got 0"},
      {set("mlp_ratio", 0.01), "mlp_ratio must be in (0, 64] and leave a hidden unit, got 0.01"},
      {set("mlp_ratio", "2"), "'mlp_ratio' must be a number, got string"},
      {set("mlp_ratio", 65), "'mlp_ratio' must be in [0, 64], got 65"},
      {set("norm_eps", 0), "norm_eps must be in (0, 1), got 0"},
      {set("activation", "relu"), "activation: wanted one of gelu, silu, gelu_tanh, quick_gelu, swiglu, got \"relu\""},
      {set("activation", 1), "'activation' must be a string, got number"},
      {set("activation", "swiglu"), "tensor 'blocks.0.mlp.fc2.weight' must be [12, 12], got [12, 24]"},
      {set("layer_scale", 1), "'layer_scale' must be true or false, got number"},
      {set("head", "conv\x1b"), "'head' must be one of linear, mlp, none, got \"conv?\""},
      {set("head", 1), "'head' must be a string, got number"},
      {set("pool", "max"), "'pool' must be one of cls, mean, map, got \"max\""},
      {set("final_norm", "last"), "'final_norm' must be one of tokens, pooled, none, got \"last\""},
      {set("attention", "linear"), "'attention' must be one of softmax, sigmoid, got \"linear\""},
      {set("attention", 1), "'attention' must be a string, got number"},
      {set("registers", -1), "'registers' must be in [0, 1048576], got -1"},
      {set("registers", 1025), "registers must be in [0, 1024], got 1025"},
      {set("registers", 2), "tensor 'reg_token' is missing, wanted [1, 2, 12]"},
      {set("class_token", "no"), "'class_token' must be true or false, got string"},
      {set("class_token", false), "without a class token pool must be mean or map, got cls"},
      {set("head", "none"), "without a head classes must be dim, 12, got 3"},
      {set("distilled", true), "distilled wants a class token, a linear head, pool cls and the norm before it"},
      {set("qkv_bias", false), "unexpected tensor \"blocks.0.attn.qkv.bias\" [36]"},
      {set("patch_bias", false), "unexpected tensor \"patch_embed.proj.bias\" [12]"},
      {set("pre_norm", true), "tensor 'norm_pre.weight' is missing, wanted [12]"},
      {set("qk_norm", true), "tensor 'blocks.0.attn.q_norm.weight' is missing, wanted [4]"},
      {set("final_norm", "pooled"), "tensor 'fc_norm.weight' is missing, wanted [12]"},
      {set("pool", "map"), "tensor 'attn_pool.latent' is missing, wanted [1, 1, 12]"},
      {set("position", "lookhere"), "wanted a JSON object with 'type', got string"},
      {set("position", Json::object()), "'type' is missing"},
      {set_position("type", "polar"),
       "position type: wanted one of lookhere, learned, none, sincos, rope, factorized, fourier, rpe, gpsa, "
       "rope-mixed, fire, window, pape, pape-ri, got \"polar\""},
      {set_position("type", "window"), "'size' is missing"},
      {set("position", {{"type", "window"}, {"size", 1e9}}), "'size' must be an integer, got 1000000000.0"},
      {set("position", {{"type", "fire"}}), "tensor 'blocks.0.attn.fire.measure' is missing, wanted [2]"},
      {set("position", {{"type", "pape"}}), "tensor 'blocks.0.attn.pape.directions' is missing, wanted [150, 2]"},
      {set("position", {{"type", "rope-mixed"}}), "tensor 'blocks.0.attn.freqs' is missing, wanted [3, 2, 2]"},
      {set("position", {{"type", "lookhere"}}), "'directions' is missing"},
      {set_position("directions", "corners-sideways"), "unknown direction name \"sideways\", known: axial, center"},
      {set_position("directions", {"none", 2}), "'directions' must be a string, got number"},
      {set_position("directions", {"none", "none", "none"}), "one string or one per layer (2), got 3"},
      {set_position("directions", Json::array()), "one string or one per layer (2), got 0"},
      {set_position("fill", "nan"), "fill: wanted one of inf, zero, max, got \"nan\""},
      {set_position("distance", "cubic"), "distance: wanted one of linear, sqrt, square, manhattan, got \"cubic\""},
      {set_position("global_slope", -2), "'global_slope' must be in [0, 1000000], got -2"},
      {set_position("layer_slopes", {1, 2, 3}), "'layer_slopes' must be [first, last], got array of 3"},
      {set_position("layer_slopes", {1, "2"}), "'layer_slopes' must be a number, got string"},
      {set_position("layer_slopes", 1), "'layer_slopes' must be [first, last], got 1"},
      {set_position("bf16_round", "no"), "'bf16_round' must be true or false, got string"},
      // Configurations that are right but describe other tensors.
      {set("depth", 256), "tensor 'blocks.2.attn.qkv.weight' is missing, wanted [36, 12]"},
      {set("depth", 1), "unexpected tensor \"blocks.1."},
      {set("dim", 24), "tensor 'cls_token' must be [1, 1, 24], got [1, 1, 12]"},
      {set("classes", 1 << 20), "tensor 'head.fc2.weight' must be [1048576, 24], got [3, 24]"},
      {set("channels", 4096), "tensor 'patch_embed.proj.weight' must be [12, 4096, 2, 2], got [12, 2, 2, 2]"},
      {set("mlp_ratio", 64), "tensor 'blocks.0.mlp.fc1.weight' must be [768, 12], got [24, 12]"},
      {set("head", "linear"), "tensor 'head.weight' is missing, wanted [3, 12]"},
      {set("layer_scale", false), "unexpected tensor \"blocks.0.ls1.gamma\" [12]"},
      {set("position", {{"type", "learned"}}), "tensor 'pos_embed' is missing, wanted [1, 6, 12]"},
      {huge_table, "tensor 'pos_embed' must be [1, 268435456, 12], got [1, 6, 12]"},
      {tensor("norm.bias", {}), "tensor 'norm.bias' is missing, wanted [12]"},
      {tensor("blocks.1.attn.proj.weight", zeros({12, 11})),
       "'blocks.1.attn.proj.weight' must be [12, 12], got [12, 11]"},
      {tensor("cls_token", zeros({12})), "tensor 'cls_token' must be [1, 1, 12], got [12]"},
      {tensor("reg\ntoken", zeros({1})), "unexpected tensor \"reg?token\" [1]"},
      {tensor("pos_embed", zeros({1, 6, 12})), "unexpected tensor \"pos_embed\" [1, 6, 12]"},
      {spoil("norm.weight", std::nan("")), "tensor 'norm.weight' is not finite at element 1"},
      {spoil("head.fc1.weight", HUGE_VAL), "tensor 'head.fc1.weight' is not finite at element 1"},
      {spoil("blocks.1.ls2.gamma", -HUGE_VAL), "tensor 'blocks.1.ls2.gamma' is not finite at element 1"}};
  for (const char* field : {"image_size", "patch_size", "channels", "classes", "dim", "depth", "heads", "position"})
    all.emplace_back(without(field), std::string("'") + field + "' is missing");
  return all;
}

TEST(Weights, BrokenFilesAreNamedAndCostNothing) {
  const TemporaryFolder folder;
  const std::string path = folder / "broken";
  ViT model(tiny(), 5);
  Pool& pool = Pool::of(Device::cpu);
  for (const auto& [edit, message] : broken_files()) {
    SCOPED_TRACE(message);
    Content content{Json::parse(to_json(model.config())), "", weights_of(model)};
    edit(content);
    save_safetensors(path, content.tensors, {{"config", content.text.empty() ? content.config.dump() : content.text}});
    pool.reset_peak();
    const long before = pool.stats().in_use;
    try {
      load_model(path);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      const std::string got = error.what();
      EXPECT_TRUE(got.starts_with(path + ": ")) << got;
      EXPECT_NE(got.find(message), std::string::npos) << got;
      EXPECT_EQ(got.find_first_of("\n\x1b"), std::string::npos) << got;  // one line, and no control of the terminal
      EXPECT_LE(got.size(), 512U);
      EXPECT_EQ(error.code(), Exit::input);
    }
    EXPECT_LE(pool.stats().peak - before, 1 << 20);
    EXPECT_EQ(pool.stats().in_use, before);
  }
}

TEST(Weights, FilesThatAreNoModels) {
  const TemporaryFolder folder;
  ViT model(tiny(), 5);
  save_safetensors(folder / "timm", weights_of(model));
  EXPECT_ERROR(load_model(folder / "timm"), (folder / "timm") + ": the metadata has no 'config'");
  EXPECT_ERROR(load_model(folder / "none"), "cannot open " + (folder / "none"));
  write_file(folder / "empty", "");
  EXPECT_ERROR(load_model(folder / "empty"), (folder / "empty") + ": not a safetensors file");
  save_safetensors(folder / "weights", weights_of(model), metadata_of(model));
  EXPECT_ERROR(load_weights(model, Safetensors(folder / "weights"), "ema."),
               "tensor 'ema.cls_token' is missing, wanted [1, 1, 12]");
}

}  // namespace
}  // namespace lookhere
