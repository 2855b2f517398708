// Other programs' weights: values as theirs, every name that is known, and one line for whatever is not.
#include "vit/model/import/import.h"

#include "tests/tensor/torch_files.h"
#include "tests/vit/model_cases.h"
#include "vit/model/import/timm_models.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

using Json = nlohmann::json;

const Facts kGiven{.heads = 2, .norm_eps = 1e-5, .activation = "gelu", .pool = "cls"};

// A file of torch.save with these tensors; the dict goes through `around` first.
std::string torch_file(const NamedTensors& tensors, const std::string& prefix = "",
                       const std::function<std::string(const std::string&)>& around = {}) {
  Pairs values, storages;
  for (const auto& [name, tensor] : tensors) {
    std::vector<long> strides;
    for (int d = 0; d < tensor.shape().rank(); ++d) {
      long stride = 1;
      for (int k = d + 1; k < tensor.shape().rank(); ++k) stride *= tensor.shape()[k];
      strides.push_back(stride);
    }
    const std::string key = std::to_string(storages.size());
    values.emplace_back(prefix + name, tensor_op(storage_op("FloatStorage", key, tensor.numel()), 0,
                                                 {tensor.shape().begin(), tensor.shape().end()}, strides));
    storages.emplace_back(key, std::string(reinterpret_cast<const char*>(tensor.host<float>()), tensor.bytes()));
  }
  return torch_file_of(around ? around(dict_op(values)) : dict_op(values), storages);
}

ViTConfig tiny() {
  ViTConfig c = small_config(position_from_json({{"type", "learned"}, {"resize", "bicubic_antialias"}}), 2);
  c.width = 4, c.dim = 8, c.head = HeadType::linear;
  return c;
}
Tensor logits_of(ViT& model) {
  const ViTConfig& c = model.config();
  return model(Var(rule_images({2, c.channels, c.height, c.width}, Dtype::f32))).value();
}

// A model's tensors as timm has them, with positions for the tokens before the patches.
NamedTensors as_in_timm(ViT& model, const Tensor& prefix_positions) {
  NamedTensors tensors;
  for (auto& [name, tensor] : weights_of(model)) {
    if (name != "pos_embed" || !prefix_positions.defined()) {
      tensors.emplace_back(name, tensor);
      continue;
    }
    const long prefix = prefix_positions.shape()[1], patches = tensor.shape()[1], dim = tensor.shape()[2];
    const Tensor all = empty({prefix + patches, dim});
    all.rows(0, prefix).copy_from(prefix_positions.reshape({prefix, dim}));
    all.rows(prefix, prefix + patches).copy_from(tensor.reshape({patches, dim}));
    tensors.emplace_back(name, all.reshape({1, prefix + patches, dim}));
  }
  return tensors;
}

class Import : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& bytes) const {
    write_file(folder_ / name, bytes);
    return folder_ / name;
  }
  std::string weights(const NamedTensors& tensors) const {
    save_safetensors(folder_ / "w.safetensors", tensors);
    return folder_ / "w.safetensors";
  }
  TemporaryFolder folder_;
};

// tests/golden/timm.pth was saved by PyTorch 2.15 from a ViT of timm 1.0.31, after 3 epochs and with argparse's options
// beside its weights, some of them in half precision; timm computed these logits in f64.
TEST_F(Import, TimmsLogits) {
  Facts given = kGiven;
  given.norm_eps = 1e-6, given.activation = "quick_gelu";
  Imported imported = import_model("tests/golden/timm.pth", given, "", false);
  const ViTConfig& c = imported.model.config();
  EXPECT_EQ(imported.format, "PyTorch, its key state_dict");
  EXPECT_TRUE(c.height == 8 && c.patch == 4 && c.dim == 8 && c.depth == 1 && c.registers == 1 && c.mlp_ratio == 1.5);
  EXPECT_TRUE(c.qk_norm && c.pre_norm && !c.qkv_bias && !c.patch_bias && c.layer_scale && c.class_token);
  Tensor images = empty({1, 1, 8, 8});
  for (long i = 0; i < 64; ++i) images.host<float>()[i] = static_cast<float>(i % 7 - 3) / 2;
  const Tensor want = from_vector<double>({0.1337526335814571, -0.6771045447850992, 0.9370390325704985}, {1, 3});
  EXPECT_LT(max_relative_error(imported.model(Var(images)).value(), want), 1e-5);
}

