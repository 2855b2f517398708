// Where panels, their titles and the heading go.
#include "vit/show/masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/attention/field_of_view.h"
#include "tensor/error.h"
#include "vit/show/mask_panel.h"

namespace lookhere {
namespace {

constexpr double kMargin = 40, kHead = 132, kLegend = 260, kLegendHeight = 450;
constexpr double kPanel = 264, kPanelGap = 30, kPanelTitle = 46, kPanelBelow = 30;                 // one layer
constexpr double kSmall = 100, kSmallGap = 14, kRowLabel = 128, kColumnTitle = 62, kCaption = 22;  // all layers
constexpr long kMostRows = 12;
constexpr long kLongestSide = 512, kMostPatches = 1L << 26;  // of a grid; of all panels: about ten seconds' work

struct Layer {
  long index;
  std::vector<LookHereHead> heads;
  std::vector<std::string> names;
  HeadsInWords words;
};

struct Picture {
  long depth;
  Grid grid;
  long row, column;  // the query
  std::vector<Layer> layers;
  double largest = 0, seen_share = 0;  // over all layers and heads

  bool same_directions() const {
    return std::ranges::all_of(
        layers, [&](const Layer& layer) { return layer.words.directions == layers[0].words.directions; });
  }
  double cell(double panel) const { return panel / static_cast<double>(std::max(grid.y, grid.x)); }
  double height(double panel) const { return cell(panel) * static_cast<double>(grid.y); }
  double share(const LookHereHead& head) const {
    const auto patches = static_cast<double>(grid.patches());
    return static_cast<double>(kernels::visible_pairs(head, grid, 0)) / (patches * patches);
  }
  double largest_of(const LookHereHead& head) const {
    double result = 0;
    for (const double value : penalties(head, grid, row, column))
      if (std::isfinite(value)) result = std::max(result, value);
    return result;
  }
  void draw(Svg& svg, const LookHereHead& head, double panel) const {
    draw_mask(svg, penalties(head, grid, row, column), grid, row, column, cell(panel), largest);
  }
};

Picture picture_of(const PositionConfig& position, long heads, long depth, Grid grid, const MaskOptions& options) {
  check(grid.y >= 1 && grid.x >= 1, "masks: the grid must be at least 1×1, got ", grid.y, "×", grid.x);
  check(grid.y <= kLongestSide && grid.x <= kLongestSide, "masks: the grid must be at most ", kLongestSide, "×",
        kLongestSide, ", got ", grid.y, "×", grid.x, "; a smaller one can be chosen with --grid");
  check(heads >= 1 && depth >= 1, "masks: wanted at least one head and layer, got ", heads, " and ", depth);
  check(kAllLayers <= options.layer && options.layer < depth, "--layer: wanted 0 to ", depth - 1, " or all, got ",
        options.layer);
  Picture p{depth, grid, options.query_row, options.query_column, {}};
  if (p.row < 0) p.row = grid.y / 2;
  if (p.column < 0) p.column = grid.x / 2;
  check(p.row < grid.y && p.column < grid.x, "masks: no patch in row ", p.row, " and column ", p.column, " of ", grid.y,
        "×", grid.x);
  const bool all = options.layer == kAllLayers;
  const long rows = all ? std::min(depth, kMostRows) : 1;
  check(heads <= kMostPatches / (rows * grid.patches()), "masks: ", heads, " heads in ", rows, " layers of ", grid.y,
        "×", grid.x, " patches are more than ", kMostPatches, " to draw; a smaller --grid or one --layer can be");
  for (long i = 0; i < rows; ++i) {
    // More layers than rows: the first, the last, and evenly between.
    const long layer = all ? rows > 1 ? i * (depth - 1) / (rows - 1) : 0 : options.layer;
    const PositionSizes sizes{.heads = heads, .depth = depth, .dim = heads, .grid = grid};
    p.layers.push_back({.index = layer, .heads = {}, .names = {}, .words = position->in_words(sizes, layer)});
    for (NamedHead& named : position->bias(sizes, layer)) {
      p.layers.back().names.push_back(std::move(named.name));
      p.layers.back().heads.push_back(named.head);
    }
    check(!p.layers.back().heads.empty(), "masks: with this position encoding every head sees everything");
    for (const LookHereHead& head : p.layers.back().heads) {
      p.seen_share += p.share(head) / static_cast<double>(rows * heads);
      p.largest = std::max(p.largest, p.largest_of(head));
    }
  }
  return p;
}

bool same_in_all_layers(const Picture& p) {
  const auto same_slope = [](const LookHereHead& a, const LookHereHead& b) { return a.slope == b.slope; };
  return std::ranges::all_of(p.layers, [&](const Layer& layer) {
    return layer.names == p.layers[0].names && std::ranges::equal(layer.heads, p.layers[0].heads, same_slope);
  });
}

std::string title_of(const Picture& p) {
  return "LookHere " + (p.same_directions() ? p.layers[0].words.directions : "with its own directions in every layer");
}

void draw_heading(Svg& svg, const Picture& p, double width, bool all) {
  const Font line{.size = 18, .color = "#444444", .max_width = width - 2 * kMargin};
  const std::string grid = fmt::format("{} × {} patches", p.grid.y, p.grid.x);
  const HeadsInWords& words = p.layers[0].words;
  svg.text(kMargin, 50, title_of(p), {.size = 28, .bold = true, .max_width = width - 2 * kMargin});
  svg.text(kMargin, 82,
           fmt::format("{}, {}, {}; heads see {:.3g} % of all pairs on average", grid,
                       all ? fmt::format("{} of {} layers", p.layers.size(), p.depth)
                           : fmt::format("layer {} of {}", p.layers[0].index, p.depth),
                       words.slopes, 100 * p.seen_share),
           line);
  svg.text(kMargin, 108,
           fmt::format("penalty = {:g} × {} × head slope × {}", words.global_slope,
                       all ? "layer slope" : fmt::format("{:.3g}", words.layer_slope), words.distance),
           line);
}

// One layer: four heads a row, as the directions come in fours.
std::string one_layer(const Picture& p) {
  const Layer& layer = p.layers[0];
  const auto heads = static_cast<long>(layer.heads.size());
  const long columns = heads <= 3 ? heads : heads == 5 || heads == 6 ? 3 : heads > 16 ? 6 : 4;
  const double row = kPanelTitle + p.height(kPanel) + kPanelBelow;
  const double body = static_cast<double>((heads + columns - 1) / columns) * row;
  const double legend_x = kMargin + static_cast<double>(columns) * (kPanel + kPanelGap) + 10;
  const double width = std::max(legend_x + kLegend + kMargin, 900.0);
  Svg svg(width, kHead + std::max(body, kLegendHeight) + kMargin / 2, title_of(p));
  define_mask_patterns(svg);
  draw_heading(svg, p, width, false);
  std::vector<std::string> titles;
  Font font{.size = 17, .bold = true, .max_width = kPanel};
  for (long i = 0; i < heads; ++i) {
    titles.push_back(fmt::format("head {}: {}, slope {:g}", i, layer.names[i], layer.heads[i].slope));
    font.size = fitted_size(titles.back(), font);  // the same for all
  }
  for (long i = 0; i < heads; ++i)
    svg.group(kMargin + static_cast<double>(i % columns) * (kPanel + kPanelGap),
              kHead + static_cast<double>(i / columns) * row, [&] {
                const LookHereHead& head = layer.heads[i];
                svg.text(0, 16, titles[i], font);
                svg.text(
                    0, 37,
                    fmt::format("sees {:.3g} % of pairs, penalty ≤ {:.3g}", 100 * p.share(head), p.largest_of(head)),
                    {.size = 15, .color = "#444444", .max_width = kPanel});
                svg.group(0, kPanelTitle, [&] { p.draw(svg, head, kPanel); });
              });
  svg.group(legend_x, kHead + 10, [&] { draw_mask_legend(svg, p.largest); });
  return svg.str();
}

// All layers: one row each. A direction stands above its column, or below its panel where it changes by layer.
std::string all_layers(const Picture& p) {
  const bool constant = same_in_all_layers(p);
  const auto heads = static_cast<double>(p.layers[0].heads.size());
  const double left = kMargin + kRowLabel,
               row = std::max(p.height(kSmall), 60.0) + (constant ? kSmallGap : kCaption + 8);
  const double top = kHead + (constant ? kColumnTitle : 26);
  const double legend_x = left + heads * (kSmall + kSmallGap) + 20;
  const double width = std::max(legend_x + kLegend + kMargin, 900.0);
  Svg svg(width, std::max(top + static_cast<double>(p.layers.size()) * row, kHead + kLegendHeight) + kMargin / 2,
          title_of(p));
  define_mask_patterns(svg);
  draw_heading(svg, p, width, true);
  for (std::size_t h = 0; h < p.layers[0].heads.size(); ++h) {
    const double x = left + static_cast<double>(h) * (kSmall + kSmallGap) + kSmall / 2;
    svg.text(x, kHead + 14, fmt::format("head {}", h), {.size = 15, .anchor = "middle", .bold = true});
    if (!constant) continue;
    svg.text(x, kHead + 33, p.layers[0].names[h], {.size = 14, .anchor = "middle", .max_width = kSmall + 8});
    svg.text(x, kHead + 51, fmt::format("slope {:g}", p.layers[0].heads[h].slope),
             {.size = 13, .anchor = "middle", .color = "#444444", .max_width = kSmall + 8});
  }
  for (std::size_t i = 0; i < p.layers.size(); ++i) {
    const Layer& layer = p.layers[i];
    svg.group(kMargin, top + static_cast<double>(i) * row, [&] {
      svg.text(0, 30, fmt::format("layer {}", layer.index), {.size = 17, .bold = true});
      svg.text(0, 51, fmt::format("slope {:.3g}", layer.words.layer_slope), {.size = 14, .color = "#444444"});
      if (!p.same_directions())
        svg.text(0, 70, layer.words.directions, {.size = 13, .color = "#444444", .max_width = kRowLabel - 10});
      for (std::size_t h = 0; h < layer.heads.size(); ++h)
        svg.group(kRowLabel + static_cast<double>(h) * (kSmall + kSmallGap), 0, [&] {
          svg.group((kSmall - p.cell(kSmall) * static_cast<double>(p.grid.x)) / 2, 0,
                    [&] { p.draw(svg, layer.heads[h], kSmall); });
          if (!constant)
            svg.text(kSmall / 2, p.height(kSmall) + 15, layer.names[h],
                     {.size = 13, .anchor = "middle", .max_width = kSmall + 8});
        });
    });
  }
  svg.group(legend_x, kHead + 10, [&] { draw_mask_legend(svg, p.largest); });
  return svg.str();
}

}  // namespace

std::string masks_svg(const PositionConfig& position, long heads, long depth, Grid grid, const MaskOptions& options) {
  const auto draw = options.layer == kAllLayers ? all_layers : one_layer;
  return draw(picture_of(position, heads, depth, grid, options));
}

}  // namespace lookhere
