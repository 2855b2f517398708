// The fused and the tiled attention kernel against the naive one, that one against the formula, and what none may do:
// blow up on blind queries, depend on the number of threads, or read what no query of a tile sees.
#include "kernels/attention/attention.h"

#include "kernels/simd/isa.h"
#include "tests/kernels/attention/problem.h"

namespace lookhere {
namespace {

template <class T>
void expect_rungs_agree(const Problem<T>& problem, double tolerance) {
  const Result<T> naive = problem.naive();
  for (const Result<T>& got : {problem.fast(), problem.tiled()}) {
    EXPECT_LT(worst_error(got.out, naive.out), tolerance);
    EXPECT_LT(worst_error(got.lse, naive.lse), tolerance);
    EXPECT_LT(worst_error(got.dqkv, naive.dqkv), tolerance);
  }
}
template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 1e-5 : 1e-12;

TEST(Attention, NaiveIsTheFormula) {
  const Problem<double> p({3, 4}, 1, 5, every_head());
  const Result<double> got = p.naive();
  const AttentionSizes& z = p.sizes;
  const auto row = [&](long b, long t, long part, long h) {
    return p.qkv.data() + (((b * z.tokens + t) * 3 + part) * z.heads + h) * z.head_dim;
  };
  for (long b = 0; b < z.images; ++b)
    for (long h = 0; h < z.heads; ++h)
      for (long q = 0; q < z.tokens; ++q) {
        std::vector<double> weight(z.tokens), want(z.head_dim);
        double sum = 0;
        for (long k = 0; k < z.tokens; ++k) {
          double logit = q && k ? p.heads[h].bias(z.grid, (q - 1) / 4, (q - 1) % 4, (k - 1) / 4, (k - 1) % 4) : 0;
          for (long d = 0; d < z.head_dim; ++d) logit += row(b, q, 0, h)[d] * row(b, k, 1, h)[d] * p.scale();
          sum += weight[k] = std::exp(logit);
        }
        for (long k = 0; k < z.tokens; ++k)
          for (long d = 0; d < z.head_dim; ++d) want[d] += weight[k] / sum * row(b, k, 2, h)[d];
        for (long d = 0; d < z.head_dim; ++d)
          ASSERT_NEAR(got.out[((b * z.tokens + q) * z.heads + h) * z.head_dim + d], want[d], 1e-13) << "head " << h;
        ASSERT_NEAR(got.lse[(b * z.heads + h) * z.tokens + q], std::log(sum), 1e-13) << "head " << h;
      }
}

// Every number of tokens around tiles of 64 queries, chunks of 96 keys and tiles of 64.
TEST(Attention, EveryNumberOfTokens) {
  for_each_type([]<class T>(T) {
    for (long tokens = 1; tokens <= 130; ++tokens) {
      SCOPED_TRACE(tokens);
      const LookHereHead left{.view = view_of("left"), .slope = 0.5}, right{.view = view_of("right"), .slope = 0.1};
      expect_rungs_agree(Problem<T>({1, tokens}, 0, 6, {left, right}), kTolerance<T>);
      expect_rungs_agree(Problem<T>({1, 1}, tokens - 1, 6, {}, 2), kTolerance<T>);
    }
  });
}

TEST(Attention, EveryPairOfHalfPlanes) {
  std::vector<LookHereHead> heads;
  const auto for_each_half_plane = [](auto f) {
    for (const int a : {-1, 0, 1})
      for (const int b : {-1, 0, 1}) f(kernels::HalfPlane{a, b});
  };
  for_each_half_plane([&](kernels::HalfPlane first) {
    for_each_half_plane([&](kernels::HalfPlane second) { heads.push_back({.view = {first, second}, .slope = 0.1}); });
  });
  for (const Grid grid : {Grid{8, 8}, {1, 9}, {9, 1}, {5, 13}})
    expect_rungs_agree(Problem<double>(grid, 1, 4, heads), 1e-12);
}

TEST(Attention, EveryHeadOnEveryGrid) {
  for_each_type([]<class T>(T) {
    for (const Grid grid : {Grid{1, 1}, {1, 37}, {37, 1}, {5, 5}, {13, 9}, {8, 12}})
      for (const long prefix : {0, 1, 3}) {
        SCOPED_TRACE(concat(grid.y, "x", grid.x, " prefix ", prefix));
        expect_rungs_agree(Problem<T>(grid, prefix, 5, every_head()), kTolerance<T>);
      }
  });
}

TEST(Attention, EveryHeadSize) {
  for_each_type([]<class T>(T) {
    for (const long head_dim : {1, 2, 6, 8, 10, 16, 24, 32, 64, 100, 256}) {
      SCOPED_TRACE(head_dim);
      const LookHereHead head{.view = view_of("tri_up"), .slope = 0.5};
      expect_rungs_agree(Problem<T>({9, 9}, 1, head_dim, {head, {}}), kTolerance<T>);
      expect_rungs_agree(Problem<T>({7, 10}, 1, head_dim, {}, 3), kTolerance<T>);
    }
  });
}

TEST(Attention, PlainWhateverTheGrid) {
  const Problem<double> whole({5, 6}, 1, 8, {}, 2);
  Problem<double> unknown = whole;
  unknown.sizes.grid = {1, 1};
  EXPECT_TRUE(same_bits(whole.fast().dqkv, unknown.fast().dqkv));
}

// Logits in the hundreds: in f32 their own rounding (1e-5 of a logit) is what remains.
TEST(Attention, LargeLogits) {
  const std::vector<LookHereHead> heads{{}, {.view = view_of("up & left"), .slope = 0.5}, {.view = {}, .slope = 100}};
  expect_rungs_agree(Problem<double>({9, 8}, 1, 16, heads, 0, 30), 1e-10);
  const Problem<float> p({9, 8}, 1, 16, heads, 0, 30);
  const Result<double> want = Problem<double>({9, 8}, 1, 16, heads, 0, 30).naive();
  for (const Result<float>& got : {p.fast(), p.tiled()}) {
    EXPECT_LT(worst_error(got.out, want.out, 30), 1e-3);
    for (const float value : got.dqkv) ASSERT_TRUE(std::isfinite(value));
  }
}

// Tables may hold any bias, such as a learned one: heads then stay null and nothing is skipped.
TEST(Attention, TablesWithoutHeads) {
  const Grid grid{4, 7};
  Problem<double> p(grid, 1, 3, {LookHereHead{}});
  p.heads.clear();
  p.relative = random_values<double>(kernels::relative_size(grid), 5, -3, 3);
  p.key = random_values<double>(grid.patches(), 6, -3, 3);
  const Result<double> fast = p.fast(), tiled = p.tiled();
  for (long q = 1; q < p.sizes.tokens; ++q) {
    double sum = 0;
    for (long k = 0; k < p.sizes.tokens; ++k) {
      double logit = 0;
      for (long d = 0; d < 3; ++d) logit += p.qkv[q * 9 + d] * p.qkv[k * 9 + 3 + d] * p.scale();
      if (k > 0) {
        const long dy = (q - 1) / 7 - (k - 1) / 7, dx = (q - 1) % 7 - (k - 1) % 7;
        logit += p.relative[(grid.y - 1 + dy) * (2 * grid.x - 1) + grid.x - 1 + dx] + p.key[k - 1];
      }
      sum += std::exp(logit);
    }
    EXPECT_NEAR(fast.lse[q], std::log(sum), 1e-12);
    EXPECT_NEAR(tiled.lse[q], std::log(sum), 1e-12);
  }
}

TEST(Attention, BlindHeadGivesZeros) {
  for_each_type([]<class T>(T) {
    for (const Grid grid : {Grid{1, 1}, {5, 5}, {13, 9}}) {
      Problem<T> p(grid, 0, 10, {LookHereHead{}, LookHereHead{}});
      p.heads.clear();
      std::fill_n(p.relative.begin(), kernels::relative_size(grid), -kInf<T>);  // head 0 of two
      for (const Result<T>& got : {p.fast(), p.tiled()}) {
        for (std::size_t i = 0; i < got.out.size(); ++i) ASSERT_EQ(got.out[i] == 0, i % 20 < 10) << i;
        for (std::size_t i = 0; i < got.dqkv.size(); ++i) {
          ASSERT_TRUE(std::isfinite(got.dqkv[i])) << i;
          ASSERT_TRUE(got.dqkv[i] == 0 || i % 20 >= 10) << i;
        }
        for (long i = 0; i < grid.patches(); ++i) ASSERT_EQ(got.lse[i], -kInf<T>);
      }
    }
  });
}

// Only keys strictly below are visible: the last row sees nothing, and what it sees nothing of must not leak.
TEST(Attention, BlindQueriesAmongSeeingOnes) {
  const Grid grid{12, 9};
  Problem<double> p(grid, 0, 4, {LookHereHead{}});
  p.heads.clear();
  for (long dy = -grid.y + 1; dy < grid.y; ++dy)
    for (long dx = -grid.x + 1; dx < grid.x; ++dx)
      p.relative[(grid.y - 1 - dy) * (2 * grid.x - 1) + grid.x - 1 - dx] = dy >= 1 ? 0 : -kInf<double>;
  for (const Result<double>& got : {p.fast(), p.tiled()})
    for (long i = 0; i < 2 * p.sizes.tokens; ++i) {
      const long t = i % p.sizes.tokens;
      const double* out = got.out.data() + i * 4;
      const double* dqkv = got.dqkv.data() + i * 12;
      const bool blind = t >= p.sizes.tokens - grid.x, unseen = t < grid.x;
      EXPECT_EQ(out[0] == 0, blind) << t;
      EXPECT_EQ(dqkv[0] == 0, blind) << t;
      EXPECT_EQ(dqkv[4] == 0 && dqkv[8] == 0, unseen) << t;
      EXPECT_TRUE(std::isfinite(out[0] + dqkv[0] + dqkv[4] + dqkv[8])) << t;
    }
}

TEST(Attention, NanStaysVisible) {
  for_each_type([]<class T>(T) {
    for (const bool plain : {false, true}) {
      Problem<T> p({5, 5}, 1, 4, plain ? std::vector<LookHereHead>{} : std::vector<LookHereHead>{{}}, 1);
      p.qkv[7 * 12] = kNaN<T>;  // the query of token 7
      for (const Result<T>& got : {p.fast(), p.tiled(), p.naive()})
        for (long t = 0; t < p.sizes.tokens; ++t) EXPECT_EQ(std::isnan(got.out[t * 4]), t == 7);
      p.qkv[7 * 12 + 4] = kNaN<T>;  // its key
      for (const Result<T>& got : {p.fast(), p.tiled(), p.naive()})
        for (long t = 0; t < p.sizes.tokens; ++t) EXPECT_TRUE(std::isnan(got.out[t * 4]));
    }
  });
}

TEST(Attention, SameBitsForAnyThreads) {
  for_each_type([]<class T>(T) {
    const Problem<T> p({11, 12}, 1, 20, every_head());
    expect_same_for_any_threads([&] { return p.fast().out; });
    expect_same_for_any_threads([&] { return p.fast().lse; });
    expect_same_for_any_threads([&] { return p.fast().dqkv; });
    expect_same_for_any_threads([&] { return p.tiled().dqkv; });
    Problem<T> learned({11, 12}, 3, 20, {LookHereHead{}, LookHereHead{.view = {}, .slope = 0.5}});
    learned.prefix = {0.5, -1, 2, 0.25};
    // So few images and heads that threads share one.
    expect_same_for_any_threads([&] { return learned.fast(true).out; });
    expect_same_for_any_threads([&] { return learned.fast(true).lse; });
    expect_same_for_any_threads([&] { return learned.fast(true).dqkv; });
    expect_same_for_any_threads([&] { return learned.fast(true).drelative; });
    expect_same_for_any_threads([&] { return learned.fast(true).dprefix; });
  });
}

// bf16 gives what f32 gives on rounded inputs, rounded once at the end. Where the processor multiplies pairs of bf16,
// weights and their gradients are rounded as well.
TEST(Attention, Bf16IsF32Rounded) {
  const std::vector<LookHereHead> heads{{.view = view_of("tri_left"), .slope = 0.5},
                                        {},
                                        {.view = view_of("up")},
                                        {.view = view_of("tri_up & left"), .slope = 0.1}};
  for (const Grid grid : {Grid{1, 1}, {5, 7}, {9, 13}, {17, 17}})
    for (const long head_dim : {8, 9, 24, 64}) {
      const bool pairs = kernels::isa() == kernels::Isa::avx512_bf16 && head_dim % 2 == 0;
      Problem<float> p(grid, 1, head_dim, heads);
      const std::vector<bf16> qkv = rounded(p.qkv), dout = rounded(p.dout);
      const auto plan = p.plan();
      std::vector<float> workspace(kernels::attention_workspace(*plan, p.sizes), kNaN<float>), want_out, lse;
      std::vector<bf16> out(dout.size()), dqkv(qkv.size());
      Result<float> want = p.fast();
      lse.resize(want.lse.size());
      const kernels::AttentionBias<bf16> bias{.relative = p.relative.data()};
      kernels::attention(Cpu{}, kernels::Attention<bf16>{.out = out.data(),
                                                         .lse = lse.data(),
                                                         .qkv = qkv.data(),
                                                         .bias = bias,
                                                         .sizes = p.sizes,
                                                         .scale = p.scale(),
                                                         .plan = plan.get(),
                                                         .workspace = workspace.data()});
      if (pairs) {
        for (std::size_t i = 0; i < lse.size(); ++i) ASSERT_NEAR(lse[i], want.lse[i], 1e-5) << i;
        double squares = 0, error = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
          const double difference = static_cast<float>(out[i]) - want.out[i];
          ASSERT_NEAR(difference, 0, 0.01) << i;
          squares += want.out[i] * want.out[i], error += difference * difference;
        }
        EXPECT_LT(error, 9e-6 * squares);  // 2^-9 of a value, rounded twice
      } else {
        EXPECT_TRUE(same_bits(lse, want.lse));
        EXPECT_TRUE(out == rounded(want.out));
      }
      kernels::attention_backward(Cpu{}, kernels::AttentionBackward<bf16>{.dqkv = dqkv.data(),
                                                                          .dout = dout.data(),
                                                                          .out = out.data(),
                                                                          .qkv = qkv.data(),
                                                                          .lse = lse.data(),
                                                                          .bias = bias,
                                                                          .sizes = p.sizes,
                                                                          .scale = p.scale(),
                                                                          .plan = plan.get(),
                                                                          .workspace = workspace.data()});
      // δ is taken from the rounded output here: equal but for that
      for (std::size_t i = 0; i < dqkv.size(); ++i)
        ASSERT_NEAR(static_cast<float>(dqkv[i]), want.dqkv[i], 0.01 + 0.01 * std::abs(want.dqkv[i])) << i;
    }
}

// The gradient of a learned bias: the sum of dS over the pairs of one offset, from differences of the loss Σ dO ⊙ O.
TEST(Attention, LearnedBiasHasAGradient) {
  for (const Grid grid : {Grid{3, 4}, {1, 9}, {5, 5}, {17, 16}}) {
    const std::vector<LookHereHead> heads{{}, {.view = view_of("diag_up_right"), .slope = 0.5}};
    Problem<double> p(grid, 1, 4, heads);
    for (double& value : p.relative)
      if (std::isfinite(value)) value += 0.3 * std::sin(100 * value + 1);  // any values
    const long size = kernels::relative_size(grid);
    const Result<double> with = p.fast(true);
    const std::vector<double>& gradient = with.drelative;
    EXPECT_LT(worst_error(with.dqkv, p.fast().dqkv), 1e-12);
    const auto loss = [&] {
      const Result<double> r = p.fast();
      double sum = 0;
      for (std::size_t i = 0; i < r.out.size(); ++i) sum += r.out[i] * p.dout[i];
      return sum;
    };
    for (long i = 0; i < 2 * size; i += std::max(1L, size / 20)) {
      if (!std::isfinite(p.relative[i])) {
        EXPECT_EQ(gradient[i], 0) << i;
        continue;
      }
      const double before = p.relative[i], step = 1e-5;
      p.relative[i] = before + step;
      const double above = loss();
      p.relative[i] = before - step;
      const double below = loss();
      p.relative[i] = before;
      EXPECT_NEAR(gradient[i], (above - below) / (2 * step), 1e-6 * (1 + std::abs(gradient[i]))) << i;
    }
  }
}

// Counting is not skipping: keys and values that no query of a block sees may be NaN.
TEST(Attention, NeverReadsWhatItSkips) {
  for_each_type([]<class T>(T) {
    Problem<T> p({32, 32}, 0, 4, {LookHereHead{.view = view_of("up"), .slope = 0.5}});
    const long first = 960;  // the last block of 64 queries
    for (long t = first; t < p.sizes.tokens; ++t) std::fill_n(p.qkv.begin() + t * 12 + 4, 8, kNaN<T>);
    const Result<T> fast = p.fast();
    for (long t = 0; t < p.sizes.tokens; ++t) {
      ASSERT_EQ(std::isnan(fast.out[t * 4]), t >= first) << t;
      ASSERT_EQ(std::isnan(fast.dqkv[t * 12]), t >= first) << t;
    }
  });
}

}  // namespace
}  // namespace lookhere
