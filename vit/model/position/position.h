// How a model knows where its patches are. An encoding is one file in this folder, and a line each in types.h and
// registry.cpp: a class with the hooks it needs, which the model calls where they belong. Nothing else asks which
// encoding it is.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nn/layers.h"
#include "vit/model/range.h"

namespace lookhere {

// What an encoding is told of the model that it is for.
struct PositionSizes {
  long heads, depth, dim;
  Grid grid;             // of the images that the model is made for: what learned tables cover
  long prefix = 1;       // tokens before the patches
  bool sigmoid = false;  // weights are sigmoids, with no sum over keys
  long head_dim() const { return dim / heads; }
};

// A parameter of an encoding: its name in the model, its shape and its first values.
struct PositionParameter {
  std::string name;
  Shape shape;
  std::function<Var(Init& init, const Shape& shape)> init;
};

// A parameter's value in a model that is made for another grid.
struct MovedParameter {
  std::size_t place;
  Var value;
};

// A head of attention and its direction in words: "up&left", "all".
struct NamedHead {
  std::string name;
  LookHereHead head;
};

// Attention by position: its logits by offset, as a table of attention_learned, and its share of each head, [heads].
struct PositionalAttention {
  Var table, share;
};

// One layer's heads in words, for `info` and pictures: their penalty is global slope × layer slope × head slope ×
// distance.
struct HeadsInWords {
  std::string directions;  // "halves-diagonals-none"
  std::string origin;      // whose layout it is
  std::string slopes;      // of all layers: "global slope 2, layer slopes 1.5 to 0.5"
  double global_slope = 0, layer_slope = 0;
  std::string distance;  // "√distance; masked patches cost nothing"
};

// What suits images of other sizes than training's with another value, and what is tried of it, by its value.
struct TunableNumber {
  const char* option;
  double value;
  std::array<double, 8> factors;
};

// A value of an option on the command line.
using PositionValue = std::variant<double, std::string, std::vector<double>, std::vector<std::string>>;

// Immutable: the parameters' values belong to the model.
class PositionEncoding {
 public:
  virtual ~PositionEncoding() = default;

  // -- hooks: the defaults do nothing --------------------------------------------------------------------------------
  // `inputs` are the parameters in the order of parameters() and, behind them, what constants() gives for this grid.
  // Added to the patch tokens: [patches of `grid`, dim]; undefined: nothing. Without parameters it is a constant,
  // computed once per grid, in host memory: the model moves it to its device.
  virtual Var embed(const PositionSizes& sizes, std::span<const Var> inputs, Grid grid, Dtype dtype) const;
  // Turns q and k in every layer (RoPE); undefined tensors: does not. `dtype` is that of sums; in host memory as well.
  virtual Rotation rotate(const PositionSizes& sizes, Grid grid, Dtype dtype) const;
  // What the heads of a layer see and what distance costs; empty: everything, nothing.
  virtual std::vector<NamedHead> bias(const PositionSizes& sizes, long layer) const;
  // A bias by offset with a gradient, [heads, 2·grid.y - 1, 2·grid.x - 1], -inf where a head does not look
  // (attention_learned); undefined: none. It takes the place of what distance costs by `bias`.
  virtual Var table(const PositionSizes& sizes, std::span<const Var> inputs, Grid grid, long layer) const;
  // Beside a table: the bias of prefix tokens as keys, [heads, 2] (attention_learned); undefined: none.
  virtual Var prefix(const PositionSizes& sizes, std::span<const Var> inputs, Grid grid, long layer) const;
  // A second attention, by position alone, and its share of each head; undefined: none.
  virtual PositionalAttention by_position(const PositionSizes& sizes, std::span<const Var> inputs, Grid grid,
                                          long layer) const;
  // Angles that turn q and k of each head, with a gradient, [patches, heads·head size / 2] (rotate_by); undefined:
  // none.
  virtual Var angles(const PositionSizes& sizes, std::span<const Var> inputs, Grid grid, long layer) const;
  // Gives, of the tokens that a layer's attention is given, a bias of each query's own; empty: none. It may outlive
  // `inputs`.
  virtual std::function<QueryBias(const Var& tokens)> by_query(const PositionSizes& sizes, std::span<const Var> inputs,
                                                               Grid grid, long layer) const;
  // What the hooks above compute with, made once per grid, in host memory: the model moves it to its device.
  virtual std::vector<Tensor> constants(const PositionSizes& sizes, Grid grid, Dtype dtype) const;
  // The parameters that differ, by their place in parameters(), in a model made for images of `grid` that computes
  // there what this one does (fine-tuning); none: it has the same.
  virtual std::vector<MovedParameter> moved_to(const PositionSizes& sizes, std::span<const Var> inputs,
                                               Grid grid) const;

