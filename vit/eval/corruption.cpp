// Pixels in [0, 1], then back to what the model takes.
#include "vit/eval/corruption.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "vit/data/photo/decode.h"
#include "vit/data/photo/encode.h"

namespace lookhere {
namespace {

constexpr std::array kNoise{0.08, 0.12, 0.18, 0.26, 0.38}, kContrast{0.4, 0.3, 0.2, 0.1, 0.05};
constexpr std::array kBlur{1.0, 2.0, 3.0, 4.0, 6.0};
constexpr double kBlurSide = 224;
constexpr std::array kQuality{25, 18, 15, 10, 7};
constexpr std::uint64_t kSeed = 0x1903'1226'1;

using Planes = std::vector<float>;  // (channels, height, width)

struct Size {
  long channels, height, width;
  long plane() const { return height * width; }
};

void add_noise(Planes& pixels, double deviation) {
  const XXH64_hash_t hash = XXH3_64bits(pixels.data(), pixels.size() * sizeof(float));
  Rng rng(kSeed, Purpose::augment, static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(hash));
  for (float& p : pixels) p += static_cast<float>(deviation * rng.normal());
}

// One axis at a time, the border's pixels going on beyond it.
void blur(Planes& pixels, const Size& size, double sigma) {
  const long reach = std::lround(4 * sigma);
  std::vector<double> weights;
  double sum = 0;
  for (long i = -reach; i <= reach; ++i) {
    weights.push_back(std::exp(-static_cast<double>(i * i) / (2 * sigma * sigma)));
    sum += weights.back();
  }
  const auto along = [&](long count, long step, long lines, long line_step, float* plane) {
    std::vector<double> line(count);
    for (long l = 0; l < lines; ++l) {
      float* const first = plane + l * line_step;
      for (long i = 0; i < count; ++i) {
        line[i] = 0;
        for (long k = -reach; k <= reach; ++k)
          line[i] += weights[k + reach] / sum * static_cast<double>(first[std::clamp(i + k, 0L, count - 1) * step]);
      }
      for (long i = 0; i < count; ++i) first[i * step] = static_cast<float>(line[i]);
    }
  };
  for (long c = 0; c < size.channels; ++c) {
    along(size.width, 1, size.height, size.width, pixels.data() + c * size.plane());
    along(size.height, size.width, size.width, 1, pixels.data() + c * size.plane());
  }
}

void lower_contrast(Planes& pixels, const Size& size, double factor) {
  for (long c = 0; c < size.channels; ++c) {
    float* const plane = pixels.data() + c * size.plane();
    double mean = 0;
    for (long i = 0; i < size.plane(); ++i) mean += static_cast<double>(plane[i]) / static_cast<double>(size.plane());
    for (long i = 0; i < size.plane(); ++i)
      plane[i] = static_cast<float>((static_cast<double>(plane[i]) - mean) * factor + mean);
  }
}

void through_jpeg(Planes& pixels, const Size& size, int quality) {
  std::vector<std::uint8_t> bytes, decoded;
  for (const float p : pixels) bytes.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(p, 0.0F, 1.0F))));
  const std::string file = jpeg_bytes(
      {.pixels = bytes.data(), .channels = size.channels, .height = size.height, .width = size.width}, quality);
  const Image image = decode_photo({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, "JPEG", decoded);
  for (long i = 0; i < size.channels * size.plane(); ++i) pixels[i] = static_cast<float>(image.pixels[i]) / 255;
}

void corrupt(Planes& pixels, const Size& size, Corruption corruption, long strength) {
  switch (corruption) {
    case Corruption::noise:
      return add_noise(pixels, kNoise[strength - 1]);
    case Corruption::blur:
      return blur(pixels, size,
                  kBlur[strength - 1] / kBlurSide * static_cast<double>(std::max(size.height, size.width)));
    case Corruption::contrast:
      return lower_contrast(pixels, size, kContrast[strength - 1]);
    case Corruption::jpeg:
      return through_jpeg(pixels, size, kQuality[strength - 1]);
  }
}

}  // namespace

const char* name_of(Corruption corruption) {
  constexpr std::array kNames{"noise", "blur", "contrast", "jpeg"};
  return kNames[static_cast<std::size_t>(corruption)];
}

Tensor corrupted(const Tensor& images, const Preprocessing& p, Corruption corruption, long strength) {
  check(strength >= 1 && strength <= kStrengths, "corruption: wanted a strength from 1 to ", kStrengths, ", got ",
        strength);
  const Shape shape = images.shape();
  check(shape.rank() == 4 && shape[1] == std::ssize(p.mean), "corruption: wanted images [b, ", p.mean.size(),
        ", y, x], got ", shape);
  const Size size{shape[1], shape[2], shape[3]};
  Tensor out = empty(shape, Dtype::f32, Device::cpu);
  parallel_tasks(shape[0], [&](long b) {
    const long count = size.channels * size.plane();
    const float* from = images.host<float>() + b * count;
    float* to = out.host<float>() + b * count;
    Planes pixels(from, from + count);
    for (long i = 0; i < count; ++i) {
      const long c = i / size.plane();
      pixels[i] = std::clamp(pixels[i] * p.std[c] + p.mean[c], 0.0F, 1.0F);
    }
    corrupt(pixels, size, corruption, strength);
    for (long i = 0; i < count; ++i) {
      const long c = i / size.plane();
      to[i] = (std::clamp(pixels[i], 0.0F, 1.0F) - p.mean[c]) / p.std[c];
    }
  });
  return out;
}

Tensor shifted(const Tensor& images, long dy, long dx) {
  const Shape shape = images.shape();
  check(shape.rank() == 4, "shifted: wanted images [b, c, y, x], got ", shape);
  Tensor out = zeros(shape, Dtype::f32, Device::cpu);
  const long height = shape[2], width = shape[3];
  for (long plane = 0; plane < shape[0] * shape[1]; ++plane)
    for (long y = std::max(0L, dy); y < std::min(height, height + dy); ++y)
      for (long x = std::max(0L, dx); x < std::min(width, width + dx); ++x)
        out.host<float>()[(plane * height + y) * width + x] =
            images.host<float>()[(plane * height + y - dy) * width + x - dx];
  return out;
}

}  // namespace lookhere