TEST_F(Import, PositionsOfTokensJoinThemExactly) {
  ViTConfig c = tiny();
  c.registers = 1;
  ViT model(c, 3);
  NamedTensors theirs = as_in_timm(model, random({1, 2, 8}, 4, Dtype::f32));
  Imported imported = import_model(weights(theirs), kGiven, "", false);
  const NamedTensors got = weights_of(imported.model), before = weights_of(model);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const long row = got[i].first == "cls_token" ? 0 : got[i].first == "reg_token" ? 1 : -1;
    for (long k = 0; k < got[i].second.numel(); ++k) {
      float want = before[i].second.host<float>()[k];
      if (row >= 0) want += random({1, 2, 8}, 4, Dtype::f32).host<float>()[row * 8 + k];
      ASSERT_EQ(got[i].second.host<float>()[k], want) << got[i].first;
    }
  }
}

// Whatever a plain ViT may have, under timm's names, in both formats and with the prefixes of wrappers.
TEST_F(Import, VariantsAndPrefixes) {
  std::vector<ViTConfig> all(5, tiny());
  all[0].registers = 2, all[0].pre_norm = all[0].qk_norm = true, all[0].qkv_bias = all[0].patch_bias = false;
  all[1].class_token = false, all[1].pool = Pooling::map, all[1].head = HeadType::none, all[1].classes = 8;
  all[2].distilled = true, all[2].layer_scale = false;
  all[3].final_norm = FinalNorm::pooled, all[3].pool = Pooling::mean, all[3].mlp_ratio = 11.0 / 8;
  all[4].final_norm = FinalNorm::none, all[4].head = HeadType::mlp;
  Facts given = kGiven;
  given.height = given.width = 4;  // 4 rows of positions may be 3 tokens and a patch
  for (const ViTConfig& config : all) {
    ViT model(config, 3);
    const std::string dict = torch_file(as_in_timm(model, {}), "module.", [](const std::string& weights) {
      return dict_op({{"model", weights}, {"args", "cargparse\nNamespace\n)\x81}b"}});
    });
    for (const std::string& path : {weights(as_in_timm(model, {})), file("w.pth", dict)}) {
      Imported imported = import_model(path, given, "", false);
      EXPECT_EQ(to_json(imported.model.config()), to_json(config));
      EXPECT_TRUE(same_bits(logits_of(imported.model), logits_of(model)));
    }
  }
}