  // -- the rest of an encoding ---------------------------------------------------------------------------------------
  virtual std::vector<PositionParameter> parameters(const PositionSizes& sizes) const;
  // Throws Error for a model that this encoding does not fit.
  virtual void check_fits(const PositionSizes& sizes) const;
  // Its fields in a model's configuration, "type" included.
  virtual nlohmann::json to_json() const = 0;
  // Takes an option of its PositionType's. Throws Error for a value that is none.
  virtual void set(std::string_view option, const PositionValue& value);
  virtual HeadsInWords in_words(const PositionSizes& sizes, long layer) const;
  // The same for pictures and words, with what training has made of the settings that it changes; null: it changes
  // none.
  virtual std::shared_ptr<const PositionEncoding> as_trained(std::span<const Var> parameters) const;
  // What is tuned where images are larger than in training, as in the paper (A.4.4); none: nothing is.
  virtual std::optional<TunableNumber> tunable() const { return std::nullopt; }
};

// An encoding with its settings, a value: copies share what does not change.
class PositionConfig {
 public:
  PositionConfig();  // LookHere, LH-90
  explicit PositionConfig(std::shared_ptr<const PositionEncoding> encoding) : encoding_(std::move(encoding)) {}
  const PositionEncoding& operator*() const { return *encoding_; }
  const PositionEncoding* operator->() const { return encoding_.get(); }
  bool operator==(const PositionConfig& other) const;  // equal settings

 private:
  std::shared_ptr<const PositionEncoding> encoding_;
};

// An option of the command line, of config.toml and of a recipe's JSON.
struct PositionOption {
  const char* name;     // "global-slope"
  PositionValue unset;  // leaves the encoding as it is
  Range range;
  const char* help;
};

// One encoding, as the registry lists it.
struct PositionType {
  std::vector<std::string> names;  // of --position: presets of this encoding
  std::string help;                // the same with what they mean
  // The preset `name`.
  std::shared_ptr<PositionEncoding> (*make)(const std::string& name);
  std::vector<PositionOption> options;
  std::string json_type;  // "type" in a model's configuration; empty: another entry reads it
  std::shared_ptr<PositionEncoding> (*from_json)(const nlohmann::json& json);
};
const std::vector<PositionType>& position_types();
std::string position_help();  // of --position: all names

// {"type": ..., and the encoding's own fields}. Throws Error.
PositionConfig position_from_json(const nlohmann::json& json);
nlohmann::json to_json(const PositionConfig& config);

// The options of all encodings with what a user has said.
class PositionOptions {
 public:
  PositionOptions();  // all unset
  // f(option, value) for each
  void visit(auto&& f) {
    for (Setting& setting : settings_) f(*setting.option, setting.value);
  }
  void visit(auto&& f) const {
    for (const Setting& setting : settings_) f(*setting.option, setting.value);
  }
  PositionValue& operator[](std::string_view name);  // throws Error if there is no such option

 private:
  struct Setting {
    const PositionOption* option;
    PositionValue value;
  };
  std::vector<Setting> settings_;
};

// A position by its command-line name, with the options that are set. Throws Error for an unknown name, and for options
// that belong to other encodings.
PositionConfig position_preset(const std::string& name, const PositionOptions& options = {});
// The same encoding with the options that are set, which must be its own.
PositionConfig with_options(const PositionConfig& config, const PositionOptions& options);

}  // namespace lookhere
