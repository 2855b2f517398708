// Variants are read as a JSON object of options, so that their values are checked as those of a checkpoint's recipe.
#include "vit/compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/text.h"
#include "vit/compare/measure.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

constexpr long kMostRuns = 10000;
constexpr std::size_t kLongestName = 200;  // a run's folder is called after its variant

template <class T>
constexpr bool kIsList = false;
template <class T>
constexpr bool kIsList<std::vector<T>> = true;

// Numbers, true and false as they are; everything else is text.
nlohmann::json value_of(const std::string& text) {
  const nlohmann::json value = parse_json(text, "option");
  return value.is_number() || value.is_boolean() ? value : nlohmann::json(text);
}
nlohmann::json list_of(const std::string& text) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& word : split(text, ' ')) list.push_back(value_of(word));
  return list;
}
// For the option `name`, if there is one. What all variants are trained and judged on is not theirs to choose.
std::optional<nlohmann::json> value_for(Recipe recipe, const std::string& name, const std::string& text) {
  std::optional<nlohmann::json> value;
  recipe.visit([&]<class T>(const RecipeOption& option, const T&) {
    if (name != option.name) return;
    check(option.group != kDataGroup, "--", name, " is the same for all variants");
    value = kIsList<T> ? list_of(text) : value_of(text);
  });
  return value;
}

std::vector<std::string> texts_of(const std::vector<long>& numbers) {
  std::vector<std::string> texts;
  texts.reserve(numbers.size());
  for (const long each : numbers) texts.push_back(std::to_string(each));
  return texts;
}

}  // namespace

Recipe variant_of(const Recipe& recipe, const std::string& variant) {
  const std::vector<std::string> parts = split(variant, ':');
  nlohmann::json options{{"position", parts[0]}};
  try {
    for (const std::string& part : std::vector(parts.begin() + 1, parts.end())) {
      const std::size_t equals = part.find('=');
      check(equals != part.npos, "wanted OPTION=VALUE, got ", shown(part));
      const std::string name = part.substr(0, equals);
      const std::optional<nlohmann::json> value = value_for(recipe, name, part.substr(equals + 1));
      check(name != "seed" && name != "position" && value, "there is no option ", shown(name));
      options[name] = *value;
    }
    Recipe changed = recipe;
    update_from_json(changed, to_text(options));
    position_preset(changed.position, changed.position_options);
    return changed;
  } catch (const Error& error) {
    fail("variant ", shown(variant), ": ", error.what());
  }
}

std::string variant_name(const Recipe& recipe) {
  struct Text {
    std::string operator()(double value) const { return exact(value); }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const std::vector<std::string>& value) const { return joined(value, " "); }
    std::string operator()(const std::vector<double>& value) const {
      std::vector<std::string> texts;
      texts.reserve(value.size());
      for (const double each : value) texts.push_back(exact(each));
      return joined(texts, " ");
    }
  };
  std::string name = recipe.position;
  recipe.position_options.visit([&](const PositionOption& option, const PositionValue& value) {
    if (value != option.unset) name += concat(":", option.name, "=", std::visit(Text{}, value));
  });
  return name;
}

void check_judging(const std::vector<long>& sizes, const std::vector<std::string>& metrics) {
  for (const long size : sizes) check_range("--sizes", {1, 16384}, size);
  groups_of(metrics);
  check(std::ranges::is_sorted(sizes) && std::ranges::adjacent_find(sizes) == sizes.end(),
        "--sizes: wanted each size once, the smallest first, got ", joined(texts_of(sizes), ","));
}

void check_tuning(const std::vector<std::string>& metrics, bool held_out) {
  check(held_out || std::ranges::find(metrics, "tuned") == metrics.end(),
        "--metrics tuned: wanted training images that are held out to tune with (--holdout), got none");
}

std::vector<std::string> all_positions() {
  std::vector<std::string> all;
  std::vector<PositionConfig> seen;
  for (const PositionType& type : position_types())
    for (const std::string& name : type.names) {
      const PositionConfig config = position_preset(name);
      const auto same = std::ranges::find(seen, config);
      if (same == seen.end())
        seen.push_back(config), all.push_back(name);
      else
        all[same - seen.begin()] = name;
    }
  return all;
}

void Comparison::validate() const {
  check(!variants.empty(), "--positions: wanted at least one");
  check_range("--seeds", {1, 1000}, seeds);
  check_range("--test-images", {0, 1e9}, test_images);
  check(static_cast<long>(variants.size()) <= kMostRuns / seeds, "--positions: wanted at most ", kMostRuns, " runs");
  std::set<std::string> once;
  for (const std::string& variant : variants) {
    check(variant.find('/') == variant.npos && is_utf8(variant), "--positions: wanted a name without /, got ",
          shown(variant));
    check(variant.size() <= kLongestName, "--positions: wanted at most ", kLongestName, " bytes each, got ",
          variant.size(), ": ", shown(variant));
    check(once.insert(variant).second, "--positions: ", shown(variant), " is there twice");
    variant_of(recipe, variant).validate();
  }
  for (const double each : epsilon) check_range("--epsilon", {0, 255}, each);
  check_judging(sizes, metrics);
}

std::vector<ComparedRun> runs_of(const Comparison& comparison) {
  std::vector<ComparedRun> runs;
  for (const std::string& variant : comparison.variants)
    for (long i = 0; i < comparison.seeds; ++i) {
      Recipe recipe = variant_of(comparison.recipe, variant);
      recipe.seed += i;
      runs.push_back({variant, recipe, fmt::format("runs/{}-seed{}", variant, recipe.seed)});
    }
  return runs;
}

std::vector<long> usual_sizes(long side, long patch) {
  std::vector<long> sizes;
  for (const double factor : {1.0, 1.5, 2.0, 3.0, 4.0}) {
    const long size =
        std::max(1L, std::lround(factor * static_cast<double>(side) / static_cast<double>(patch))) * patch;
    if (sizes.empty() || size > sizes.back()) sizes.push_back(size);
  }
  return sizes;
}

std::string to_json(const Comparison& c) {
  const nlohmann::ordered_json json{{"positions", c.variants},
                                    {"seeds", c.seeds},
                                    {"sizes", c.sizes},
                                    {"test_images", c.test_images},
                                    {"epsilon", c.epsilon},
                                    {"metrics", c.metrics},
                                    {"recipe", parse_object(to_json(c.recipe), "recipe")}};
  return to_text(json, 1) + "\n";
}

Comparison comparison_from_json(const std::string& text, const std::string& path) {
  const nlohmann::json json = parse_object(text, path);
  Comparison c;
  try {
    c.variants = field(json, "positions").get<std::vector<std::string>>();
    c.seeds = integer_in(field(json, "seeds"), "seeds", 1, 1000);
    c.sizes = field(json, "sizes").get<std::vector<long>>();
    c.test_images = integer_in(field(json, "test_images"), "test_images", 0, 1'000'000'000);
    c.epsilon = field(json, "epsilon").get<std::vector<double>>();
    c.metrics = field(json, "metrics").get<std::vector<std::string>>();
    update_from_json(c.recipe, to_text(field(json, "recipe")));
    c.validate();
  } catch (const nlohmann::json::exception&) {
    fail(path, ": wanted what compare has written, got lists of another type");
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
  return c;
}

}  // namespace lookhere
