// The configuration that names and shapes tell of.
#include "vit/model/import/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tensor/file.h"
#include "tensor/text.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

class Shapes {
 public:
  explicit Shapes(const ForeignFile& file) : file_(file) {}
  bool has(const std::string& name) const { return file_.tensors.contains(name); }
  const Shape& of(const std::string& name, int rank) const {
    const auto found = file_.tensors.find(name);
    check(found != file_.tensors.end(), file_.path, ": tensor ", shown(name),
          " is missing, so this is no plain Vision Transformer whose names are known");
    check(found->second.shape.rank() == rank, file_.path, ": tensor ", shown(name), ": wanted ", rank, " sizes, got ",
          found->second.shape);
    return found->second.shape;
  }
  // One more than the highest number of a block.
  long depth() const {
    long depth = 0;
    const std::string blocks = "blocks.";
    for (auto at = file_.tensors.lower_bound(blocks); at != file_.tensors.end() && at->first.starts_with(blocks);
         ++at) {
      long block = -1;
      const char* begin = at->first.data() + blocks.size();
      const auto [end, error] = std::from_chars(begin, at->first.data() + at->first.size(), block);
      check(error == std::errc() && *end == '.' && block >= 0 && block < 256, file_.path, ": tensor ", shown(at->first),
            ": wanted blocks 0 to 255");
      depth = std::max(depth, block + 1);
    }
    return depth;
  }

 private:
  const ForeignFile& file_;
};

// The numbers that decide how much memory the model takes are those of tensors that the file has.
void check_blocks(const ForeignFile& file, const Shapes& shapes, const ViTConfig& c, long hidden_out) {
  const auto wanted = [&](const std::string& name, const Shape& shape) {
    check(shapes.of(name, shape.rank()) == shape, file.path, ": tensor ", shown(name), ": wanted ", shape, ", got ",
          shapes.of(name, shape.rank()));
  };
  for (long i = 0; i < c.depth; ++i) {
    const std::string block = concat("blocks.", i, '.');
    wanted(block + "attn.qkv.weight", {checked_mul(3, c.dim), c.dim});
    wanted(block + "mlp.fc1.weight", {c.mlp_hidden(), c.dim});
    wanted(block + "mlp.fc2.weight", {c.dim, hidden_out});
  }
}

// The grid that `patches` patches are: the images', if they are known, or a square.
bool fits(long patches, long patch, ViTConfig& c) {
  if (c.height > 0) return patches == c.height / patch * (c.width / patch);
  const long side = std::lround(std::sqrt(static_cast<double>(patches)));
  if (patches < 1 || side * side != patches) return false;
  c.height = c.width = side * patch;
  return true;
}

// Of pos_embed's rows those of tokens before the patches: of all of them, of the class token alone, or of none.
long set_image_size(const ForeignFile& file, const Shapes& shapes, ViTConfig& c) {
  const Shape& table = shapes.of("pos_embed", 3);
  check(table[0] == 1 && table[2] == c.dim, file.path, ": pos_embed: wanted [1, tokens, ", c.dim, "], got ", table);
  std::vector<long> found;
  ViTConfig with;
  for (const long prefix : {c.prefix(), c.class_token ? 1L : 0L, 0L}) {
    ViTConfig tried = c;
    if ((!found.empty() && found.back() <= prefix) || !fits(table[1] - prefix, c.patch, tried)) continue;
    found.push_back(prefix), with = tried;
  }
  check(found.size() == 1, file.path, ": pos_embed ", table, " with ", c.prefix(),
        " tokens before the patches is no square grid, or more than one: give the images' size with --img-size");
  c = with;
  return found[0];
}

bool has_table(const PositionConfig& position, const PositionSizes& sizes) {
  const std::vector<PositionParameter> all = position->parameters(sizes);
  return all.size() == 1 && all[0].name == "pos_embed";
}

