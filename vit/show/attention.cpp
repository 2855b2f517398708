// Where panels, captions and the heading go.
#include "vit/show/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "vit/show/mask_panel.h"
#include "vit/show/picture_table.h"
#include "vit/show/png.h"

namespace lookhere {
namespace {

constexpr double kMargin = 36, kHead = 104, kLarge = 200, kLargeTitle = 30, kPanel = 116, kGap = 16, kRowLabel = 84;
constexpr double kColumnTitle = 40, kCaption = 56;
constexpr Grid kGlyphGrid{7, 7};  // of the small mask, seen from its centre
constexpr double kGlyphCell = 4.5, kGlyphGap = 6, kGlyphText = 37, kOpacity = 0.6;
constexpr long kMostPanels = 4096;

// A panel's measures, from those of its longer side.
struct Measures {
  Grid grid;
  double cell(double panel) const { return panel / static_cast<double>(std::max(grid.y, grid.x)); }
  double width(double panel) const { return cell(panel) * static_cast<double>(grid.x); }
  double height(double panel) const { return cell(panel) * static_cast<double>(grid.y); }
};

struct Drawing : Measures {
  Svg& svg;
  const AttentionPicture& picture;

  // The panel's corner at the origin. weights: of all tokens; named: null where several heads are mixed.
  void panel(const std::vector<double>& weights, double size, const NamedHead* named) const {
    // Colours are those of penalties: none is bright.
    const long prefix = std::ssize(weights) - grid.patches();
    std::vector<double> below(weights.begin() + prefix, weights.end());
    const double largest = std::ranges::max(below);
    for (double& weight : below) weight = largest - weight;
    svg.use("picture", size / kPanel);
    svg.image(0, 0, width(size), height(size), colored_png(below, grid, cell(size), largest), true, kOpacity);
    if (picture.patch) {
      const long y = *picture.patch / grid.x, x = *picture.patch % grid.x;
      if (named) draw_unseen(svg, penalties(named->head, grid, y, x), grid, cell(size));
      draw_query(svg, (static_cast<double>(x) + 0.5) * cell(size), (static_cast<double>(y) + 0.5) * cell(size),
                 cell(size));
    }
    svg.rect(0, 0, width(size), height(size), {.stroke = "#8a8a8a"});
    svg.group(0, height(size) + kGlyphGap, [&] { caption(weights, prefix, largest, size, named); });
  }

  void caption(const std::vector<double>& weights, long prefix, double largest_patch, double size,
               const NamedHead* named) const {
    const double left = named ? kGlyphText : 0;
    const Font line{.size = 11, .color = "#444444", .max_width = size - left};
    if (named) {
      small_mask(named->head);
      svg.text(left, 9, named->name, line);
    }
    svg.text(left, named ? 22 : 9, fmt::format("max {:.2g} %", 100 * largest_patch), line);
    if (prefix == 0) return;
    const double beside = std::accumulate(weights.begin(), weights.begin() + prefix, 0.0);
    const char* what = prefix == 1 ? "class" : "prefix";
    svg.text(left, named ? 35 : 22, fmt::format("{} {:.2g} %", what, 100 * beside), line);
  }

  // What a head sees from a patch in the middle of others.
  void small_mask(const LookHereHead& head) const {
    const long y = kGlyphGrid.y / 2, x = kGlyphGrid.x / 2;
    const std::vector<double> costs = penalties(head, kGlyphGrid, y, x);
    double largest = 0;
    for (const double cost : costs)
      if (std::isfinite(cost)) largest = std::max(largest, cost);
    draw_mask(svg, costs, kGlyphGrid, y, x, kGlyphCell, largest);
  }