// The same weights under the names of Hugging Face, whose queries, keys and values are tensors of their own.
NamedTensors as_in_hugging_face(ViT& model, const std::vector<std::pair<std::string, std::string>>& names,
                                const std::vector<std::string>& parts) {
  NamedTensors renamed;
  for (auto [name, tensor] : as_in_timm(model, zeros({1, 1, 8}))) {
    for (const auto& [from, to] : names)
      if (const std::size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    const std::size_t at = name.find("attn.qkv.");
    if (at == std::string::npos) {
      renamed.emplace_back(name, tensor);
      continue;
    }
    for (long i = 0; i < 3; ++i) {
      std::string part = name;
      renamed.emplace_back(part.replace(at, 9, parts[i]), tensor.rows(8 * i, 8 * (i + 1)));
    }
  }
  return renamed;
}

TEST_F(Import, HuggingFacesNames) {
  ViTConfig config = tiny();
  config.norm_eps = 1e-12, config.layer_scale = false, config.activation = "gelu_tanh";
  config.position = position_from_json({{"type", "learned"}, {"resize", "bicubic"}});
  ViT model(config, 3);
  NamedTensors old =
      as_in_hugging_face(model,
                         {{"cls_token", "vit.embeddings.cls_token"},
                          {"pos_embed", "vit.embeddings.position_embeddings"},
                          {"patch_embed.proj", "vit.embeddings.patch_embeddings.projection"},
                          {"blocks.", "vit.encoder.layer."},
                          {"norm1", "layernorm_before"},
                          {"norm2", "layernorm_after"},
                          {"attn.proj", "attention.output.dense"},
                          {"mlp.fc1", "intermediate.dense"},
                          {"mlp.fc2", "output.dense"},
                          {"head.", "classifier."}},
                         {"attention.attention.query.", "attention.attention.key.", "attention.attention.value."});
  for (auto& [name, tensor] : old)
    if (name.starts_with("norm.")) name = "vit.layernorm." + name.substr(5);
  const NamedTensors recent = as_in_hugging_face(model,
                                                 {{"cls_token", "embeddings.cls_token"},
                                                  {"pos_embed", "embeddings.position_embeddings"},
                                                  {"patch_embed.proj", "embeddings.patch_embeddings.projection"},
                                                  {"blocks.", "layers."},
                                                  {"attn.proj", "attention.o_proj"},
                                                  {"head.", "classifier."}},
                                                 {"attention.q_proj.", "attention.k_proj.", "attention.v_proj."});
  const Json json{{"model_type", "vit"},
                  {"num_attention_heads", 2},
                  {"layer_norm_eps", 1e-12},
                  {"hidden_act", "gelu_new"},
                  {"id2label", {{"0", "a"}, {"1", "b"}, {"2", "c"}}}};
  file("config.json", json.dump());
  file("preprocessor_config.json",
       R"({"image_mean": [0.5, 0.25], "image_std": [1, 2], "resample": 2, "do_center_crop": true,
           "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}})");
  for (const NamedTensors& theirs : {old, recent}) {
    Imported imported = import_model(weights(theirs), {}, "", false);
    EXPECT_TRUE(same_bits(logits_of(imported.model), logits_of(model)));
    EXPECT_EQ(to_json(imported.model.config()), to_json(config));
    EXPECT_EQ(imported.metadata.at("class_names"), R"(["a","b","c"])");
    EXPECT_EQ(Json::parse(imported.metadata.at("preprocessing")),
              Json::parse(R"({"mean":[0.5,0.25],"std":[1,2],"crop_pct":0.875,"interpolation":"bilinear"})"));
  }
  std::erase_if(old, [](const auto& item) { return item.first.ends_with("1.attention.attention.key.weight"); });
  EXPECT_ERROR(import_model(weights(old), {}, "", false),
               "wanted 3 tensors of one shape for \"blocks.1.attn.qkv.weight\"");
}

TEST_F(Import, NamesOfDinov2sAuthors) {
  ViTConfig config = tiny();
  config.registers = 2, config.head = HeadType::none, config.classes = 8, config.activation = "swiglu";
  ViT model(config, 3);
  NamedTensors theirs{{"mask_token", zeros({1, 8})}};
  for (auto [name, tensor] : as_in_timm(model, zeros({1, 1, 8}))) {  // positions are the class token's and the patches'
    if (name == "reg_token") name = "register_tokens";
    if (const std::size_t at = name.find("mlp.fc1"); at != std::string::npos) name.replace(at, 7, "mlp.w12");
    if (const std::size_t at = name.find("mlp.fc2"); at != std::string::npos) name.replace(at, 7, "mlp.w3");
    theirs.emplace_back(name, tensor);
  }
  Facts given = kGiven;
  given.activation = "swiglu";
  Imported imported = import_model(file("dino.pth", torch_file(theirs)), given, "", false);
  EXPECT_TRUE(same_bits(logits_of(imported.model), logits_of(model)));
  EXPECT_EQ(imported.left_out, std::vector<std::string>{"mask_token"});
}

// {"weights", "config"}, as LookHere's authors release theirs.
TEST_F(Import, LookHeresRelease) {
  const auto config_op = [](const std::string& more) {
    return dict_op({{"head_directions", text_op("corners-triangles-none")},
                    {"global_slope", integer_op(2)},
                    {"layer_slopes",
                     "(" + std::string("G\x3f\xf8\0\0\0\0\0\0", 9) + std::string("G\x3f\xe0\0\0\0\0\0\0", 9) + "t"}}) +
           more;
  };
  ViTConfig config = small_config(position_preset("lh90"));
  config.height = config.width = 224, config.patch = 16;
  ViT model(config, 3);
  const std::string bytes = torch_file(weights_of(model), "", [&](const std::string& weights) {
    return dict_op({{"weights", weights}, {"config", config_op("")}});
  });
  Facts given;
  given.mean = {0.1, 0.2}, given.std = {1, 1};  // this one has two channels
  Imported imported = import_model(file("lh.pth", bytes), given, "", false);
  EXPECT_EQ(to_json(imported.model.config()), to_json(config));
  EXPECT_TRUE(same_bits(logits_of(imported.model), logits_of(model)));
  EXPECT_EQ(imported.metadata.at("preprocessing"),
            R"({"mean":[0.1,0.2],"std":[1.0,1.0],"crop_pct":0.875,"interpolation":"bilinear"})");
  const std::string sideways = torch_file(weights_of(model), "", [&](const std::string& weights) {
    return dict_op({{"weights", weights}, {"config", dict_op({{"head_directions", text_op("sideways")}})}});
  });
  EXPECT_ERROR(import_model(file("lh.pth", sideways), given, "", false), "unknown direction name \"sideways\"");
}

TEST_F(Import, TimmKnowsWhatWeightsDoNotSay) {
  EXPECT_EQ(timm_model("timm/vit_base_patch16_gap_224.in1k").heads, 16);
  EXPECT_EQ(timm_model("vit_base_patch32_clip_quickgelu_224").activation, std::string("quick_gelu"));
  EXPECT_ERROR(timm_model("vit_base_patch16_rpn_224"), "--model: wanted the name of one of timm's plain ViTs");
  EXPECT_ERROR(timm_model(""), "got \"\"");
  ViTConfig config = tiny();
  config.channels = 3, config.dim = 6, config.heads = 6;
  ViT model(config, 3);
  const std::string path = weights(weights_of(model));
  Imported named = import_model(path, {}, "vit_small_patch16_384", false);
  EXPECT_EQ(named.model.config().heads, 6);
  EXPECT_EQ(named.model.config().norm_eps, 1e-6);
  file("config.json", R"({"architecture": "vit_small_patch16_224", "global_pool": "avg", "pretrained_cfg":
      {"mean": [0, 0, 0], "std": [1, 1, 1], "crop_pct": 0.8, "interpolation": "bilinear"}})");
  Facts given;
  given.norm_eps = 1e-3;
  Imported beside = import_model(path, given, "", false);
  EXPECT_TRUE(beside.model.config().pool == Pooling::mean && beside.model.config().norm_eps == 1e-3);
  EXPECT_EQ(beside.metadata.at("preprocessing"),
            R"({"mean":[0.0,0.0,0.0],"std":[1.0,1.0,1.0],"crop_pct":0.8,"interpolation":"bilinear"})");
}

