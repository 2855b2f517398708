// Sigmoid attention: the formula in f64 by plain loops, every kernel against it, and what a mask leaves.
#include "kernels/attention/masked_softmax.h"
#include "kernels/attention/row.h"
#include "tests/kernels/attention/problem.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

template <class T>
std::vector<T> shifts(long heads) {
  std::vector<T> all;
  for (long h = 0; h < heads; ++h) all.push_back(-std::log(static_cast<T>(2 + h)));
  return all;
}

// Out and gradients by definition: P = σ(S + b), and dS = P(1 - P)·dP.
Result<double> by_definition(const Problem<double>& p, const std::vector<double>& shift) {
  const AttentionSizes& z = p.sizes;
  const long stride = z.head_stride(), dim = z.head_dim;
  Result<double> r{.out = std::vector<double>(p.dout.size()),
                   .lse = {},
                   .dqkv = std::vector<double>(p.qkv.size()),
                   .drelative = {},
                   .dprefix = {}};
  for (long image = 0; image < z.images; ++image)
    for (long h = 0; h < z.heads; ++h)
      for (long i = 0; i < z.tokens; ++i)
        for (long j = 0; j < z.tokens; ++j) {
          const long q = z.packed_begin(image, 0, h) + i * stride, k = z.packed_begin(image, 1, h) + j * stride,
                     v = z.packed_begin(image, 2, h) + j * stride, out = z.out_begin(image, h) + i * z.heads * dim;
          double logit = shift[h], dweight = 0;
          for (long d = 0; d < dim; ++d) logit += p.qkv[q + d] * p.qkv[k + d] * p.scale();
          const long a = i - z.prefix(), b = j - z.prefix(), x = z.grid.x;
          if (!p.heads.empty() && a >= 0 && b >= 0) logit += p.heads[h].bias(z.grid, a / x, a % x, b / x, b % x);
          const double weight = 1 / (1 + std::exp(-logit));
          for (long d = 0; d < dim; ++d) r.out[out + d] += weight * p.qkv[v + d];
          for (long d = 0; d < dim; ++d) dweight += p.dout[out + d] * p.qkv[v + d];
          const double ds = weight * (1 - weight) * dweight * p.scale();
          for (long d = 0; d < dim; ++d) {
            r.dqkv[q + d] += ds * p.qkv[k + d], r.dqkv[k + d] += ds * p.qkv[q + d];
            r.dqkv[v + d] += weight * p.dout[out + d];
          }
        }
  return r;
}

// f and its gradient with the shift in the bias that they are given.
template <class T, class Forward, class Backward>
Result<T> run(const Problem<T>& p, Forward forward, Backward backward, long workspace) {
  const std::vector<T> shift = shifts<T>(p.sizes.heads);
  kernels::AttentionBias<T> bias = p.bias();
  bias.shift = shift.data();
  return p.run([&](auto a) { a.bias = bias, forward(a); }, [&](auto a) { a.bias = bias, backward(a); }, workspace);
}
template <class T>
Result<T> fast(const Problem<T>& p) {
  return run(
      p, [](const auto& a) { kernels::attention(Cpu{}, a); },
      [](const auto& a) { kernels::attention_backward(Cpu{}, a); }, kernels::attention_workspace(*p.plan(), p.sizes));
}
template <class Context, class T>
Result<T> naive(Context context, const Problem<T>& p) {
  return run(
      p, [=](const auto& a) { kernels::attention_naive(context, a); },
      [=](const auto& a) { kernels::attention_naive_backward(context, a); }, 0);
}
template <class T>
Result<T> masked_softmax(const Problem<T>& p) {
  return run(
      p, [](const auto& a) { kernels::attention_masked_softmax(kernels::Cuda{}, a); },
      [](const auto& a) { kernels::attention_masked_softmax_backward(kernels::Cuda{}, a); },
      kernels::masked_softmax_workspace<T>(p.sizes));
}

template <class T>
void expect_close(const Result<T>& got, const Result<double>& want, double tolerance) {
  EXPECT_LT(worst_error(got.out, want.out), tolerance);
  EXPECT_LT(worst_error(got.dqkv, want.dqkv), tolerance);
  for (const T lse : got.lse) ASSERT_EQ(lse, 0);
}

std::vector<LookHereHead> some_heads() {
  return {{},
          {.view = view_of("tri_up & left"), .slope = 0.5},
          {.view = view_of("right"), .slope = 0.25},
          {.view = {}, .from = DistanceFrom::grid_center, .slope = 0.25}};
}

