// Windows: every kernel that knows them against the formula, and what they cost.
#include "kernels/attention/fused/plan.h"
#include "kernels/attention/masked_softmax.h"
#include "tests/kernels/attention/problem.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

LookHereHead windows_of(long size, FieldOfView view = {}) {
  view.window = size;
  return {.view = view, .slope = 0.5};
}
// Windows by themselves, with distances, and of what a direction sees.
std::vector<LookHereHead> heads_of(long size) {
  LookHereHead free = windows_of(size), key = windows_of(size);
  free.from = DistanceFrom::nothing, key.from = DistanceFrom::grid_center;
  return {free, windows_of(size), windows_of(size, view_of("tri_up & left")), key};
}

TEST(AttentionWindow, IsTheFormulaInEveryKernel) {
  for (const Grid grid : {Grid{1, 1}, {1, 9}, {4, 4}, {5, 7}, {9, 10}})
    for (const long size : {1, 2, 3, 5, 50})
      for (const long prefix : {0, 1, 20}) {
        SCOPED_TRACE(concat(grid.y, "x", grid.x, ", windows of ", size, ", prefix ", prefix));
        const Problem<double> p(grid, prefix, 5, heads_of(size));
        const Result<double> want = p.naive(), got = p.fast();
        EXPECT_LT(worst_error(got.out, want.out), 1e-12);
        EXPECT_LT(worst_error(got.lse, want.lse), 1e-12);
        EXPECT_LT(worst_error(got.dqkv, want.dqkv), 1e-12);
        const Problem<float> single(grid, prefix, 8, heads_of(size));
        const Result<double> wanted = Problem<double>(grid, prefix, 8, heads_of(size)).naive();
        EXPECT_LT(worst_error(single.fast().dqkv, wanted.dqkv), 2e-5);
      }
}

TEST(AttentionWindow, IsTheFormulaOnAGpu) {
  const Problem<double> p({3, 5}, 1, 4, heads_of(2));
  const Result<double> want = p.naive();
  for_each_schedule([&] {
    kernels::AttentionBias<double> bias = p.bias();
    bias.window = 2;
    const Result<double> naive = p.naive(kernels::Cuda{});
    const Result<double> got =
        p.run([&](auto a) { a.bias = bias, kernels::attention_masked_softmax(kernels::Cuda{}, a); },
              [&](auto a) { a.bias = bias, kernels::attention_masked_softmax_backward(kernels::Cuda{}, a); },
              kernels::masked_softmax_workspace<double>(p.sizes));
    for (const Result<double>* one : {&naive, &got}) {
      EXPECT_LT(worst_error(one->out, want.out), 1e-12);
      EXPECT_LT(worst_error(one->dqkv, want.dqkv), 1e-12);
    }
  });
}

// A patch sees its own square and the prefix: counted pair by pair.
TEST(AttentionWindow, PairsAreCounted) {
  for (const Grid grid : {Grid{1, 1}, {4, 4}, {5, 7}})
    for (const LookHereHead& head : heads_of(2)) {
      long pairs = 2 * 2 + 2 * 2 * grid.patches();
      for (long q = 0; q < grid.patches(); ++q)
        for (long k = 0; k < grid.patches(); ++k)
          pairs += std::isfinite(head.bias(grid, q / grid.x, q % grid.x, k / grid.x, k % grid.x));
      EXPECT_EQ(kernels::visible_pairs(head, grid, 2), pairs);
    }
  EXPECT_EQ(kernels::visible_pairs(windows_of(4), {8, 8}, 1), 1 + 2 * 64 + 4 * 16 * 16);
}

// 32x32 patches in windows of 4: a group of queries is a window, so nothing but what is visible is computed. In windows
// of 2 four of sixteen lanes are used, and 7 leaves lanes empty; both are far from every pair.
TEST(AttentionWindow, CostsWhatHeadsSee) {
  const Grid grid{32, 32};
  const long single = kernels::computed_pairs(windows_of(4), grid, 1), all = 1025L * 1025;
  EXPECT_EQ(single, kernels::visible_pairs(windows_of(4), grid, 1));
  EXPECT_EQ(kernels::computed_pairs(windows_of(2), grid, 1), 1025 + 256 * 16 * 5);
  EXPECT_LT(kernels::computed_pairs(windows_of(7), grid, 1), all / 12);
  EXPECT_EQ(kernels::computed_pairs(windows_of(4), grid, 20), 64 * 16 * 36 + 32 * (1024 + 20));  // in groups of its own
}

TEST(AttentionWindow, SameBitsForAnyThreads) {
  const Problem<float> p({11, 12}, 1, 20, heads_of(3));
  expect_same_for_any_threads([&] { return p.fast().out; });
  expect_same_for_any_threads([&] { return p.fast().dqkv; });
}

}  // namespace
}  // namespace lookhere