using Edit = std::function<void(NamedTensors&)>;
Edit tensor(const std::string& name, const Tensor& value) {
  return [=](NamedTensors& tensors) {
    std::erase_if(tensors, [&](const auto& item) { return item.first == name; });
    if (value.defined()) tensors.emplace_back(name, value);
  };
}

TEST_F(Import, WeightsThatAreNoneOfAPlainViT) {
  ViT model(tiny(), 3);
  Tensor spoilt = zeros({8});
  spoilt.host<float>()[3] = NAN;
  const std::vector<std::pair<Edit, std::string>> cases{
      {tensor("patch_embed.proj.weight", {}), "tensor \"patch_embed.proj.weight\" is missing, so this is no plain"},
      {tensor("patch_embed.proj.weight", zeros({8, 8})), "\"patch_embed.proj.weight\": wanted 4 sizes, got [8, 8]"},
      {tensor("patch_embed.proj.weight", zeros({8, 2, 2, 1})), "wanted square patches, got [8, 2, 2, 1]"},
      {tensor("patch_embed.proj.weight", zeros({0, 2, 2, 2})), "pos_embed: wanted [1, tokens, 0], got [1, 4, 8]"},
      {tensor("blocks.0.mlp.fc1.weight", {}), "tensor \"blocks.0.mlp.fc1.weight\" is missing"},
      {tensor("blocks.1.attn.qkv.weight", zeros({24, 7})), "\"blocks.1.attn.qkv.weight\": wanted [24, 8], got [24, 7]"},
      {tensor("blocks.255.norm1.bias", zeros({8})), "tensor \"blocks.2.attn.qkv.weight\" is missing"},
      {tensor("blocks.256.norm1.bias", zeros({8})), "\"blocks.256.norm1.bias\": wanted blocks 0 to 255"},
      {tensor("blocks.x.norm1.bias", zeros({8})), "\"blocks.x.norm1.bias\": wanted blocks 0 to 255"},
      {tensor("blocks.99999999999999999999.norm1", zeros({8})), "wanted blocks 0 to 255"},
      {tensor("pos_embed", {}), "without pos_embed: give --position with what tells patches apart, and --img-size"},
      {tensor("pos_embed", zeros({1, 7, 8})), "pos_embed [1, 7, 8] with 1 tokens before the patches is no square grid"},
      {tensor("reg_token", zeros({1, 2, 8})),
       "pos_embed [1, 4, 8] with 3 tokens before the patches is no square grid, or"},
      {tensor("pos_embed", zeros({1, 4, 9})), "pos_embed: wanted [1, tokens, 8], got [1, 4, 9]"},
      {tensor("cls_token", zeros({8})), "\"cls_token\": wanted [1, 1, 8], got [8]"},
      {tensor("norm.bias", {}), "tensor \"norm.bias\" is missing"},
      {tensor("head.bias", zeros({4})), "tensor \"head.bias\": wanted [3], got [4]"},
      {tensor("head.weight", zeros({3, 16})), "tensor \"head.weight\": wanted [3, 8], got [3, 16]"},
      {tensor("head.bias", from_vector<i64>({1}, {1})), "wanted [3], got [1]"},
      {tensor("norm.bias", spoilt), "\"norm.bias\" is not finite at element 3"},
      {tensor("blocks.0.attn.relative_position_bias_table", zeros({9, 2})),
       "unexpected tensor \"blocks.0.attn.relative_position_bias_table\" [9, 2]: this model has something"},
      {tensor("blocks.0.attn.norm.weight", zeros({8})), "tensor \"blocks.0.attn.norm.bias\" is missing"},
      {tensor("fc_norm.weight", zeros({8})), "tensor \"fc_norm.bias\" is missing"},
      {tensor("register_tokens", zeros({1, 2000, 8})), "registers must be in [0, 1024], got 2000"},
      {tensor("mask_token", zeros({1, 8})), ""}};
  for (const auto& [edit, message] : cases) {
    NamedTensors tensors = weights_of(model);
    edit(tensors);
    const std::string path = weights(tensors);
    if (message.empty())
      EXPECT_NO_THROW(import_model(path, kGiven, "", false));
    else
      EXPECT_ERROR(import_model(path, kGiven, "", false), message);
  }
  const std::string path = weights(weights_of(model));
  EXPECT_ERROR(import_model(path, {}, "", false),
               "give --model with timm's name, or --heads, --norm-eps, --activation, --pool");
  EXPECT_ERROR(import_model(path, {.heads = 2, .activation = "gelu"}, "", false), "or --norm-eps, --pool");
  Facts wrong = kGiven;
  wrong.pool = "max";
  EXPECT_ERROR(import_model(path, wrong, "", false),
               "--pool: wanted one of cls, mean, map, mean_prefix, map_prefix, got \"max\"");
  wrong = kGiven, wrong.mean = {1};
  EXPECT_ERROR(import_model(path, wrong, "", false), "--mean and --std: wanted 2 numbers each");
  wrong.mean = {1, 1}, wrong.std = {1, 0};
  EXPECT_ERROR(import_model(path, wrong, "", false), "--std: wanted numbers above 0, got 0");
  wrong = kGiven, wrong.heads = 3;
  EXPECT_ERROR(import_model(path, wrong, "", false), "dim must be a multiple of heads, got 8 and 3");
  EXPECT_ERROR(import_model(path, kGiven, "", true), "has no averaged weights");
}

