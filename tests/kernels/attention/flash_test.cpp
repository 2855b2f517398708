// Flash attention in the emulator under six schedules, against the formula in f64 on the same rounded inputs, and what
// it computes, counted.
#include "kernels/attention/flash.h"

#include "tests/kernels/attention/problem.h"
#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

using kernels::Cuda;

Result<float> flash(Problem<float>& p, long window = 0) {
  const auto run = [](auto attend) {
    return [=](const auto& problem) {
      EXPECT_TRUE(kernels::flash_takes(problem));
      attend(problem);
    };
  };
  return run_in_bf16(p, run([](const auto& a) { kernels::attention_flash(Cuda{}, a); }),
                     run([](const auto& a) { kernels::attention_flash_backward(Cuda{}, a); }),
                     kernels::flash_workspace(p.sizes), window);
}

void expect_close(const Result<float>& got, const Result<float>& want) {
  EXPECT_LT(worst_error(got.lse, want.lse), 1e-5);
  EXPECT_LT(worst_error(got.out, want.out), 0.01);
  EXPECT_LT(worst_error(got.dqkv, want.dqkv), 0.02);
}

void expect_formula(Grid grid, long prefix, long head_dim, const std::vector<LookHereHead>& heads, long window = 0) {
  SCOPED_TRACE(concat(grid.y, "x", grid.x, " prefix ", prefix, " features ", head_dim));
  Problem<float> p(grid, prefix, head_dim, heads, 3);
  const Result<float> first = flash(p, window);
  expect_close(first, p.naive());
  if (grid.patches() > 64) return;  // the emulator takes its time
  for_each_schedule([&] {
    const Result<float> again = flash(p, window);
    EXPECT_TRUE(same_bits(again.out, first.out) && same_bits(again.lse, first.lse) &&
                same_bits(again.dqkv, first.dqkv));
  });
}

TEST(Flash, EveryHead) {
  for (const Grid grid : {Grid{1, 1}, {3, 4}, {9, 10}}) expect_formula(grid, 1, 16, every_head());
}

// Around squares of 8 × 8 and groups of 16, with few and many tokens before them.
TEST(Flash, GridsAroundTiles) {
  const std::vector<LookHereHead> heads{{.view = view_of("tri_up & left"), .slope = 0.5},
                                        {.view = view_of("diag_up_right"), .slope = 0.25}};
  for (const Grid grid : {Grid{1, 9}, {8, 8}, {7, 17}, {16, 16}}) expect_formula(grid, 1, 64, heads);
  for (const long prefix : {0, 16, 65}) expect_formula({5, 3}, prefix, 32, heads);
}

TEST(Flash, WithoutABias) {
  for (const long prefix : {0, 15, 16, 63, 64, 130}) expect_formula({1, 1}, prefix, 32, {});
  expect_formula({14, 14}, 1, 64, {});
}

TEST(Flash, Windows) {
  const auto windows_of = [](long size, FieldOfView view) {
    view.window = size;
    return LookHereHead{.view = view, .slope = 0.5};
  };
  for (const long size : {1, 3, 8, 11})
    expect_formula({9, 17}, 1, 16, {windows_of(size, {}), windows_of(size, view_of("tri_up & left"))}, size);
  // Four groups a window, each with the four of its own, and the prefix.
  EXPECT_EQ(kernels::flash_pairs(windows_of(8, {}).view, {32, 32}, 1), (16 * 4 * 4 + 2 * 64 + 1) * 256);
}

TEST(Flash, PrefixBias) {
  for (const long prefix : {1, 3}) {
    Problem<float> p({3, 4}, prefix, 16, {LookHereHead{}, LookHereHead{.view = {}, .slope = 0.5}});
    p.prefix = {0.5, -1, 2, 0.25};
    const Result<float> got = flash(p);
    expect_close(got, p.fast());
  }
}

TEST(Flash, BlindHeadGivesZeros) {
  expect_zeros_of_a_blind_head({3, 9}, 16, [](Problem<float>& p) { return flash(p); });
}

TEST(Flash, NanStaysVisible) {
  for (const long broken : {0, 16}) {  // the query of token 7, or its key
    Problem<float> p({5, 5}, 1, 16, {LookHereHead{}});
    p.qkv[7 * 48 + broken] = kNaN<float>;
    const Result<float> got = flash(p);
    for (long t = 0; t < p.sizes.tokens; ++t) EXPECT_EQ(std::isnan(got.out[t * 16]), broken == 16 || t == 7);
  }
}

TEST(Flash, LeavesWhatItCannot) {
  const Problem<float> p({3, 3}, 1, 16, {LookHereHead{}});
  const auto takes = [&](auto change) {
    kernels::AttentionBackward<bf16> a{};
    a.sizes = p.sizes;
    change(a);
    return kernels::flash_takes(a);
  };
  float gradient = 0;
  bf16 values[16];
  EXPECT_TRUE(takes([](auto&) {}));
  EXPECT_FALSE(takes([](auto& a) { a.sizes.head_dim = 24; }));
  EXPECT_TRUE(takes([](auto& a) { a.sizes.grid = {150, 150}, a.sizes.tokens = 150 * 150 + 1; }));
  EXPECT_FALSE(takes([&](auto& a) {
    a.sizes.grid = {150, 150}, a.sizes.tokens = 150 * 150 + 1, a.bias.relative = &gradient;  // too large a table
  }));
  // 96x96 patches still have a table: 1536 pixels in patches of 16.
  EXPECT_TRUE(takes([&](auto& a) {
    a.sizes.grid = {96, 96}, a.sizes.tokens = 96 * 96 + 1, a.bias.relative = &gradient;
  }));
  EXPECT_FALSE(takes([&](auto& a) { a.bias.shift = &gradient; }));
  EXPECT_FALSE(takes([&](auto& a) { a.drelative = &gradient; }));
  EXPECT_FALSE(takes([&](auto& a) { a.dprefix = &gradient; }));
  EXPECT_FALSE(takes([&](auto& a) { a.qkv = values + 1; }));
}

// Groups of 16 against groups of 16 that have a pair which the head sees, and no others.
TEST(Flash, ComputesWhatIsSeen) {
  for (const Grid grid : {Grid{8, 8}, {14, 14}, {5, 21}, {32, 32}})
    for (const LookHereHead& head : every_head()) {
      const FieldOfView view = head.effective_view();
      long pairs = 0;
      const long across = (grid.x + 7) / 8, groups = (grid.y + 1) / 2 * across;
      const auto seen = [&](long q, long k) {
        for (long i = 0; i < 16; ++i)
          for (long j = 0; j < 16; ++j) {
            const long qy = q / across * 2 + i / 8, qx = q % across * 8 + i % 8;
            const long ky = k / across * 2 + j / 8, kx = k % across * 8 + j % 8;
            if (std::max(qy, ky) < grid.y && std::max(qx, kx) < grid.x && view.sees(ky - qy, kx - qx)) return true;
          }
        return false;
      };
      for (long q = 0; q < groups; ++q)
        for (long k = 0; k < groups; ++k) pairs += seen(q, k) ? 256 : 0;
      EXPECT_EQ(kernels::flash_pairs(view, grid, 1), pairs + 256 * (2 * groups + 1)) << grid.y << " " << grid.x;
    }
}

}  // namespace
}  // namespace lookhere