  void legend() const {
    constexpr double kSteps = 20, kWidth = 180;
    for (double step = 0; step < kSteps; ++step)
      svg.rect(step * kWidth / kSteps, 0, kWidth / kSteps + 0.5, 16,
               {.fill = penalty_color(kSteps - 1 - step, kSteps - 1)});
    svg.text(0, 34, "0", {.size = 12, .color = "#444444"});
    svg.text(kWidth, 34, "panel's largest", {.size = 12, .anchor = "end", .color = "#444444"});
  }
};

std::vector<double> mean_of(std::span<const float> rows, long heads, long tokens) {
  std::vector<double> mean(tokens, 0);
  for (long h = 0; h < heads; ++h)
    for (long t = 0; t < tokens; ++t) mean[t] += static_cast<double>(rows[h * tokens + t]) / static_cast<double>(heads);
  return mean;
}

std::string who_looks(const ViTConfig& config, Grid grid, std::optional<long> patch) {
  if (patch) return fmt::format("from the patch in row {}, column {}", *patch / grid.x, *patch % grid.x);
  return config.pool == Pooling::cls ? "from the class token" : "from all patches, their mean";
}

void draw_top(const Drawing& drawing, const AttentionMaps& maps, const std::string& who, double width) {
  Svg& svg = drawing.svg;
  const AttentionPicture& picture = drawing.picture;
  const double room = width - 2 * kMargin;
  svg.text(kMargin, 46, picture.title, {.size = 26, .bold = true, .max_width = room});
  svg.text(kMargin, 76, picture.answer, {.size = 17, .color = "#444444", .max_width = room});
  svg.group(kMargin, kHead, [&] {
    const bool small = std::max(picture.image.height, picture.image.width) < static_cast<long>(kLarge);
    svg.text(0, 18, "image", {.size = 15, .bold = true});
    svg.image(0, kLargeTitle, drawing.width(kLarge), drawing.height(kLarge), png_of(picture.image), small);
  });
  svg.group(kMargin + kLarge + kGap, kHead, [&] {
    svg.text(0, 18, "rollout of all layers", {.size = 15, .bold = true, .max_width = kLarge});
    svg.group(0, kLargeTitle, [&] { drawing.panel(maps.rollout, kLarge, nullptr); });
  });
  svg.group(kMargin + 2 * (kLarge + kGap), kHead + kLargeTitle, [&] {
    const double wide = width - 2 * (kMargin + kLarge + kGap) - kMargin;
    const Font line{.size = 14, .color = "#444444", .max_width = wide};
    svg.text(0, 14, "attention " + who, line);
    svg.text(0, 34, "max: the largest weight of a patch", line);
    svg.text(0, 54, "class: the weight of the class token", line);
    svg.text(0, 74, "small mask: a head's view from a patch;", line);
    svg.text(0, 94, "the class token sees and is seen by all", line);
    svg.group(0, 112, [&] { drawing.legend(); });
  });
}

}  // namespace

std::string attention_svg(const AttentionMaps& maps, const ViTConfig& config, const AttentionPicture& picture) {
  const long depth = maps.rows.shape()[0], heads = maps.rows.shape()[1], tokens = maps.rows.shape()[2];
  check(checked_mul(depth, heads) <= kMostPanels, "attend: wanted at most ", kMostPanels, " heads to draw, got ", depth,
        " layers of ", heads);
  const PositionSizes sizes = config.position_sizes();
  const std::string who = who_looks(config, maps.grid, picture.patch);
  const double width = std::max(2 * kMargin + kRowLabel + static_cast<double>(heads + 1) * (kPanel + kGap), 800.0);
  const Measures measures{maps.grid};
  const double top = kHead + kLargeTitle + std::max(measures.height(kLarge), 160.0) + kCaption + kGap;
  const double row = measures.height(kPanel) + kCaption;
  Svg svg(width, top + kColumnTitle + static_cast<double>(depth) * row + kMargin / 2, picture.title);
  const Drawing drawing{measures, svg, picture};
  define_mask_patterns(svg);
  svg.define_image("picture", drawing.width(kPanel), drawing.height(kPanel), grey_png(picture.image), false);
  draw_top(drawing, maps, who, width);
  const auto column = [](long h) { return kMargin + kRowLabel + static_cast<double>(h) * (kPanel + kGap); };
  for (long h = 0; h <= heads; ++h)
    svg.text(column(h), top + 22, h < heads ? fmt::format("head {}", h) : "mean", {.size = 15, .bold = true});
  for (long layer = 0; layer < depth; ++layer) {
    const double y = top + kColumnTitle + static_cast<double>(layer) * row;
    const std::vector<NamedHead> named = config.position->bias(sizes, layer);
    const std::span<const float> rows(maps.rows.host<float>() + layer * heads * tokens, heads * tokens);
    svg.text(kMargin, y + 24, fmt::format("layer {}", layer), {.size = 15, .bold = true});
    for (long h = 0; h <= heads; ++h)
      svg.group(column(h), y, [&] {
        const bool one = h < heads && !named.empty();
        const auto weights = h < heads ? mean_of(rows.subspan(h * tokens), 1, tokens) : mean_of(rows, heads, tokens);
        drawing.panel(weights, kPanel, one ? &named[h] : nullptr);
      });
  }
  return svg.str();
}

}  // namespace lookhere
