// The plan of attention: every query once, biases where they are looked for, and little more than what is visible
// computed.
#include "kernels/attention/fused/plan.h"

#include <algorithm>
#include <map>

#include "kernels/attention/attention.h"
#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::AttentionPlan;
using kernels::HeadPlan;
using kernels::make_attention_plan;
using Plan = std::shared_ptr<const AttentionPlan>;

const Grid kGrids[] = {{1, 1}, {1, 37}, {37, 1}, {3, 5}, {13, 9}, {14, 14}, {24, 24}, {5, 100}, {2, 2100}, {1, 5000}};

Plan plan_of(const LookHereHead& head, Grid grid, long prefix) {
  return make_attention_plan({&head, 1}, 1, grid, prefix, 64);
}

TEST(AttentionPlan, HasEveryQueryOnce) {
  for (const LookHereHead& head : every_head())
    for (const Grid grid : kGrids)
      for (const long prefix : {0, 1, 3}) {
        const Plan plan = plan_of(head, grid, prefix);
        const HeadPlan& h = plan->heads[0];
        std::vector<std::int32_t> all(h.single, h.single + h.singles);
        std::copy_if(h.token, h.token + h.groups * kernels::kGroupQueries, std::back_inserter(all),
                     [](std::int32_t token) { return token >= 0; });
        std::sort(all.begin(), all.end());
        ASSERT_EQ(static_cast<long>(all.size()), grid.patches() + prefix);
        for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<std::int32_t>(i));
      }
}

// Every lane that holds a patch has its bias in one run, where its offset says.
TEST(AttentionPlan, RunsHoldEveryLanesBias) {
  for (const LookHereHead& head : every_head())
    for (const Grid grid : {Grid{1, 1}, {1, 37}, {3, 5}, {14, 14}}) {
      const Plan plan = plan_of(head, grid, 2);
      const HeadPlan& h = plan->heads[0];
      for (long group = 0; group < h.groups; ++group)
        for (long lane = 0; lane < kernels::kGroupQueries; ++lane) {
          const std::int32_t token = h.token[group * kernels::kGroupQueries + lane];
          int runs = 0;
          for (long i = h.group_run[group]; i < h.group_run[group + 1]; ++i) {
            if (!(h.bias_run[i].lanes >> lane & 1)) continue;
            ++runs;
            EXPECT_EQ(h.bias_run[i].step + lane, h.offset[token - 2]);
          }
          ASSERT_EQ(runs, token >= 2 ? 1 : 0);
        }
    }
}

// Where the bias of a pair stands depends on its offset alone, and differs between offsets.
TEST(AttentionPlan, TablesAreByOffset) {
  for (const Direction& direction : directions())
    for (const Grid grid : {Grid{1, 1}, {1, 7}, {6, 1}, {4, 7}, {7, 4}}) {
      const Plan plan = plan_of({.view = direction.view, .slope = 0.5}, grid, 1);
      const HeadPlan& h = plan->heads[0];
      std::map<long, std::pair<long, long>> offset_at;
      for (long q = 0; q < grid.patches(); ++q)
        for (long k = 0; k < grid.patches(); ++k) {
          const long at = h.center + h.offset[q] - h.offset[k];
          const std::pair<long, long> offset{k / grid.x - q / grid.x, k % grid.x - q % grid.x};
          ASSERT_TRUE(0 <= at && at < h.table_size);
          ASSERT_EQ(at, h.center + offset.first * h.down + offset.second * h.right);
          ASSERT_EQ(offset_at.emplace(at, offset).first->second, offset);
        }
    }
}

TEST(AttentionPlan, ComputesAtLeastWhatIsVisible) {
  for (const LookHereHead& head : every_head())
    for (const Grid grid : kGrids)
      for (const long prefix : {0, 1, 3})
        EXPECT_GE(kernels::computed_pairs(head, grid, prefix), kernels::visible_pairs(head, grid, prefix));
}

// The promise: at 32x32 patches the published heads cost little more than what they see. kernels/README.md has the
// table.
TEST(AttentionPlan, CostsWhatHeadsSee) {
  const Grid grid{32, 32};
  for (const Direction& direction : directions()) {
    const LookHereHead head{.view = direction.view, .slope = 0.5};
    const double visible = static_cast<double>(kernels::visible_pairs(head, grid, 1));
    const double share = visible / (1025. * 1025);
    const double limit = share > 0.4 ? 1.02 : share > 0.2 ? 1.26 : 1.45;  // half planes, quadrants and cones, octants
    EXPECT_LT(static_cast<double>(kernels::computed_pairs(head, grid, 1)), limit * visible) << direction.name;
  }
}

// Whether two heads point into the same buffer.
bool share(const HeadPlan& a, const HeadPlan& b) { return a.offset == b.offset && a.token == b.token; }

TEST(AttentionPlan, SharesHeadsThatSeeTheSame) {
  const LookHereHead up{.view = view_of("up"), .slope = 0.5}, left{.view = view_of("left"), .slope = 0.5}, all;
  const LookHereHead three[] = {up, left, up}, two[] = {left, all};
  Plan first = make_attention_plan(three, 3, {8, 8}, 1, 64);
  EXPECT_TRUE(share(first->heads[0], first->heads[2]));
  EXPECT_FALSE(share(first->heads[0], first->heads[1]));
  const Plan second = make_attention_plan(two, 2, {8, 8}, 1, 64, first.get());
  EXPECT_TRUE(share(second->heads[0], first->heads[1]));
  EXPECT_EQ(std::vector(second->by_cost, second->by_cost + 2), (std::vector<std::int32_t>{1, 0}));  // expensive first
  const Plan other = make_attention_plan({&left, 1}, 1, {8, 9}, 1, 64, first.get());
  EXPECT_FALSE(share(other->heads[0], first->heads[1]));
  first = nullptr;  // what is shared outlives the plan that found it
  EXPECT_EQ(second->heads[0].token[0], plan_of(left, {8, 8}, 1)->heads[0].token[0]);
}

TEST(AttentionPlan, KnowsWhatItFits) {
  const LookHereHead heads[] = {{}, {}};
  const kernels::AttentionSizes sizes{.images = 1, .tokens = 13, .heads = 2, .head_dim = 4, .grid = {3, 4}};
  kernels::AttentionSizes turned = sizes, more = sizes, longer = sizes;
  turned.grid = {4, 3}, more.heads = 3, longer.tokens = 14;
  const Plan biased = make_attention_plan(heads, 2, {3, 4}, 1, 4), plain = make_attention_plan({}, 2, {3, 4}, 1, 4);
  EXPECT_TRUE(plan_fits(*biased, sizes, true));
  EXPECT_FALSE(plan_fits(*biased, turned, true));
  EXPECT_FALSE(plan_fits(*biased, more, true));
  EXPECT_FALSE(plan_fits(*biased, longer, true));
  EXPECT_TRUE(plan_fits(*plain, turned, false));
  EXPECT_FALSE(plan_fits(*plain, longer, false));
  // Tables want a plan with room for them, also where a plain one has the same grid.
  kernels::AttentionSizes line = sizes;
  line.grid = {1, 13};
  EXPECT_FALSE(plan_fits(*make_attention_plan({}, 2, {1, 13}, 0, 4), line, true));
}

}  // namespace
}  // namespace lookhere
