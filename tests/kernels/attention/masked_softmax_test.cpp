// The CUDA versions of attention, in the emulator under six schedules, against the CPU's naive one in f64.
#include "kernels/attention/masked_softmax.h"

#include "tests/kernels/attention/problem.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

using kernels::Cuda;

template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;

template <class T>
Result<T> masked_softmax(const Problem<T>& p, bool learned = false, long most_logits = kernels::kMostLogits) {
  return p.run([=](const auto& a) { kernels::attention_masked_softmax(Cuda{}, a, most_logits); },
               [=](const auto& a) { kernels::attention_masked_softmax_backward(Cuda{}, a, most_logits); },
               kernels::masked_softmax_workspace<T>(p.sizes, most_logits), learned);
}

template <class T>
void expect_close(const Result<T>& got, const Result<double>& want) {
  EXPECT_LT(worst_error(got.out, want.out), kTolerance<T>);
  EXPECT_LT(worst_error(got.lse, want.lse), kTolerance<T>);
  EXPECT_LT(worst_error(got.dqkv, want.dqkv), kTolerance<T>);
}

// The rungs on a GPU in T, of a problem with random values that f32 has exactly.
template <class T>
void expect_rungs_agree(Grid grid, long prefix, long head_dim, const std::vector<LookHereHead>& heads) {
  const Problem<T> p(grid, prefix, head_dim, heads, 3);
  const Result<double> want = Problem<double>(grid, prefix, head_dim, heads, 3).naive();
  expect_close(p.naive(Cuda{}), want);
  for_each_schedule([&] { expect_close(masked_softmax(p), want); });
}

TEST(MaskedSoftmax, EveryHead) {
  for_each_type([]<class T>(T) {
    for (const Grid grid : {Grid{1, 1}, {1, 5}, {3, 1}, {3, 4}})
      for (const long prefix : {0, 1}) {
        SCOPED_TRACE(concat(grid.y, "x", grid.x, " prefix ", prefix));
        expect_rungs_agree<T>(grid, prefix, 5, every_head());
      }
  });
}

// Numbers of tokens around one warp, eight warps, and several rounds of a block's threads.
TEST(MaskedSoftmax, GridsAroundWarpsAndBlocks) {
  const std::vector<LookHereHead> heads{{.view = view_of("tri_up & left"), .slope = 0.5},
                                        {.view = view_of("diag_up_right"), .slope = 0.25}};
  for (const Grid grid : {Grid{4, 8}, {5, 6}, {7, 9}, {16, 16}, {17, 17}}) {
    SCOPED_TRACE(concat(grid.y, "x", grid.x));
    expect_rungs_agree<float>(grid, 1, 4, heads);
  }
  for (const long prefix : {31, 32, 33}) expect_rungs_agree<float>({1, 1}, prefix, 33, {});
}

TEST(MaskedSoftmax, AnyPartOfTheLogitsGivesTheSame) {
  const std::vector<LookHereHead> heads{{.view = view_of("left"), .slope = 0.5}, {}, {.view = view_of("up")}};
  const Problem<double> p({3, 5}, 1, 4, heads);
  const Result<double> want = p.naive();
  const long tokens = 16, head = tokens * tokens;
  for (const long most : {1L, tokens - 1, 5 * tokens, head, 2 * head, 3 * head, 5 * head}) {
    SCOPED_TRACE(most);
    expect_close(masked_softmax(p, false, most), want);
    EXPECT_LE(kernels::masked_softmax_workspace<double>(p.sizes, most), 2 * std::max(most, tokens));
  }
  // Several images at a time, fewer heads than images.
  Problem<double> many({3, 5}, 1, 4, heads);
  EXPECT_EQ(kernels::masked_softmax_workspace<double>(many.sizes), 2 * 2 * 3 * head);
}

