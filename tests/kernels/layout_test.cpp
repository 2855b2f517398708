// Moving tokens: patches, blocks, means, and grids resized as PyTorch's bilinear interpolation does.
#include "kernels/layout.h"

#include <nlohmann/json.hpp>

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

using kernels::GridFilter;

struct Images {
  long count, channels, patch;
  Grid grid;
};
const Images kImages[] = {
    {1, 1, 1, {1, 1}}, {2, 3, 2, {3, 5}}, {3, 1, 4, {2, 1}}, {1, 2, 8, {2, 3}}, {2, 3, 16, {5, 4}}};

TEST(Layout, PatchifyReadsWhatTheFormulaSays) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const auto& [count, channels, p, grid] : kImages) {
        const long height = grid.y * p, width = grid.x * p, n = count * channels * height * width;
        std::vector<T> image = random_values<T>(n, 1), patches(n), back(n);
        kernels::Patchify<T> problem{.patches = patches.data(),
                                     .image = image.data(),
                                     .images = count,
                                     .channels = channels,
                                     .patch = p,
                                     .grid = grid};
        kernels::patchify(context, problem);
        long at = 0;
        for (long b = 0; b < count; ++b)
          for (long patch = 0; patch < grid.patches(); ++patch)
            for (long c = 0; c < channels; ++c)
              for (long i = 0; i < p; ++i)
                for (long j = 0; j < p; ++j, ++at) {
                  const long y = patch / grid.x * p + i, x = patch % grid.x * p + j;
                  ASSERT_EQ(patches[at], image[((b * channels + c) * height + y) * width + x]);
                }
        problem.image = back.data();
        kernels::unpatchify(context, problem);
        EXPECT_TRUE(same_bits(back, image));
      }
    });
  });
}

TEST(Layout, CopyBlocks) {
  for_each_context([](auto context) {
    const std::vector<float> from{1, 2, 3, 4, 5, 6};
    std::vector<float> to(7, 0.F);
    kernels::copy_blocks<float>(
        context, {.to = to.data() + 1, .from = from.data(), .count = 2, .size = 2, .to_stride = 3, .from_stride = 4});
    EXPECT_EQ(to, (std::vector<float>{0, 1, 2, 0, 5, 6, 0}));
    kernels::copy_blocks<float>(
        context, {.to = to.data(), .from = from.data(), .count = 3, .size = 2, .to_stride = 2, .from_stride = 0});
    EXPECT_EQ(to, (std::vector<float>{1, 2, 1, 2, 1, 2, 0}));
    for (const long stride : {8, 9}) {  // a GPU takes vectors of the first
      const std::vector<float> x = random_values<float>(5 * stride, 1);
      std::vector<float> y(5 * 8);
      kernels::copy_blocks<float>(
          context, {.to = y.data(), .from = x.data(), .count = 5, .size = 8, .to_stride = 8, .from_stride = stride});
      for (long i = 0; i < 40; ++i) EXPECT_EQ(y[i], x[i / 8 * stride + i % 8]);
    }
  });
}

TEST(Layout, MeanTokens) {
  for_each_context([](auto context) {
    for_each_type_and_bf16([&]<class T>(T) {
      constexpr long kImageCount = 3, kTokens = 7, kCols = 5;
      const std::vector<T> x = random_values<T>(kImageCount * kTokens * kCols, 1);
      const std::vector<T> dy = random_values<T>(kImageCount * kCols, 2);
      for (const long first : {0L, 1L, 6L}) {
        std::vector<T> y(kImageCount * kCols, kNaN<T>), dx(x.size(), kNaN<T>);
        kernels::mean_tokens<T>(
            context,
            {.y = y.data(), .x = x.data(), .images = kImageCount, .tokens = kTokens, .first = first, .cols = kCols});
        kernels::mean_tokens_backward<T>(context, {.dx = dx.data(),
                                                   .dy = dy.data(),
                                                   .images = kImageCount,
                                                   .tokens = kTokens,
                                                   .first = first,
                                                   .cols = kCols});
        std::vector<double> want(y.size()), want_dx(x.size());
        for (long i = 0; i < kImageCount * kTokens * kCols; ++i) {
          const long token = i / kCols % kTokens, row = i / (kTokens * kCols) * kCols + i % kCols;
          if (token < first) continue;
          want[row] += as_f64(x[i]) / static_cast<double>(kTokens - first);
          want_dx[i] = as_f64(dy[row]) / static_cast<double>(kTokens - first);
        }
        EXPECT_LT(worst_error(y, want), tolerance<T>(8));
        EXPECT_LT(worst_error(dx, want_dx), tolerance<T>(8));
      }
    });
  });
}

template <class T, class Context>
std::vector<T> resized(Context context, std::vector<T> from, Grid from_grid, Grid to_grid, long cols = 1,
                       GridFilter filter = GridFilter::bilinear) {
  std::vector<T> to(to_grid.patches() * cols, kNaN<T>);
  kernels::resize_grid<T>(context, {.to = to.data(),
                                    .from = from.data(),
                                    .to_grid = to_grid,
                                    .from_grid = from_grid,
                                    .cols = cols,
                                    .filter = filter});
  return to;
}