TEST(AttentionSigmoid, IsTheFormula) {
  for (const Grid grid : {Grid{1, 1}, {3, 5}, {9, 10}})
    for (const long prefix : {0, 1, 3})
      for (const long dim : {5, 32})
        for (const bool plain : {false, true}) {
          SCOPED_TRACE(concat(grid.y, "x", grid.x, " prefix ", prefix, " dim ", dim));
          const auto heads = plain ? std::vector<LookHereHead>{} : some_heads();
          const Problem<double> p(grid, prefix, dim, heads, 2, 2);
          const Result<double> want = by_definition(p, shifts<double>(p.sizes.heads));
          expect_close(fast(p), want, 1e-12);
          expect_close(naive(Cpu{}, p), want, 1e-12);
          const Problem<float> single(grid, prefix, dim, heads, 2, 2);
          expect_close(fast(single), want, 5e-5);
        }
}

TEST(AttentionSigmoid, IsTheFormulaOnAGpu) {
  const Problem<double> p({3, 4}, 1, 4, some_heads());
  const Result<double> want = by_definition(p, shifts<double>(4));
  for_each_schedule([&] {
    expect_close(naive(kernels::Cuda{}, p), want, 1e-12);
    expect_close(masked_softmax(p), want, 1e-12);
  });
}

// Logits that exp has no room for, and NaN.
TEST(AttentionSigmoid, FarLogits) {
  Problem<float> p({4, 5}, 1, 8, {}, 1, 60);
  const Result<double> want = by_definition(Problem<double>({4, 5}, 1, 8, {}, 1, 60), shifts<double>(1));
  const Result<float> got = fast(p);
  EXPECT_LT(worst_error(got.out, want.out), 1e-4);
  for (const float value : got.dqkv) ASSERT_TRUE(std::isfinite(value));
  p.qkv[7 * 24] = kNaN<float>;  // the query of token 7
  const Result<float> broken = fast(p);
  for (long t = 0; t < p.sizes.tokens; ++t) EXPECT_EQ(std::isnan(broken.out[t * 8]), t == 7);
}

// What sees nothing gets 0, and gives none of its gradient away.
TEST(AttentionSigmoid, BlindHeadGivesZeros) {
  Problem<double> p({5, 5}, 0, 10, {LookHereHead{}, LookHereHead{}});
  p.heads.clear();
  std::fill_n(p.relative.begin(), kernels::relative_size(p.sizes.grid), -kInf<double>);  // head 0 of two
  const Result<double> got = fast(p);
  for (std::size_t i = 0; i < got.out.size(); ++i) ASSERT_EQ(got.out[i] == 0, i % 20 < 10) << i;
  for (std::size_t i = 0; i < got.dqkv.size(); ++i) ASSERT_TRUE(got.dqkv[i] == 0 || i % 20 >= 10) << i;
}

TEST(AttentionSigmoid, ARowIsSigmoids) {
  const Problem<double> p({3, 4}, 1, 4, some_heads());
  const std::vector<double> shift = shifts<double>(4);
  kernels::AttentionBias<double> bias = p.bias();
  bias.shift = shift.data();
  std::vector<double> row(13);
  const Result<double> out = fast(p);
  for (long h = 0; h < 4; ++h)
    for (long query = 0; query < 13; ++query) {
      kernels::attention_row<double>({.weights = row.data(),
                                      .qkv = p.qkv.data(),
                                      .bias = bias,
                                      .sizes = p.sizes,
                                      .scale = p.scale(),
                                      .image = 1,
                                      .head = h,
                                      .query = query});
      for (long d = 0; d < 4; ++d) {
        double sum = 0;
        for (long j = 0; j < 13; ++j)
          sum += row[j] * p.qkv[p.sizes.packed_begin(1, 2, h) + j * p.sizes.head_stride() + d];
        EXPECT_NEAR(sum, out.out[p.sizes.out_begin(1, h) + query * 16 + d], 1e-13);
      }
    }
}

TEST(AttentionSigmoid, SameBitsForAnyThreads) {
  const Problem<float> p({11, 12}, 1, 20, some_heads());
  expect_same_for_any_threads([&] { return fast(p).out; });
  expect_same_for_any_threads([&] { return fast(p).dqkv; });
}

}  // namespace
}  // namespace lookhere
