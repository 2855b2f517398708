// Draws scenes analytically: a part covers a pixel by as much as its signed distance says.
#include "vit/data/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/random.h"

namespace lookhere {
namespace {

using Colour = Scene::Colour;
constexpr float kPi = std::numbers::pi_v<float>;

// Hue in turns; saturation and value in [0, 1]. A struct, because braces fix the order in which random numbers are
// drawn for it, and the arguments of a function do not.
struct Hsv {
  float hue, saturation, value;
};
Colour to_rgb(const Hsv& hsv) {
  const auto channel = [&](float n) {
    const float k = std::fmod(n + hsv.hue * 6, 6.0F);
    return hsv.value - hsv.value * hsv.saturation * std::clamp(std::min(k, 4 - k), 0.0F, 1.0F);
  };
  return {channel(5), channel(3), channel(1)};
}

// Head and tail anywhere, as long as both are whole: positions are uniform among those.
void place(Scene& scene, Rng& rng) {
  Scene::Part &head = scene.head, &tail = scene.tail;
  head.radius = rng.uniform(0.09F, 0.15F);
  tail.radius = rng.uniform(0.08F, 0.13F);
  // 45 degrees per class; 14 to each side leaves a gap of 17 between classes, so no label is a matter of taste.
  const float bearing = (static_cast<float>(scene.label) * 45 + rng.uniform(-14, 14)) * kPi / 180;
  const float distance = rng.uniform(head.radius + tail.radius + 0.06F, 0.6F);
  const auto first = [&](float step) {
    const float low = std::max(head.radius, tail.radius * 1.15F - step);
    const float high = std::min(1 - head.radius, 1 - tail.radius * 1.15F - step);
    return rng.uniform(low, high);
  };
  const float dx = distance * std::sin(bearing), dy = -distance * std::cos(bearing);
  head.x = first(dx);
  head.y = first(dy);
  tail.x = head.x + dx;
  tail.y = head.y + dy;
}

void paint(Scene& scene, Rng& rng) {
  const float hue = rng.uniform();
  for (Colour& colour : scene.background)
    colour = to_rgb({hue + rng.uniform(0, 0.12F), rng.uniform(0.15F, 0.55F), rng.uniform(0.2F, 0.75F)});
  const float direction = rng.uniform(0, 2 * kPi);
  scene.gradient_x = std::cos(direction);
  scene.gradient_y = std::sin(direction);
  const float coarse = rng.uniform(0.04F, 0.14F), fine = rng.uniform(0.04F, 0.16F);
  for (float& value : scene.coarse_noise) value = rng.uniform(-coarse, coarse);
  for (float& value : scene.fine_noise) value = rng.uniform(-fine, fine);
  for (Scene::Part* part : {&scene.head, &scene.tail}) {  // a hue well away from the background's
    part->colour = to_rgb({hue + rng.uniform(0.25F, 0.87F), rng.uniform(0.55F, 0.95F), rng.uniform(0.75F, 1)});
    part->angle = rng.uniform(0, 2 * kPi);
  }
  for (Scene::Stroke& stroke : scene.strokes) {
    stroke = {.x0 = rng.uniform(),
              .y0 = rng.uniform(),
              .x1 = rng.uniform(),
              .y1 = rng.uniform(),
              .half_width = rng.uniform(0.006F, 0.016F),
              .opacity = rng.uniform(0, 0.8F),
              .colour = to_rgb({rng.uniform(), rng.uniform(0.2F, 0.9F), rng.uniform(0.2F, 1)})};
  }
}

// Signed distances in image sides, negative inside; x and y from the part's centre.
float distance_to(const Scene::Part& part, float x, float y) {
  const float r = part.radius, c = std::cos(part.angle), s = std::sin(part.angle);
  const float u = c * x + s * y, v = c * y - s * x;
  switch (part.kind) {
    case Scene::Kind::disc:
      return std::hypot(x, y) - r;
    case Scene::Kind::square:
      return std::max(std::abs(u), std::abs(v)) - 0.8F * r;
    case Scene::Kind::ring:
      return std::abs(std::hypot(x, y) - 0.76F * r) - 0.24F * r;
    case Scene::Kind::triangle:
      return std::max(v, std::abs(u) * 0.8660254F - v * 0.5F) - 0.57F * r;
  }
  return 1;
}
float distance_to(const Scene::Stroke& stroke, float x, float y) {
  const float dx = stroke.x1 - stroke.x0, dy = stroke.y1 - stroke.y0, px = x - stroke.x0, py = y - stroke.y0;
  const float along = std::clamp((px * dx + py * dy) / (dx * dx + dy * dy + 1e-12F), 0.0F, 1.0F);
  return std::hypot(px - along * dx, py - along * dy) - stroke.half_width;
}

// Noise between the points of a (side, side, stride) lattice over [0, 1]^2: bilinear in smoothed coordinates.
float noise(const float* lattice, int side, int stride, float x, float y) {
  const auto split = [&](float at, int& cell) {
    at = std::clamp(at, 0.0F, 1.0F) * static_cast<float>(side - 1);
    cell = std::min(static_cast<int>(at), side - 2);
    at -= static_cast<float>(cell);
    return at * at * (3 - 2 * at);
  };
  int i = 0, j = 0;
  const float v = split(y, i), u = split(x, j);
  const float *top = lattice + (i * side + j) * stride, *bottom = top + side * stride;
  return (1 - v) * ((1 - u) * top[0] + u * top[stride]) + v * ((1 - u) * bottom[0] + u * bottom[stride]);
}

Colour blend(const Colour& under, const Colour& over, float opacity) {
  Colour result;
  for (int c = 0; c < 3; ++c) result[c] = under[c] + (over[c] - under[c]) * opacity;
  return result;
}

void draw_part(Colour& pixel, const Scene::Part& part, float x, float y, float size) {
  x -= part.x;
  y -= part.y;
  const float distance = distance_to(part, x, y);
  const float coverage = std::clamp(0.5F - distance * size, 0.0F, 1.0F);
  if (coverage == 0) return;
  const float light = 0.88F - 0.16F * (x + y) / part.radius;  // from the north-west
  const float rim = 1 - 0.45F * std::clamp(1 + distance / (0.2F * part.radius), 0.0F, 1.0F);
  Colour lit = part.colour;
  for (float& value : lit) value *= light * rim;
  if (part.kind == Scene::Kind::disc) {  // a glint makes it a ball
    const float glint = std::hypot(x + 0.35F * part.radius, y + 0.35F * part.radius) / (0.45F * part.radius);
    lit = blend(lit, {1, 1, 1}, 0.8F * std::clamp(1.2F - glint, 0.0F, 1.0F));
  }
  pixel = blend(pixel, lit, coverage);
}

Colour colour_at(const Scene& scene, float x, float y, float size) {
  const float along = 0.5F + 0.7F * ((x - 0.5F) * scene.gradient_x + (y - 0.5F) * scene.gradient_y);
  Colour pixel = blend(scene.background[0], scene.background[1], along);
  const float grain = noise(scene.fine_noise.data(), Scene::kFine, 1, x, y);
  for (int c = 0; c < 3; ++c) pixel[c] += grain + noise(scene.coarse_noise.data() + c, Scene::kCoarse, 3, x, y);
  for (const Scene::Stroke& stroke : scene.strokes)
    pixel =
        blend(pixel, stroke.colour, stroke.opacity * std::clamp(0.5F - distance_to(stroke, x, y) * size, 0.0F, 1.0F));
  draw_part(pixel, scene.head, x, y, size);
  draw_part(pixel, scene.tail, x, y, size);
  return pixel;
}

}  // namespace

Scene make_scene(std::uint64_t seed, bool train, long index) {
  Rng rng(seed, Purpose::shapes, train ? 0 : 1, static_cast<std::uint32_t>(index));
  Scene scene{};
  scene.label = index % Scene::kLabels;
  scene.head.kind = Scene::Kind::disc;
  scene.tail.kind = static_cast<Scene::Kind>(1 + rng.below(3));
  place(scene, rng);
  paint(scene, rng);
  return scene;
}

void draw_scene(const Scene& scene, long size, std::uint8_t* pixels) {
  const auto side = static_cast<float>(size);
  for (long y = 0; y < size; ++y)
    for (long x = 0; x < size; ++x) {
      const Colour colour =
          colour_at(scene, (static_cast<float>(x) + 0.5F) / side, (static_cast<float>(y) + 0.5F) / side, side);
      for (int c = 0; c < 3; ++c)
        pixels[(c * size + y) * size + x] =
            static_cast<std::uint8_t>(std::lround(255 * std::clamp(colour[c], 0.0F, 1.0F)));
    }
}

std::vector<std::uint8_t> mask_of(const Scene& scene, long size) {
  std::vector<std::uint8_t> mask(size * size);
  const auto side = static_cast<float>(size);
  for (long y = 0; y < size; ++y)
    for (long x = 0; x < size; ++x) {
      const float at_x = (static_cast<float>(x) + 0.5F) / side, at_y = (static_cast<float>(y) + 0.5F) / side;
      const auto covers = [&](const Scene::Part& part) { return distance_to(part, at_x - part.x, at_y - part.y) <= 0; };
      mask[y * size + x] = covers(scene.head) ? 1 : covers(scene.tail) ? 2 : 0;
    }
  return mask;
}

}  // namespace lookhere