TEST(Layout, ResizeByHand) {
  for_each_context([](auto context) {
    using Values = std::vector<double>;
    EXPECT_EQ(resized<double>(context, {5}, {1, 1}, {2, 3}), Values(6, 5));
    EXPECT_EQ(resized<double>(context, {0, 4}, {1, 2}, {1, 4}), (Values{0, 1, 3, 4}));
    EXPECT_EQ(resized<double>(context, {0, 4}, {2, 1}, {4, 1}), (Values{0, 1, 3, 4}));
    EXPECT_EQ(resized<double>(context, {1, 2, 3, 4}, {1, 4}, {1, 2}),
              (Values{1.5, 3.5}));  // no antialiasing: two neighbours
    EXPECT_EQ(resized<double>(context, {0, 1, 2, 3, 4, 5, 6, 7, 8}, {3, 3}, {1, 1}), Values{4});
    EXPECT_EQ(resized<double>(context, {1, 2, 3, 4, 5, 6}, {3, 2}, {3, 2}), (Values{1, 2, 3, 4, 5, 6}));
  });
}

TEST(Layout, ResizeMatchesPyTorch) {
  for_each_context([](auto context) {
    const auto golden = nlohmann::json::parse(read_file("tests/golden/lookhere.json"));
    const auto rows = golden.at("tiny_model_forward")
                          .at("ape_resize_4_to_6")
                          .at("bilinear align_corners=False antialias=False")
                          .get<std::vector<std::vector<float>>>();
    std::vector<float> table, want;
    for (long i = 0; i < 16; ++i)
      for (long c = 0; c < 2; ++c) table.push_back(std::sin(0.3F * static_cast<float>(2 * i + c)));
    for (const auto& row : rows) want.insert(want.end(), row.begin(), row.end());
    EXPECT_LT(worst_error(resized<float>(context, table, {4, 4}, {6, 6}, 2), want), 1e-6);
  });
}

// PyTorch 2.15's interpolate(mode="bicubic") of 1, 4, 2, 8, 5, without and with antialias=True, in f64.
TEST(Layout, BicubicMatchesPyTorch) {
  for_each_context([](auto context) {
    const std::vector<double> row{1, 4, 2, 8, 5};
    EXPECT_LT(worst_error(resized<double>(context, row, {1, 5}, {1, 3}, 1, GridFilter::bicubic),
                          std::vector<double>{2.05555555555556, 2, 6.27777777777778}),
              1e-12);
    EXPECT_LT(worst_error(resized<double>(context, row, {1, 5}, {1, 7}, 1, GridFilter::bicubic),
                          std::vector<double>{0.763848396501458, 2.95043731778426, 3.53790087463557, 2,
                                              6.65743440233236, 7.37026239067055, 4.76384839650146}),
              1e-12);
    EXPECT_LT(worst_error(resized<double>(context, row, {1, 5}, {1, 3}, 1, GridFilter::bicubic_antialias),
                          std::vector<double>{2.12307692307692, 3.89767441860465, 6.36923076923077}),
              1e-12);
    EXPECT_LT(worst_error(resized<double>(context, row, {1, 5}, {1, 7}, 1, GridFilter::bicubic_antialias),
                          std::vector<double>{0.825242718446602, 2.81163434903047, 3.5597667638484, 2, 6.70845481049563,
                                              7.0775623268698, 4.8252427184466}),
              1e-12);
  });
}

TEST(Layout, ResizeBackwardIsTheTranspose) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const auto& [from, to, filter] : {std::tuple<Grid, Grid, GridFilter>{{4, 4}, {6, 6}, GridFilter::bilinear},
                                             {{5, 3}, {2, 7}, GridFilter::bilinear},
                                             {{1, 1}, {3, 2}, GridFilter::bilinear},
                                             {{7, 1}, {1, 5}, GridFilter::bilinear},
                                             {{4, 9}, {9, 4}, GridFilter::bicubic},
                                             {{1, 7}, {3, 2}, GridFilter::bicubic},
                                             {{4, 13}, {13, 3}, GridFilter::bicubic_antialias}}) {
        constexpr long kCols = 3;
        const std::vector<T> x = random_values<T>(from.patches() * kCols, 1);
        std::vector<T> y = random_values<T>(to.patches() * kCols, 2), back(x.size(), kNaN<T>);
        kernels::resize_grid_backward<T>(
            context,
            {.to = y.data(), .from = back.data(), .to_grid = to, .from_grid = from, .cols = kCols, .filter = filter});
        const std::vector<T> forward = resized<T>(context, x, from, to, kCols, filter);
        double left = 0, right = 0;  // (A x)·y = x·(Aᵀ y)
        for (std::size_t i = 0; i < y.size(); ++i) left += static_cast<double>(forward[i]) * y[i];
        for (std::size_t i = 0; i < x.size(); ++i) right += static_cast<double>(back[i]) * x[i];
        EXPECT_NEAR(left, right, 100 * kEpsilon<T>);
      }
    });
  });
}

}  // namespace
}  // namespace lookhere