void set_ends(const ForeignFile& file, const Shapes& shapes, const Facts& facts, ViTConfig& c) {
  c.class_token = shapes.has("cls_token");
  c.registers = shapes.has("reg_token") ? shapes.of("reg_token", 3)[1] : 0;
  c.distilled = shapes.has("dist_token") && shapes.has("head_dist.weight");
  // Without a head of its own a distillation token is a token that nothing is read from.
  if (shapes.has("dist_token") && !c.distilled) {
    check(c.registers == 0, file.path, ": reg_token beside dist_token without head_dist is not supported");
    c.registers = 1;
  }
  c.final_norm = shapes.has("fc_norm.weight") ? FinalNorm::pooled
                 : shapes.has("norm.weight")  ? FinalNorm::tokens
                                              : FinalNorm::none;
  // What the tensors themselves say. Attention pooling beside a class token or registers may be over these too, which
  // no model here does: somebody has to say that it is not.
  const bool map = shapes.has("attn_pool.latent");
  const bool mean = !map && (c.final_norm == FinalNorm::pooled || !c.class_token);
  std::string pool = map && c.prefix() == 0 ? "map" : mean && facts.pool != "mean_prefix" ? "mean" : facts.pool;
  const std::vector<std::string> known{"cls", "mean", "map", "mean_prefix", "map_prefix"};
  check(pool.empty() || std::ranges::find(known, pool) != known.end(), "--pool: wanted one of ", joined(known),
        ", got ", shown(pool));
  c.pool = pool.starts_with("map") ? Pooling::map : pool.starts_with("mean") ? Pooling::mean : Pooling::cls;
  c.pool_include_prefix = pool.ends_with("_prefix");
  c.head = shapes.has("head.weight")       ? HeadType::linear
           : shapes.has("head.fc2.weight") ? HeadType::mlp
                                           : HeadType::none;
  c.classes = c.head == HeadType::linear ? shapes.of("head.weight", 2)[0]
              : c.head == HeadType::mlp  ? shapes.of("head.fc2.weight", 2)[0]
                                         : c.dim;
  std::vector<std::string> missing;
  if (facts.heads == 0) missing.emplace_back("--heads");
  if (facts.norm_eps == 0) missing.emplace_back("--norm-eps");
  if (facts.activation.empty()) missing.emplace_back("--activation");
  if (pool.empty()) missing.emplace_back("--pool");
  check(missing.empty(), file.path, ": its tensors do not say all of the model: give --model with timm's name, or ",
        joined(missing));
}

}  // namespace

InferredConfig infer_config(const ForeignFile& file, const Facts& facts) {
  const Shapes shapes(file);
  const Shape& patches = shapes.of("patch_embed.proj.weight", 4);
  check(patches[2] == patches[3] && patches[2] >= 1, file.path,
        ": patch_embed.proj.weight: wanted square patches, got ", patches);
  ViTConfig c;
  c.dim = patches[0], c.channels = patches[1], c.patch = patches[2];
  c.height = facts.height, c.width = facts.width;
  c.depth = shapes.depth();
  set_ends(file, shapes, facts, c);
  c.heads = facts.heads, c.norm_eps = facts.norm_eps, c.activation = facts.activation;
  c.layer_scale = shapes.has("blocks.0.ls1.gamma");
  c.qkv_bias = shapes.has("blocks.0.attn.qkv.bias");
  c.qk_norm = shapes.has("blocks.0.attn.q_norm.weight");
  c.patch_bias = shapes.has("patch_embed.proj.bias");
  c.pre_norm = shapes.has("norm_pre.weight");
  c.embed_norm = shapes.has("patch_embed.norm.weight");
  c.sub_norm = shapes.has("blocks.0.attn.norm.weight");
  c.proj_bias = shapes.has("blocks.0.attn.proj.bias");
  c.rms_norm = shapes.has("blocks.0.norm1.weight") && !shapes.has("blocks.0.norm1.bias");
  const long hidden = shapes.of("blocks.0.mlp.fc1.weight", 2)[0];
  c.mlp_ratio = static_cast<double>(hidden) / static_cast<double>(std::max(c.dim, 1L));
  if (c.mlp_hidden() < hidden) c.mlp_ratio = std::nextafter(c.mlp_ratio, HUGE_VAL);
  long prefix = 0;
  if (shapes.has("pos_embed")) {
    const std::string resize = facts.resize.empty() ? "bicubic_antialias" : facts.resize;
    const bool said = facts.position && has_table(*facts.position, c.position_sizes());
    c.position = said ? *facts.position : PositionConfig(learned_type().from_json({{"resize", resize}}));
    prefix = set_image_size(file, shapes, c);
  } else {
    check(facts.position && facts.height > 0, file.path,
          ": without pos_embed: give --position with what tells patches apart, and --img-size");
    c.position = *facts.position;
  }
  c.validate();
  check_blocks(file, shapes, c, shapes.of("blocks.0.mlp.fc2.weight", 2)[1]);
  return {.config = c, .prefix_rows = prefix};
}

}  // namespace lookhere
