// lookhere info: what is in a file, without loading it; or about this program and machine.
#include <fmt/format.h>

#include <optional>
#include <set>

#include "tensor/machine.h"
#include "vit/cli/commands.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"
#include "vit/train/checkpoint.h"

namespace lookhere {
namespace {

void print_machine() { print("lookhere  {}\ncpu       {}\ngpu       {}\n", kVersion, describe_cpu(), describe_gpu()); }

void print_heads(const PositionConfig& position, const PositionSizes& sizes) {
  if (position->bias(sizes, 0).empty()) return;
  const HeadsInWords words = position->in_words(sizes, 0);
  print("heads     {}; {}\n", words.origin, words.slopes);
  for (long layer = 0; layer < sizes.depth; ++layer) {
    const std::vector<NamedHead> heads = position->bias(sizes, layer);
    std::string line;
    for (const auto& [name, head] : heads) line += fmt::format("  {} {:.3g}", name, head.slope);
    print("  layer {:>2} x{:<5.3g}{}\n", layer, heads[0].head.layer_slope, line);
  }
}

void print_preprocessing(const Preprocessing& p) {
  print("images    normalised with mean {} and std {}\n", listed(p.mean), listed(p.std));
  if (p.crop_ratio > 0)
    print("          the shorter side resized to size / {} ({}), the centre seen\n", p.crop_ratio,
          name_of(p.interpolation));
  print("          sizes that are no multiple of the patch: {}\n", name_of(p.size_rule));
}

// Of a tensor of one number, such as a learned slope.
std::string only_value(const Safetensors& file, const Safetensors::Entry& entry) {
  const std::set<std::string> readable{"F32", "F64", "BF16", "F16"};
  if (entry.shape.numel() != 1 || !readable.contains(entry.dtype)) return "";
  return fmt::format(" = {:.6g}", file.read(entry.name).item());
}

class Info : public Command {
 public:
  Page page() const override {
    return {.name = "info",
            .summary = "What is in a model or checkpoint; without a file: about this program",
            .examples = "  lookhere info\n  lookhere info best.safetensors"};
  }
  void add_options(Options& o) override {
    o.add({.names = "file", .help = "safetensors file", .file = File::model}, file);
  }
  void run() const override;

 private:
  std::string file;
};

void Info::run() const {
  if (file.empty()) return print_machine();
  const Safetensors open(file);
  long values = 0, bytes = 0;
  for (const auto& entry : open.entries()) values += entry.shape.numel(), bytes += entry.end - entry.begin;
  // All that can fail, before anything is printed.
  std::optional<ViTConfig> config;
  if (open.metadata().contains("config")) config = config_of(open);
  std::optional<Preprocessing> preprocessing;
  PositionConfig position;
  if (config) preprocessing = preprocessing_of(open, config->channels), position = trained_position_of(open);
  std::vector<std::string> values_shown;
  for (const auto& entry : open.entries()) values_shown.push_back(only_value(open, entry));
  print("file      {}: {} tensors, {} values, {:.1f} MB\n", file, open.entries().size(), values,
        static_cast<double>(bytes) / 1e6);
  for (const auto& [key, value] : open.metadata())
    if (key != "xxh3.tensors") print("metadata  {} = {}\n", key, value);  // thousands of digits
  if (config) {
    print("model     {}x{} px, {}x{} patches of {}, {} blocks of {} features and {} heads, {} classes\n",
          config->height, config->width, config->grid().y, config->grid().x, config->patch, config->depth, config->dim,
          config->heads, config->classes);
    const double work = multiply_adds(*config, config->grid());
    print("work      {:.4g} GMAC an image forward: multiply-adds of what its heads see\n", work / 1e9);
    if (preprocessing) print_preprocessing(*preprocessing);
    print_heads(position, config->position_sizes());
  }
  for (std::size_t i = 0; i < values_shown.size(); ++i) {
    const Safetensors::Entry& entry = open.entries()[i];
    print("tensor    {:<40} {:<5} {}{}\n", entry.name, entry.dtype, concat(entry.shape), values_shown[i]);
  }
}

}  // namespace

std::unique_ptr<Command> make_info() { return std::make_unique<Info>(); }

}  // namespace lookhere