TEST_F(Import, FilesAndConfigurationsThatAreNone) {
  const std::string tensor = tensor_op(storage_op("FloatStorage", "0", 1), 0, {1}, {1});
  const auto torch = [&](const std::string& value) { return torch_file_of(value, {{"0", std::string(4, '\0')}}); };
  const std::vector<std::pair<std::string, std::string>> files{
      {"", "neither safetensors nor a file of torch.save"},
      {torch("]"), "wanted a dict of tensors"},
      {torch("}"), "wanted a dict of tensors, by itself or under state_dict, model, weights, got nothing"},
      {torch(dict_op({{"epoch", "K\1"}, {"a\nb", "N"}})), "got \"epoch\", \"a?b\""},
      {torch("cnumpy.core.multiarray\nscalar\n)R"), "a whole object of the class \"numpy.core.multiarray scalar\""},
      {torch(dict_op({{"model", "ctimm\nViT\n)\x81"}})), "\"model\" is an object of the class \"timm ViT\""},
      {torch(dict_op({{"w", tensor}, {"x", "cos\nsystem\n)R"}})), "\"x\" is made by \"os system\", which is not known"},
      {torch(dict_op({{"w", tensor}, {"x", "K\1"}})), "\"x\" is no tensor"},
      {torch(dict_op({{std::string(513, 'n'), tensor}})), "has 513 bytes, at most 512"},
      {torch("}(K\1" + tensor + "u"), "a tensor whose name is no text"},
      {torch(dict_op({{"w", tensor}, {"w", tensor}})), "tensor \"w\" appears twice"}};
  for (const auto& [bytes, message] : files)
    EXPECT_ERROR(import_model(file("a.pth", bytes), kGiven, "", false), message);
  EXPECT_ERROR(import_model(file("a.pth", torch("}")), kGiven, "", true), "tensors under state_dict_ema, model_ema");

  ViT model(tiny(), 3);
  const std::string path = weights(weights_of(model));
  const std::vector<std::pair<std::string, std::string>> configurations{
      {"[]", "config.json: text: wanted a JSON object, got array"},
      {R"({"model_type": "swin"})",
       "'model_type' must be one of vit, deit, dinov2, dinov2_with_registers, got \"swin\""},
      {R"({"model_type": "vit"})", "'num_attention_heads' is missing"},
      {R"({"architecture": "resnet50"})", "config.json: --model: wanted the name"},
      {R"({"architecture": 5})", "'architecture' must be a string"},
      {R"({"model_type": "vit", "num_attention_heads": 2, "layer_norm_eps": 1e-6, "hidden_act": "gelu",
           "id2label": {"0": "a", "2": "b"}})",
       "'id2label' has no class 1"},
      {R"({"model_type": "vit", "num_attention_heads": 2, "layer_norm_eps": 1e-6, "hidden_act": "gelu",
           "id2label": {"0": "a", "1": "b"}})",
       "3 classes, but 2 names of classes"},
      {R"({"model_type": "vit", "num_attention_heads": 2, "layer_norm_eps": 1e-6, "hidden_act": "relu"})",
       "activation: wanted one of"}};
  for (const auto& [json, message] : configurations) {
    file("config.json", json);
    EXPECT_ERROR(import_model(path, {}, "", false), message);
  }
  file("config.json", "{}");
  EXPECT_NO_THROW(import_model(path, kGiven, "", false));
}

}  // namespace
}  // namespace lookhere
