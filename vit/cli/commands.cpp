// The list of commands, and what several of them have in common.
#include "vit/cli/commands.h"

#include <filesystem>

#include "tensor/device.h"
#include "tensor/machine.h"
#include "tensor/text.h"
#include "vit/data/image_folder.h"
#include "vit/data/webdataset.h"
#include "vit/show/console.h"

namespace lookhere {

std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> all;
  for (const auto make : {make_train, make_eval, make_predict, make_gallery, make_forward, make_gradients, make_masks,
                          make_attend, make_bench, make_info, make_verify_data, make_augment, make_import, make_export,
                          make_compare, make_report, make_plan, make_manual})
    all.push_back(make());
  return all;
}

void add_fields(Options& options, Recipe& recipe, const std::set<std::string>& only, const char* not_with) {
  using File = Options::File;
  recipe.visit([&](const RecipeOption& option, auto& field) {
    const std::string name = option.name;
    if (!only.empty() && !only.contains(name) && !only.contains(option.group)) return;
    const char* letter = name == "batch-size" ? "-b," : name == "workers" ? "-j," : "";
    const File file = name == "initial-checkpoint"            ? File::model
                      : name == "data" || name == "class-map" ? File::read
                                                              : File::none;
    options.add({.names = letter + ("--" + name),
                 .help = option.help,
                 .group = option.group,
                 .has_no = true,
                 .file = file,
                 .not_with = not_with},
                field);
  });
}

void RecipeCommand::add_beginnings(Options& o) {
  static const std::string presets = "options to begin with: " + preset_names() + "; the command line wins";
  o.add({.names = "--recipe", .help = presets}, preset);
  o.add({.names = "-c,--config",
         .help = "read options from a TOML file; the command line wins",
         .file = Options::File::read},
        config);
}

void add_device(Options& options, DeviceChoice& choice) {
  options.add({.names = "--device", .help = kDeviceDescription}, choice.name);
  options.add({.names = "--tf32", .help = kTf32Description}, choice.tf32);
}

void add_global_slope(Options& options, double& slope) {
  options.add({.names = "--global-slope",
               .help = "LookHere: another global slope than the model's (negative: its own; 0: no masks either)",
               .range = {-1e9, 1e6}},
              slope);
}
ViTConfig with_global_slope(ViTConfig config, double slope) {
  PositionOptions options;
  options["global-slope"] = slope;
  config.position = with_options(config.position, options);
  return config;
}

std::vector<std::string> comma_list(const std::string& text) {
  std::vector<std::string> parts = split(text, ',');
  for (std::string& part : parts) {
    const std::size_t begin = std::min(part.find_first_not_of(' '), part.size());
    part = part.substr(begin, part.find_last_not_of(' ') + 1 - begin);
  }
  return parts;
}

void require_no_class(const std::string& output, const std::string& data) {
  check(is_named_dataset(data) || !is_among_classes(data, output), "--output ", output, ": lies in the image folder ",
        data, ", of which it would become a class: choose another place");
}

Recipe with_absolute_data(Recipe recipe) {
  std::error_code ignored;
  if (!is_named_dataset(recipe.data) &&
      (std::filesystem::is_directory(recipe.data, ignored) || names_archives(recipe.data)))
    recipe.data = absolute_path(recipe.data);
  if (std::filesystem::exists(recipe.class_map, ignored)) recipe.class_map = absolute_path(recipe.class_map);
  return recipe;
}

void announce() {
  say("lookhere {}: {}\n", kVersion, describe_cpu());
  if (const std::string warning = blas_warning(); !warning.empty()) say("warning: {}\n", warning);
}

}  // namespace lookhere
