// A row of weights: what attention itself gives for values that tell the weights, v = 1 for one token and else 0.
#include "kernels/attention/row.h"

#include "tests/kernels/attention/problem.h"

namespace lookhere {
namespace {

constexpr Grid kGrid{3, 4};

LookHereHead head(FieldOfView view, double slope, DistanceFrom from = DistanceFrom::query,
                  MaskFill fill = MaskFill::inf) {
  return {.view = view, .from = from, .fill = fill, .slope = slope, .layer_slope = 1.5};
}

// Values of which feature d is 1 for token d: the output of a query is its row.
template <class T>
Problem<T> telling(const std::vector<LookHereHead>& heads, long prefix) {
  Problem<T> p(kGrid, prefix, 16, heads, 2, 3);
  const AttentionSizes& z = p.sizes;
  for (long image = 0; image < z.images; ++image)
    for (long h = 0; h < z.heads; ++h)
      for (long t = 0; t < z.tokens; ++t)
        for (long d = 0; d < z.head_dim; ++d)
          p.qkv[z.packed_begin(image, 2, h) + t * z.head_stride() + d] = d == t ? 1 : 0;
  return p;
}

// f(image, head, query, row)
template <class T, class F>
void for_each_row(const Problem<T>& p, F f) {
  const AttentionSizes& z = p.sizes;
  for (long image = 0; image < z.images; ++image)
    for (long h = 0; h < z.heads; ++h)
      for (long query = 0; query < z.tokens; ++query) {
        std::vector<T> row(z.tokens, kNaN<T>);
        kernels::attention_row<T>({.weights = row.data(),
                                   .qkv = p.qkv.data(),
                                   .bias = p.bias(),
                                   .sizes = z,
                                   .scale = p.scale(),
                                   .image = image,
                                   .head = h,
                                   .query = query});
        f(image, h, query, row);
      }
}

template <class T>
void expect_rows(const Problem<T>& p, const Result<T>& result, double tolerance) {
  const AttentionSizes& z = p.sizes;
  for_each_row(p, [&](long image, long h, long query, const std::vector<T>& row) {
    double sum = 0;
    for (long t = 0; t < z.tokens; ++t) {
      sum += static_cast<double>(row[t]);
      const T want = result.out[z.out_begin(image, h) + query * z.heads * z.head_dim + t];
      EXPECT_NEAR(row[t], want, tolerance) << "head " << h << ", query " << query << ", token " << t;
      EXPECT_EQ(row[t] == 0, want == 0) << "a mask is exact";
    }
    EXPECT_NEAR(sum, 1, 10 * kEpsilon<T>);
  });
}

TEST(AttentionRow, IsWhatAttentionMultipliesValuesWith) {
  const std::vector<LookHereHead> directed{
      head({{-1, 0}, {0, -1}}, 0.5), head({{1, 1}, {}}, 0.25), head({}, 0.5, DistanceFrom::grid_center),
      head({}, 0.0625, DistanceFrom::nothing), head({{0, 1}, {}}, 0.5, DistanceFrom::query, MaskFill::zero)};
  for (const std::vector<LookHereHead>& heads : {std::vector<LookHereHead>{}, directed})
    for (const long prefix : {1, 3}) {
      const auto of_doubles = telling<double>(heads, prefix);
      expect_rows(of_doubles, of_doubles.naive(), 1e-14);
      const auto of_floats = telling<float>(heads, prefix);
      expect_rows(of_floats, of_floats.naive(), 1e-6);
      expect_rows(of_floats, of_floats.fast(), 1e-5);
    }
}

// The fused kernel's, with the prefix in lanes of its tiles or by itself; the weights by the formula.
TEST(AttentionRow, KnowsTheBiasOfThePrefix) {
  for (const long prefix : {1, 3}) {
    auto p = telling<double>({head({}, 0.5), head({}, 0.25)}, prefix);
    std::fill(p.qkv.begin(), p.qkv.end(), 0);
    p.relative.assign(p.relative.size(), 0);
    p.prefix = {std::log(2.), std::log(3.), std::log(5.), 0};
    const double patches = 12, n = static_cast<double>(prefix);
    for_each_row(p, [&](long, long h, long query, const std::vector<double>& row) {
      const double factor = std::exp(p.prefix[2 * h + (query < prefix)]);
      for (long key = 0; key < p.sizes.tokens; ++key)
        EXPECT_NEAR(row[key], (key < prefix ? factor : 1) / (patches + n * factor), 1e-14);
    });
    auto random = telling<double>({head({}, 0.5), head({}, 0.25)}, prefix);
    random.prefix = p.prefix;
    expect_rows(random, random.fast(), 1e-13);
  }
}

TEST(AttentionRow, IsZeroWhereNothingIsSeenAndNaNStaysVisible) {
  auto p = telling<float>({head({}, 0.5)}, 0);
  std::fill(p.relative.begin(), p.relative.end(), -kInf<float>);
  for_each_row(p, [&](long, long, long, const std::vector<float>& row) {
    EXPECT_EQ(row, std::vector<float>(p.sizes.tokens, 0));
  });
  p = telling<float>({}, 1);
  p.qkv[p.sizes.packed_begin(0, 1, 0)] = kNaN<float>;
  for_each_row(p, [](long image, long h, long, const std::vector<float>& row) {
    for (const float weight : row) EXPECT_EQ(std::isnan(weight), image == 0 && h == 0);
  });
}

}  // namespace
}  // namespace lookhere
