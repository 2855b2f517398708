// Models are loaded one after another, and look at the same few images.
#include "vit/compare/report_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "vit/compare/subject.h"
#include "vit/eval/attention_maps.h"
#include "vit/eval/logit_lens.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"
#include "vit/show/mask_panel.h"
#include "vit/show/masks.h"
#include "vit/show/picture_table.h"

namespace lookhere {
namespace {

constexpr long kPictures = 3;

// What models make of the same images: a row for each model.
struct Looks {
  std::vector<std::string> columns;
  std::vector<PictureRow> rollout, lens;
};

// The image in grey, and over it how much each patch counts, from 0 to `most`.
SmallPicture seen_with(const std::vector<double>& weights, Grid grid, double most, const Batch& batch,
                       const Dataset& data, long size, const std::string& caption) {
  const std::vector<std::uint8_t> pixels = pixels_of(batch.images, {.mean = data.mean, .std = data.std});
  std::vector<double> below;
  below.reserve(weights.size());
  for (const double weight : weights) below.push_back(most - weight);
  return {.png = grey_png({.pixels = pixels.data(), .channels = data.channels, .height = size, .width = size}),
          .over = colored_png(below, grid, 1, most),
          .caption = caption};
}

// By softmax over the classes, for each patch of the only image of these logits.
std::vector<double> probabilities_of(long label, const Tensor& logits) {
  const long classes = logits.shape().back();
  const float* row = logits.host<float>();
  std::vector<double> p;
  for (long patch = 0; patch < logits.numel() / classes; ++patch, row += classes) {
    double sum = 0;
    for (long c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c]) - row[label]);
    p.push_back(1 / sum);
  }
  return p;
}

void add_image(Looks& looks, Subject& subject, const Dataset& data, const Batch& batch, long size) {
  const long label = batch.labels.host<std::int64_t>()[0];
  const AttentionMaps maps = attention_maps(subject.model(), batch.images);
  const float* logits = maps.logits.host<float>();
  const long best = std::max_element(logits, logits + data.classes) - logits;
  const std::vector<double> patches(maps.rollout.end() - maps.grid.patches(), maps.rollout.end());
  looks.columns.push_back(fmt::format("{} at {} px", data.class_names[label], size));
  looks.rollout.back().pictures.push_back(seen_with(patches, maps.grid, std::ranges::max(patches), batch, data, size,
                                                    (best == label ? "✓ " : "✗ ") + data.class_names[best]));
  if (subject.model().config().pool == Pooling::map) return;  // its patches have no logits of their own
  const std::vector<double> p = probabilities_of(label, patch_logits(subject.model(), batch.images).back());
  const double mean = std::accumulate(p.begin(), p.end(), 0.0) / static_cast<double>(p.size());
  looks.lens.back().pictures.push_back(
      seen_with(p, maps.grid, 1, batch, data, size, fmt::format("{:.0f} % {}", 100 * mean, data.class_names[label])));
}

}  // namespace

bool add_pictures(HtmlPage& page, const Pictured& what, const PageWatch& watch) {
  Looks looks;
  for (long done = 0; const PicturedModel& model : what.models) {
    if (watch.stop && watch.stop()) return false;
    if (watch.progress) watch.progress(done++, std::ssize(what.models));
    Subject subject(model.checkpoint, what.test_images);
    looks.columns.clear();
    looks.rollout.push_back({.name = model.name, .pictures = {}});
    looks.lens.push_back(looks.rollout.back());
    for (const long size : std::set<long>{what.sizes.front(), what.sizes.back()}) {
      const Dataset& data = subject.images(size);
      Loader loader(data, {.batch_size = 1, .image_height = size, .image_width = size});
      for (long i = 0; i < std::min(kPictures, data.size()); ++i) {
        loader.start(0, i * data.size() / kPictures);
        Batch batch;
        if (loader.next(batch)) add_image(looks, subject, data, batch, size);
      }
    }
  }
  if (looks.rollout.empty()) return true;
  page.heading(what.heading);
  page.paragraph("Attention rollout on the same test images" + what.whose +
                 ": bright patches count most in what the classifier reads. Below each, what the model took it for.");
  page.pictures(picture_tables("Attention rollout", looks.columns, looks.rollout),
                "Attention rollout by test image and size");
  std::erase_if(looks.lens, [](const PictureRow& row) { return row.pictures.empty(); });
  if (looks.lens.empty()) return true;
  page.heading("What single patches say");
  page.paragraph(
      "Patch logit lens on the same images: the classifier asked for each patch of the last layer alone. "
      "Bright patches are taken for the image's class; below each, with which probability on average. "
      "Nothing trains patches to know the class: attention brings it to them.");
  page.pictures(picture_tables("Patch logit lens", looks.columns, looks.lens),
                "Patch logit lens by test image and size");
  return true;
}

void add_masks(HtmlPage& page, const ComparisonFolder& folder, const std::vector<const ComparedRun*>& done) {
  bool any = false;
  for (const ComparedRun* run : done) {
    const ViTConfig& config = folder.model(*run);
    if (config.position->bias(config.position_sizes(), 0).empty()) continue;
    if (!any) page.heading("What the heads may see");
    any = true;
    PositionConfig position = config.position;
    if (folder.has_weights(*run))
      position = trained_position_of(Safetensors(folder.file(run->folder + "/last.safetensors")));
    page.picture(masks_svg(position, config.heads, config.depth, config.grid()),
                 "Masks and penalties of " + run->variant + ", first layer, from the patch in the centre");
  }
}

}  // namespace lookhere
