// The plan of attention: every query once, every visible key listed, and little more than what is visible computed.
#include "kernels/attention/fused/plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::AttentionPlan;
using kernels::HeadLayout;
using kernels::KeyList;

const Grid kGrids[] = {{1, 1}, {1, 37}, {37, 1}, {3, 5}, {13, 9}, {14, 14}, {24, 24}, {5, 100}, {2, 2100}, {1, 5000}};

AttentionPlan plan_of(const LookHereHead& head, Grid grid, long prefix) {
  return kernels::make_attention_plan({head}, 1, grid, prefix, 64);
}

TEST(AttentionPlan, HasEveryQueryOnce) {
  for (const LookHereHead& head : every_head())
    for (const Grid grid : kGrids)
      for (const long prefix : {0, 1, 3}) {
        const AttentionPlan plan = plan_of(head, grid, prefix);
        std::vector<std::int32_t> all = plan.heads[0]->single;
        for (const std::int32_t token : plan.heads[0]->token)
          if (token >= 0) all.push_back(token);
        std::sort(all.begin(), all.end());
        ASSERT_EQ(static_cast<long>(all.size()), grid.patches() + prefix);
        for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<std::int32_t>(i));
      }
}

// Every key that a group's query sees is in one class of that group, and the count is the plan's. Where the layout
// keeps its lists, they are the ones found.
TEST(AttentionPlan, ListsWhatGroupsSee) {
  for (const Direction& direction : directions())
    for (const Grid grid : {Grid{1, 37}, {13, 9}, {14, 14}, {2, 2100}, {1, 5000}})
      for (const long prefix : {0, 2}) {
        const AttentionPlan plan = plan_of({.view = direction.view, .slope = 0.5}, grid, prefix);
        const HeadLayout& layout = *plan.heads[0];
        const long tokens = grid.patches() + prefix;
        EXPECT_EQ(layout.tile_class.empty(), tokens > 4000);
        long pairs = static_cast<long>(layout.single.size()) * tokens;
        std::vector<std::int32_t> keys;
        for (long tile = 0; tile < layout.tiles(); ++tile) {
          std::set<std::pair<long, long>> seen;  // group, key
          kernels::KeyCursor at;
          const auto list = std::make_unique<KeyList>();
          while (kernels::next_keys(layout, grid, prefix, tile, at, *list))
            for (long c = 0; c < list->class_count; ++c) {
              const kernels::KeyClass& cls = list->classes[c];
              for (long i = 0; i < cls.count; ++i)
                for (long g = 0; g < cls.groups; ++g)
                  ASSERT_TRUE(seen.emplace(cls.first_group + g, list->key[cls.begin + i]).second);
              keys.insert(keys.end(), list->key + cls.begin, list->key + cls.begin + cls.count);
              pairs += cls.count * cls.groups * kernels::kGroupQueries;
            }
          const long first = tile * kernels::kTileQueries;
          const long lanes = std::min<long>(kernels::kTileQueries, static_cast<long>(layout.token.size()) - first);
          for (long lane = 0; lane < lanes; ++lane) {
            const long query = layout.token[first + lane];
            if (query < 0) continue;
            for (long key = 0; key < tokens; key += tokens < 1000 ? 1 : 61) {
              const long q = query - prefix, k = key - prefix;
              if (q >= 0 && k >= 0 && !direction.sees(k / grid.x - q / grid.x, k % grid.x - q % grid.x)) continue;
              ASSERT_TRUE(seen.contains({lane / kernels::kGroupQueries, key}))
                  << direction.name << " query " << query << " key " << key;
            }
          }
        }
        EXPECT_EQ(pairs, layout.computed) << direction.name;
        if (!layout.tile_class.empty()) {
          EXPECT_EQ(layout.key, keys) << direction.name;
        }
      }
}

