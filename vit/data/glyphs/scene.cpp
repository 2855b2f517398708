// Draws the numbers of a scene, then its pixels.
#include "vit/data/glyphs/scene.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "tensor/random.h"

namespace lookhere {
namespace {

constexpr double kTurn = 15 * std::numbers::pi / 180;  // to each side: further, M is W, 6 is 9 and Z is N

double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }

const Outline& outline_of(char character, const Fonts& fonts, Rng& rng) {
  const FontFamily& family = fonts.families[rng.below(static_cast<std::uint32_t>(fonts.families.size()))];
  const Typeface& face = family.faces[rng.below(static_cast<std::uint32_t>(family.faces.size()))];
  return face.glyphs[kCharacters.find(character)];
}

// Anywhere in the image, as long as it is whole.
HalfBox put(GlyphScene::Glyph& glyph, Rng& rng) {
  const HalfBox one = half_box(*glyph.outline, glyph.place.angle);
  const HalfBox half{one.x * glyph.place.size, one.y * glyph.place.size};
  const auto along = [&](double half) { return half < 0.5 ? between(rng, half, 1 - half) : 0.5; };
  glyph.place.x = along(half.x);
  glyph.place.y = along(half.y);
  return half;
}

// Beside the glyph, so that both can be read; none where there is no room.
void put_other(GlyphScene& scene, const HalfBox& taken, Rng& rng) {
  constexpr int kTries = 16;
  for (int i = 0; i < kTries; ++i) {
    const HalfBox half = put(scene.other, rng);
    const double dx = std::abs(scene.other.place.x - scene.glyph.place.x),
                 dy = std::abs(scene.other.place.y - scene.glyph.place.y);
    if (dx > taken.x + half.x || dy > taken.y + half.y) return;
  }
  scene.other.outline = nullptr;
}

// What the paper becomes under a glyph of at least this contrast, lighter or darker, whichever there is room for.
float ink_on(float paper, float least, Rng& rng) {
  const bool lighter = rng.below(2) == 1;
  const float contrast = rng.uniform(least, 0.5F);
  const float wanted = lighter ? paper + contrast : paper - contrast;
  return wanted >= 0 && wanted <= 1 ? wanted : lighter ? paper - contrast : paper + contrast;
}

}  // namespace

GlyphScene make_glyph_scene(const Fonts& fonts, const Zoom& zoom, std::uint64_t seed, bool train, long index) {
  // The streams next to those of the set "shapes", which is 0 and 1.
  Rng rng(seed, Purpose::shapes, train ? 2 : 3, static_cast<std::uint32_t>(index));
  GlyphScene scene{};
  scene.label = index % std::ssize(kGlyphClasses);
  const char* characters = kGlyphClasses[scene.label];
  const char character = characters[rng.below(static_cast<std::uint32_t>(std::strlen(characters)))];
  scene.glyph.outline = &outline_of(character, fonts, rng);
  scene.glyph.place.size = between(rng, zoom.low, zoom.high);
  scene.glyph.place.angle = between(rng, -kTurn, kTurn);
  const HalfBox taken = put(scene.glyph, rng);
  scene.other.outline = &outline_of(kCharacters[rng.below(static_cast<std::uint32_t>(kCharacters.size()))], fonts, rng);
  scene.other.place.size = scene.glyph.place.size * between(rng, 0.3, 0.5);
  scene.other.place.angle = between(rng, -kTurn, kTurn);
  // At least one side of the paper has room for half of all greys.
  scene.paper = rng.uniform();
  scene.glyph.ink = ink_on(scene.paper, 0.3F, rng);
  scene.other.ink = ink_on(scene.paper, 0.2F, rng);
  scene.gradient_x = rng.uniform(-0.1F, 0.1F);
  scene.gradient_y = rng.uniform(-0.1F, 0.1F);
  put_other(scene, taken, rng);
  return scene;
}

void draw_glyph_scene(const GlyphScene& scene, long size, Rasterizer& rasterizer, std::uint8_t* pixels) {
  std::vector<float> grey(size * size);
  const auto side = static_cast<float>(size);
  for (long y = 0; y < size; ++y)
    for (long x = 0; x < size; ++x)
      grey[y * size + x] = scene.paper + scene.gradient_x * ((static_cast<float>(x) + 0.5F) / side - 0.5F) +
                           scene.gradient_y * ((static_cast<float>(y) + 0.5F) / side - 0.5F);
  for (const GlyphScene::Glyph* glyph : {&scene.other, &scene.glyph}) {
    if (!glyph->outline) continue;
    const std::vector<std::uint8_t>& coverage = rasterizer.coverage(*glyph->outline, glyph->place, size);
    for (std::size_t i = 0; i < grey.size(); ++i)
      grey[i] += (glyph->ink - grey[i]) * static_cast<float>(coverage[i]) / 255;
  }
  for (std::size_t i = 0; i < grey.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(grey[i], 0.0F, 1.0F)));
}

std::vector<std::uint8_t> glyph_mask(const GlyphScene& scene, long size) {
  constexpr std::uint8_t kHalf = 128;
  std::vector<std::uint8_t> mask(size * size);
  Rasterizer rasterizer;
  std::uint8_t number = 2;
  for (const GlyphScene::Glyph* glyph : {&scene.other, &scene.glyph}) {
    if (glyph->outline) {
      const std::vector<std::uint8_t>& coverage = rasterizer.coverage(*glyph->outline, glyph->place, size);
      for (std::size_t i = 0; i < mask.size(); ++i)
        if (coverage[i] >= kHalf) mask[i] = number;
    }
    --number;
  }
  return mask;
}

}  // namespace lookhere
