// Direction names, layouts and slopes.
#include "vit/model/position/lookhere_heads.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/text.h"

namespace lookhere {
namespace {

using kernels::DistanceFrom;
using kernels::FieldOfView;
using kernels::HalfPlane;

// a·dy + b·dx >= 0 with (dy, dx) = key - query; dy > 0 is down.
constexpr HalfPlane kUp{-1, 0}, kDown{1, 0}, kLeft{0, -1}, kRight{0, 1};
constexpr HalfPlane kUpLeft{-1, -1}, kUpRight{-1, 1}, kDownLeft{1, -1}, kDownRight{1, 1};  // behind a diagonal

// One head's direction. An octant is a cone cut by an axis; one of the cone's two half-planes is then implied.
struct Direction {
  const char* name;
  FieldOfView view;
  DistanceFrom from = DistanceFrom::query;
};
constexpr Direction kAll{"all", {}}, kZero{"zero", {}, DistanceFrom::nothing},
    kCenter{"center", {}, DistanceFrom::grid_center};

using Four = std::array<Direction, 4>;
Four without_distance(Four four) {
  for (Direction& d : four) d.from = DistanceFrom::nothing;
  return four;
}

const std::map<std::string, Four>& known_names() {
  static const std::map<std::string, Four> names = [] {
    const Four halves{{{"up", {kUp, {}}}, {"down", {kDown, {}}}, {"left", {kLeft, {}}}, {"right", {kRight, {}}}}};
    const Four corners{{{"up&left", {kUp, kLeft}},
                        {"up&right", {kUp, kRight}},
                        {"down&left", {kDown, kLeft}},
                        {"down&right", {kDown, kRight}}}};
    const Four triangles{{{"tri_up", {kUpLeft, kUpRight}},
                          {"tri_down", {kDownLeft, kDownRight}},
                          {"tri_left", {kUpLeft, kDownLeft}},
                          {"tri_right", {kUpRight, kDownRight}}}};
    const Four diagonals{{{"diag_up_right", {kUpRight, {}}},
                          {"diag_up_left", {kUpLeft, {}}},
                          {"diag_down_right", {kDownRight, {}}},
                          {"diag_down_left", {kDownLeft, {}}}}};
    const Four eighths1{{{"tri_up&left", {kUpRight, kLeft}},
                         {"tri_down&left", {kDownRight, kLeft}},
                         {"tri_left&up", {kDownLeft, kUp}},
                         {"tri_right&up", {kDownRight, kUp}}}};
    const Four eighths2{{{"tri_up&right", {kUpLeft, kRight}},
                         {"tri_down&right", {kDownLeft, kRight}},
                         {"tri_left&down", {kUpLeft, kDown}},
                         {"tri_right&down", {kUpRight, kDown}}}};
    // Not of the authors': the query's own row, or its column (Ho et al. 2019, arXiv 1912.12180).
    const Direction row{"row", {kUp, kDown}}, column{"column", {kLeft, kRight}};
    const Four axial{{row, column, row, column}};
    return std::map<std::string, Four>{{"none", {kAll, kAll, kAll, kAll}},
                                       {"zero", {kZero, kZero, kZero, kZero}},
                                       {"none1zero3", {kAll, kZero, kZero, kZero}},
                                       {"none2zero2", {kAll, kAll, kZero, kZero}},
                                       {"none3zero1", {kAll, kAll, kAll, kZero}},
                                       {"center", {kCenter, kCenter, kCenter, kCenter}},
                                       {"halves", halves},
                                       {"corners", corners},
                                       {"triangles", triangles},
                                       {"diagonals", diagonals},
                                       {"eighths1", eighths1},
                                       {"eighths2", eighths2},
                                       {"axial", axial},
                                       {"zeroaxial", without_distance(axial)},
                                       {"zerohalves", without_distance(halves)},
                                       {"zerocorners", without_distance(corners)},
                                       {"zerotriangles", without_distance(triangles)}};
  }();
  return names;
}

const Four& four_heads(const std::string& name) {
  const auto& names = known_names();
  const auto found = names.find(name);
  if (found != names.end()) return found->second;
  std::vector<std::string> known;
  known.reserve(names.size());
  for (const auto& entry : names) known.push_back(entry.first);
  fail("lookhere: unknown direction name ", shown(name), ", known: ", joined(known));
}

// "zero", "none" and "center" anywhere in a name give it the slopes of undirected heads, zerohalves included.
bool has_undirected_slopes(const std::string& name) {
  return name.find("zero") != std::string::npos || name.find("none") != std::string::npos ||
         name.find("center") != std::string::npos;
}
bool is_undirected(const std::string& name) {
  return std::ranges::all_of(four_heads(name), [](const Direction& d) { return d.view.sees_all(); });
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('-', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    four_heads(parts.back());  // refuses unknown names
    begin = end + 1;
  }
  return parts;
}

struct Head {
  Direction direction;
  double slope;
};

// The slope of head i of n in a group of the same name.
double slope_in_group(const std::string& name, long i, long n) {
  if (!has_undirected_slopes(name)) return std::ldexp(1.0, static_cast<int>(-1 - i / 4));
  const long step = n <= 4 ? i : i / (n / 4);
  return std::ldexp(1.0, static_cast<int>(-2 - 2 * step));
}

// How often each name's four heads are repeated in the authors' layouts; empty where they define none.
std::vector<long> official_repeats(const std::vector<std::string>& names, long heads) {
  const std::size_t n = names.size();
  if (n == 1 && heads % 4 == 0) return {heads / 4};
  if (heads == 12 && n == 2) return {2, 1};
  if (heads == 12 && n == 3) return {1, 1, 1};
  if (heads == 16 && n == 2) return {2, 2};
  if (heads == 16 && n == 3) return {2, 1, 1};
  if (heads == 16 && n == 4) return {1, 1, 1, 1};
  return {};
}
bool is_official_six(const std::vector<std::string>& names, long heads) {
  return heads == 6 && names.size() == 2 && has_undirected_slopes(names[1]);
}

std::vector<Head> official_layout(const std::vector<std::string>& names, long heads) {
  std::vector<std::string> name_of_head;
  std::vector<Head> result;
  const std::vector<long> repeats =
      is_official_six(names, heads) ? std::vector<long>{1, 1} : official_repeats(names, heads);
  for (std::size_t k = 0; k < names.size(); ++k)
    for (long i = 0; i < 4 * repeats[k] && static_cast<long>(result.size()) < heads; ++i) {
      name_of_head.push_back(names[k]);
      result.push_back({four_heads(names[k])[i % 4], 0});
    }
  for (long begin = 0; begin < heads;) {  // groups of neighbours with one name share a series of slopes
    long end = begin;
    while (end < heads && name_of_head[end] == name_of_head[begin]) ++end;
    for (long i = begin; i < end; ++i) result[i].slope = slope_in_group(name_of_head[begin], i - begin, end - begin);
    begin = end;
  }
  return result;
}

// Our rule for the other head counts, see the header.
std::vector<Head> rotating_layout(const std::vector<std::string>& names, long heads, long layer) {
  std::vector<Direction> directed, undirected;
  for (const std::string& name : names)
    for (const Direction& d : four_heads(name)) (is_undirected(name) ? undirected : directed).push_back(d);
  const long count = undirected.empty() ? heads : directed.empty() ? 0 : (2 * heads + 1) / 3;
  std::vector<Head> result;
  for (long i = 0; i < count; ++i)
    result.push_back({directed[static_cast<std::size_t>(layer * count + i) % directed.size()], 0.5});
  for (long i = 0; i < heads - count; ++i) {
    const long step = heads - count <= 4 ? i : i * 4 / (heads - count);
    result.push_back({undirected[static_cast<std::size_t>(step) % undirected.size()],
                      std::ldexp(1.0, static_cast<int>(-2 - 2 * step))});
  }
  return result;
}

std::vector<Head> layout(const LookHereConfig& config, long heads, long depth, long layer) {
  const auto strings = static_cast<long>(config.directions.size());
  check(strings == 1 || strings == depth, "lookhere: directions must be one string or one per layer (", depth,
        "), got ", strings);
  const std::string& text = config.directions[strings == 1 ? 0 : layer];
  const std::vector<std::string> names = split(text);
  return has_official_layout(text, heads) ? official_layout(names, heads) : rotating_layout(names, heads, layer);
}

}  // namespace

bool pays_for_distance(const LookHereConfig& config) {
  return std::ranges::any_of(config.directions, [](const std::string& text) {
    return std::ranges::any_of(split(text), [](const std::string& name) {
      return std::ranges::any_of(four_heads(name), [](const Direction& d) { return d.from != DistanceFrom::nothing; });
    });
  });
}

// NumPy's linspace: first + layer · step, the last element exact.
double layer_slope(const std::array<double, 2>& slopes, long depth, long layer) {
  if (depth == 1 || layer < depth - 1)
    return slopes[0] +
           (depth > 1 ? static_cast<double>(layer) * ((slopes[1] - slopes[0]) / static_cast<double>(depth - 1)) : 0);
  return slopes[1];
}

LookHereConfig lookhere_preset(const std::string& name) {
  if (name == "lh180") return {.directions = {"halves-diagonals-none"}};
  if (name == "lh90") return {.directions = {"corners-triangles-none"}};
  if (name == "lh45") return {.directions = {"eighths1-eighths2-none"}};
  if (name == "alibi") return {.directions = {"none"}, .global_slope = 1, .layer_slopes = {1, 1}};
  if (name == "manhattan")
    return {.directions = {"none"}, .global_slope = 1, .layer_slopes = {1, 1}, .distance = DistancePower::manhattan};
  if (name == "axial") return {.directions = {"zeroaxial"}};
  fail("lookhere: unknown preset '", name, "', known: lh180, lh90, lh45, alibi, manhattan, axial");
}

bool has_official_layout(const std::string& directions, long heads) {
  const std::vector<std::string> names = split(directions);
  if (std::ranges::any_of(names, [](const std::string& name) { return name.ends_with("axial"); })) return false;
  return is_official_six(names, heads) || !official_repeats(names, heads).empty();
}

std::vector<LookHereHead> lookhere_heads(const LookHereConfig& config, long heads, long depth, long layer) {
  check(config.global_slope >= 0 && config.layer_slopes[0] >= 0 && config.layer_slopes[1] >= 0,
        "lookhere: slopes must not be negative, got global ", config.global_slope, " and layers ",
        config.layer_slopes[0], " to ", config.layer_slopes[1]);
  std::vector<LookHereHead> result;
  for (const Head& head : layout(config, heads, depth, layer))
    result.push_back({.view = head.direction.view,
                      .from = head.direction.from,
                      .power = config.distance,
                      .fill = config.fill,
                      .slope = head.slope,
                      .layer_slope = config.global_slope * layer_slope(config.layer_slopes, depth, layer),
                      .round_to_bf16 = config.round_to_bf16});
  return result;
}

std::vector<std::string> head_names(const LookHereConfig& config, long heads, long depth, long layer) {
  std::vector<std::string> names;
  for (const Head& head : layout(config, heads, depth, layer)) {
    const bool no_distance = head.direction.from == DistanceFrom::nothing && !head.direction.view.sees_all();
    names.push_back(std::string(head.direction.name) + (no_distance ? " (no distance)" : ""));
  }
  return names;
}

}  // namespace lookhere