// Every lane that holds a patch has its bias in one run, where its offset says.
TEST(AttentionPlan, RunsHoldEveryLanesBias) {
  for (const LookHereHead& head : every_head())
    for (const Grid grid : {Grid{1, 1}, {1, 37}, {3, 5}, {14, 14}}) {
      const AttentionPlan plan = plan_of(head, grid, 2);
      const HeadLayout& layout = *plan.heads[0];
      ASSERT_EQ(static_cast<long>(layout.group_run.size()), layout.groups() + 1);
      for (long group = 0; group < layout.groups(); ++group)
        for (long lane = 0; lane < kernels::kGroupQueries; ++lane) {
          const std::int32_t token = layout.token[group * kernels::kGroupQueries + lane];
          int runs = 0;
          for (long i = layout.group_run[group]; i < layout.group_run[group + 1]; ++i) {
            if (!(layout.bias_run[i].lanes >> lane & 1)) continue;
            ++runs;
            EXPECT_EQ(layout.bias_run[i].step + lane, layout.offset[token - 2]);
          }
          ASSERT_EQ(runs, token >= 2 ? 1 : 0);
        }
    }
}

// Where the bias of a pair stands depends on its offset alone, and differs between offsets.
TEST(AttentionPlan, TablesAreByOffset) {
  for (const Direction& direction : directions())
    for (const Grid grid : {Grid{1, 1}, {1, 7}, {6, 1}, {4, 7}, {7, 4}}) {
      const AttentionPlan plan = plan_of({.view = direction.view, .slope = 0.5}, grid, 1);
      const HeadLayout& layout = *plan.heads[0];
      std::map<long, std::pair<long, long>> offset_at;
      for (long q = 0; q < grid.patches(); ++q)
        for (long k = 0; k < grid.patches(); ++k) {
          const long at = layout.center + layout.offset[q] - layout.offset[k];
          const std::pair<long, long> offset{k / grid.x - q / grid.x, k % grid.x - q % grid.x};
          ASSERT_TRUE(0 <= at && at < layout.table_size);
          ASSERT_EQ(at, layout.center + layout.step(offset.first, offset.second));
          ASSERT_EQ(offset_at.emplace(at, offset).first->second, offset);
        }
    }
}

TEST(AttentionPlan, CountsPairs) {
  const LookHereHead all, up{.view = view_of("up"), .slope = 1}, octant{.view = view_of("tri_up & left"), .slope = 1};
  EXPECT_EQ(kernels::visible_pairs(all, {3, 5}, 0), 15 * 15);
  EXPECT_EQ(kernels::visible_pairs(all, {3, 5}, 2), 17 * 17);
  EXPECT_EQ(kernels::visible_pairs(up, {14, 14}, 0), 20580);  // g³(g+1)/2, as the authors' code counts
  EXPECT_EQ(kernels::visible_pairs(octant, {14, 14}, 0), 6020);
  EXPECT_EQ(kernels::visible_pairs(octant, {64, 64}, 0), 2207920);
  EXPECT_EQ(kernels::visible_pairs(octant, {14, 14}, 1), 6020 + 2 * 196 + 1);
  EXPECT_EQ(kernels::computed_pairs(all, {8, 8}, 0), 64 * 64);
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

TEST(AttentionPlan, SharesLayouts) {
  const LookHereHead up{.view = view_of("up"), .slope = 0.5}, left{.view = view_of("left"), .slope = 0.5};
  const AttentionPlan first = kernels::make_attention_plan({up, left, up}, 3, {8, 8}, 1, 64);
  EXPECT_EQ(first.heads[0], first.heads[2]);
  EXPECT_NE(first.heads[0], first.heads[1]);
  const AttentionPlan second = kernels::make_attention_plan({left, {}}, 2, {8, 8}, 1, 64, &first);
  EXPECT_EQ(second.heads[0], first.heads[1]);
  EXPECT_EQ(second.by_cost, (std::vector<std::int32_t>{1, 0}));  // the most expensive first
  const AttentionPlan other = kernels::make_attention_plan({left}, 1, {8, 9}, 1, 64, &first);
  EXPECT_NE(other.heads[0], first.heads[1]);
}

}  // namespace
}  // namespace lookhere
