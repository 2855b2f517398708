// Models are loaded one after another, and look at the same few images.
#include "vit/compare/report_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "vit/compare/subject.h"
#include "vit/eval/attention_maps.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"
#include "vit/show/mask_panel.h"
#include "vit/show/masks.h"
#include "vit/show/picture_table.h"

namespace lookhere {
namespace {

constexpr long kPictures = 3;

}  // namespace

// Where models look: the same test images for all, at the first and the last size.
void add_pictures(HtmlPage& page, const ComparisonFolder& folder, const std::vector<const ComparedRun*>& done) {
  const Comparison& c = folder.comparison();
  std::vector<std::string> columns;
  std::vector<PictureRow> rows;
  for (const ComparedRun* run : done) {
    Subject subject(folder.file(run->folder + "/last.safetensors"), c.test_images);
    PictureRow row{.name = run->variant, .pictures = {}};
    columns.clear();
    for (const long size : std::set<long>{c.sizes.front(), c.sizes.back()}) {
      const Dataset& data = subject.images(size);
      Loader loader(data, {.batch_size = 1, .image_height = size, .image_width = size});
      for (long i = 0; i < std::min(kPictures, data.size()); ++i) {
        const long index = i * data.size() / kPictures;
        loader.start(0, index);
        Batch batch;
        if (!loader.next(batch)) break;
        const AttentionMaps maps = attention_maps(subject.model(), batch.images);
        const float* logits = maps.logits.host<float>();
        const long best = std::max_element(logits, logits + data.classes) - logits, label = data.labels[index];
        std::vector<double> below(maps.rollout.end() - maps.grid.patches(), maps.rollout.end());
        const double largest = std::ranges::max(below);
        for (double& weight : below) weight = largest - weight;
        const std::vector<std::uint8_t> seen = pixels_of(batch.images, {.mean = data.mean, .std = data.std});
        row.pictures.push_back(
            {.png = grey_png({.pixels = seen.data(), .channels = data.channels, .height = size, .width = size}),
             .over = colored_png(below, maps.grid, 1, largest),
             .caption = (best == label ? "✓ " : "✗ ") + data.class_names[best]});
        columns.push_back(fmt::format("{} at {} px", data.class_names[label], size));
      }
    }
    rows.push_back(row);
  }
  if (rows.empty()) return;
  page.heading("Where the models look");
  page.paragraph(
      "Attention rollout of the first seed's models on the same test images: bright patches count most in what the "
      "classifier reads. Below each, what the model took it for.");
  page.picture(picture_table("Attention rollout", columns, rows), "Attention rollout by position, test image and size");
}

void add_masks(HtmlPage& page, const ComparisonFolder& folder, const std::vector<const ComparedRun*>& done) {
  bool any = false;
  for (const ComparedRun* run : done) {
    const ViTConfig config = config_of(Safetensors(folder.file(run->folder + "/last.safetensors")));
    if (config.position->bias(config.position_sizes(), 0).empty()) continue;
    if (!any) page.heading("What the heads may see");
    any = true;
    page.picture(masks_svg(config.position, config.heads, config.depth, config.grid()),
                 "Masks and penalties of " + run->variant + ", first layer, from the patch in the centre");
  }
}

}  // namespace lookhere
