// The kernels that move tokens, for 64 images of 224 px in patches of 16 and ViT-B's 768 features.
#include "kernels/layout.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

constexpr long kImages = 64, kTokens = 197, kCols = 768;

}  // namespace

int main(int argc, char** argv) {
  const long n = kImages * kTokens * kCols;
  Values<float> from = random_values(n), to(n), pooled = random_values(kImages * kCols, 2);
  const Patchify<float> image{
      .patches = to.data(), .image = from.data(), .images = kImages, .channels = 3, .patch = 16, .grid = {14, 14}};
  const CopyBlocks<float> behind_class_token{.to = to.data() + kCols,
                                             .from = from.data(),
                                             .count = kImages,
                                             .size = (kTokens - 1) * kCols,
                                             .to_stride = kTokens * kCols,
                                             .from_stride = (kTokens - 1) * kCols};
  const MeanTokens<float> mean{
      .y = pooled.data(), .x = from.data(), .images = kImages, .tokens = kTokens, .first = 1, .cols = kCols};
  const MeanTokensBackward<float> mean_gradient{
      .dx = to.data(), .dy = pooled.data(), .images = kImages, .tokens = kTokens, .first = 1, .cols = kCols};
  const ResizeGrid<float> resize{
      .to = to.data(), .from = from.data(), .to_grid = {64, 64}, .from_grid = {14, 14}, .cols = kCols};

  std::vector<Case> cases;
  const auto add = [&](const char* kernel, const char* shape, double values, std::function<void()> run) {
    cases.push_back({.kernel = kernel, .rung = "kernel", .shape = shape, .bytes = 4 * values, .run = std::move(run)});
  };
  const double tokens = kImages * (kTokens - 1) * kCols, table = 64 * 64 * kCols;
  add("patchify", "64 x 3 x 224 x 224", 2 * tokens, [=] { patchify(Cpu{}, image); });
  add("unpatchify", "64 x 3 x 224 x 224", 2 * tokens, [=] { unpatchify(Cpu{}, image); });
  add("copy_blocks", "64 x 196 x 768", 2 * tokens, [=] { copy_blocks(Cpu{}, behind_class_token); });
  add("mean_tokens", "64 x 197 x 768", tokens, [=] { mean_tokens(Cpu{}, mean); });
  add("mean_tokens_backward", "64 x 197 x 768", tokens, [=] { mean_tokens_backward(Cpu{}, mean_gradient); });
  add("resize_grid", "14 x 14 to 64 x 64 x 768", table, [=] { resize_grid(Cpu{}, resize); });
  add("resize_grid_backward", "14 x 14 to 64 x 64 x 768", table, [=] { resize_grid_backward(Cpu{}, resize); });
  return run_all(argc, argv, cases);
}