TEST(MaskedSoftmax, LearnedBiasHasAGradient) {
  for (const Grid grid : {Grid{3, 4}, {1, 5}}) {
    Problem<double> p(grid, 1, 4, {LookHereHead{}, LookHereHead{.view = {}, .slope = 0.5}});
    for (double& value : p.relative) value += 0.3 * std::sin(100 * value + 1);  // any values
    const Result<double> want = p.fast(true);
    for (const long most : {1L, 60L, kernels::kMostLogits}) {
      const Result<double> got = masked_softmax(p, true, most);
      expect_close(got, want);
      EXPECT_LT(worst_error(got.drelative, want.drelative), 1e-12);
    }
  }
}

TEST(MaskedSoftmax, PrefixBiasIsTheProcessors) {
  for (const long prefix : {1, 3}) {
    Problem<double> p({3, 4}, prefix, 4, {LookHereHead{}, LookHereHead{.view = {}, .slope = 0.5}});
    p.prefix = {0.5, -1, 2, 0.25};
    const Result<double> want = p.fast(true);
    for (const long most : {1L, 60L, kernels::kMostLogits}) {
      const Result<double> got = masked_softmax(p, true, most);
      expect_close(got, want);
      EXPECT_LT(worst_error(got.dprefix, want.dprefix), 1e-12);
    }
  }
}

// More rows of queries than one block adds: the same bits in any schedule.
TEST(MaskedSoftmax, GradientsOfBiasesInParts) {
  Problem<double> p({130, 2}, 1, 4, {LookHereHead{.view = {}, .slope = 0.5}});
  p.prefix = {0.5, -1};
  const Result<double> want = p.fast(true), first = masked_softmax(p, true);
  EXPECT_LT(worst_error(first.drelative, want.drelative), 1e-12);
  EXPECT_LT(worst_error(first.dprefix, want.dprefix), 1e-12);
  for_each_schedule([&] {
    const Result<double> again = masked_softmax(p, true);
    EXPECT_TRUE(same_bits(again.drelative, first.drelative) && same_bits(again.dprefix, first.dprefix));
  });
}

TEST(MaskedSoftmax, BlindHeadGivesZeros) {
  expect_zeros_of_a_blind_head({3, 3}, 10, [](const Problem<float>& p) { return masked_softmax(p); });
}

TEST(MaskedSoftmax, NanStaysVisible) {
  for (const long broken : {0, 4}) {  // the query of token 7, or its key
    Problem<float> p({5, 5}, 1, 4, {LookHereHead{}});
    p.qkv[7 * 12 + broken] = kNaN<float>;
    for (const Result<float>& got : {masked_softmax(p), p.naive(Cuda{})})
      for (long t = 0; t < p.sizes.tokens; ++t) EXPECT_EQ(std::isnan(got.out[t * 4]), broken == 4 || t == 7);
  }
}

// bf16 gives what f32 gives on rounded inputs, but for the rounding of weights, their gradients and the results.
TEST(MaskedSoftmax, Bf16IsF32Rounded) {
  const std::vector<LookHereHead> heads{{.view = view_of("tri_left"), .slope = 0.5}, {}};
  Problem<float> p({5, 7}, 1, 8, heads);
  rounded(p.qkv), rounded(p.dout);
  const Result<float> want = p.naive();
  for (const long most : {200L, kernels::kMostLogits}) {
    const Result<float> got = run_in_bf16(
        p, [=](const auto& a) { kernels::attention_masked_softmax(Cuda{}, a, most); },
        [=](const auto& a) { kernels::attention_masked_softmax_backward(Cuda{}, a, most); },
        kernels::masked_softmax_workspace<bf16>(p.sizes, most));
    EXPECT_LT(worst_error(got.lse, want.lse), 1e-5);
    EXPECT_LT(worst_error(got.out, want.out), 0.01);
    EXPECT_LT(worst_error(got.dqkv, want.dqkv), 0.02);
  }
}

}  // namespace
}  // namespace lookhere
