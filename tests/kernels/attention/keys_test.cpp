// The keys of a tile: every visible one listed, once for every group that sees it.
#include "kernels/attention/fused/keys.h"

#include <algorithm>
#include <set>

#include "kernels/attention/attention.h"
#include "kernels/attention/fused/plan.h"
#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using kernels::KeyList;

// Every key that a group's query sees is in one class of that group, and the count is the plan's. Where the plan has
// lists, they are the ones found.
TEST(AttentionKeys, AreListedOnceForEveryGroupThatSeesThem) {
  for (const Direction& direction : directions())
    for (const Grid grid : {Grid{1, 37}, {13, 9}, {14, 14}, {2, 2100}, {1, 5000}})
      for (const long prefix : {0, 2}) {
        const LookHereHead head{.view = direction.view, .slope = 0.5};
        const auto plan = kernels::make_attention_plan({&head, 1}, 1, grid, prefix, 64);
        const kernels::HeadPlan& h = plan->heads[0];
        const long tokens = grid.patches() + prefix;
        EXPECT_EQ(h.tile_class == nullptr, tokens > 4000);
        long pairs = h.singles * tokens;
        std::vector<std::int32_t> keys;
        for (long tile = 0; tile < h.tiles(); ++tile) {
          std::set<std::pair<long, long>> seen;  // group, key
          kernels::KeyCursor at;
          const auto list = std::make_unique<KeyList>();
          while (kernels::next_keys(h.field, h.bounds + tile * kernels::kTileGroups, h.groups_of(tile), grid, prefix,
                                    at, *list))
            for (long c = 0; c < list->class_count; ++c) {
              const kernels::KeyClass& cls = list->classes[c];
              for (long i = 0; i < cls.count; ++i)
                for (long g = 0; g < cls.groups; ++g)
                  ASSERT_TRUE(seen.emplace(cls.first_group + g, list->key[cls.begin + i]).second);
              keys.insert(keys.end(), list->key + cls.begin, list->key + cls.begin + cls.count);
              pairs += cls.count * cls.groups * kernels::kGroupQueries;
            }
          const long first = tile * kernels::kTileQueries;
          for (long lane = 0; lane < h.lanes(tile); ++lane) {
            const long query = h.token[first + lane];
            if (query < 0) continue;
            for (long key = 0; key < tokens; key += tokens < 1000 ? 1 : 61) {
              const long q = query - prefix, k = key - prefix;
              if (q >= 0 && k >= 0 && !direction.sees(k / grid.x - q / grid.x, k % grid.x - q % grid.x)) continue;
              ASSERT_TRUE(seen.contains({lane / kernels::kGroupQueries, key}))
                  << direction.name << " query " << query << " key " << key;
            }
          }
        }
        EXPECT_EQ(pairs, h.computed) << direction.name;
        if (h.tile_class) {
          EXPECT_TRUE(std::equal(keys.begin(), keys.end(), h.key)) << direction.name;
        }
      }
}

}  // namespace
}  // namespace lookhere
