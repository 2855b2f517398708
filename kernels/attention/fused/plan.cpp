// Plans are searched for: every walk over the patches and block shape is counted, the cheapest is taken.
#include "kernels/attention/fused/plan.h"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>
#include <vector>

#include "kernels/attention/attention.h"

namespace kernels {
namespace {

// The walk over the patches: `fast` runs along lanes, `slow` from one run to the next, both linear in row and column.
// Neighbours along `fast` are neighbours in a table of the bias by (slow, fast), so a run of queries loads its bias as
// one vector, whatever the direction.
enum class Walk { rows, columns, diagonals, antidiagonals };
struct Axes {
  long slow_y, slow_x, fast_y, fast_x;
};
Axes axes_of(Walk walk) {
  switch (walk) {
    case Walk::rows:
      return {1, 0, 0, 1};
    case Walk::columns:
      return {0, 1, 1, 0};
    case Walk::diagonals:
      return {1, -1, 0, 1};
    default:
      return {1, 1, 0, 1};
  }
}

// The patches by blocks of block_rows runs, each 16 / block_rows long, in the order of the walk.
std::vector<std::int32_t> patch_order(Walk walk, long block_rows, Grid grid, long prefix) {
  const Axes axes = axes_of(walk);
  const long lowest = walk == Walk::diagonals ? grid.x - 1 : 0, run = kGroupQueries / block_rows;
  std::vector<std::int32_t> order(grid.patches());
  std::iota(order.begin(), order.end(), prefix);
  const auto key = [&](std::int32_t token) {
    const long y = (token - prefix) / grid.x, x = (token - prefix) % grid.x;
    const long slow = axes.slow_y * y + axes.slow_x * x + lowest, fast = axes.fast_y * y + axes.fast_x * x;
    return std::tuple(slow / block_rows, block_rows == 1 ? 0 : fast / run, slow, fast);
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return key(a) < key(b); });
  return order;
}

// A head's plan while it is made: its numbers, and its arrays still apart.
struct Draft {
  HeadPlan plan;
  std::vector<std::int32_t> offset, token, single, group_run, key, tile_class;
  std::vector<GroupBounds> bounds;
  std::vector<BiasRun> bias_run;
  std::vector<KeyClass> key_class;
};

// One step of multiply-add per feature and lane, the softmax around it; a query by itself sums across lanes.
double single_cost(long head_dim) {
  const double dim = static_cast<double>(head_dim);
  return (2 * std::ceil(dim / 16) * 1.5 + 12) / ((2 * dim + 10) / 16);
}

void set_bounds(Draft& draft, Grid grid, long prefix) {
  for (std::size_t first = 0; first < draft.token.size(); first += kGroupQueries)
    draft.bounds.push_back(bounds_of_group(draft.plan.field, &draft.token[first], grid, prefix));
  draft.plan.groups = static_cast<long>(draft.bounds.size());
  draft.plan.singles = static_cast<long>(draft.single.size());
}

// Puts the first `filled` queries of the order into lanes; the rest are by themselves. Returns the cost in pairs.
double fill_lanes(Draft& draft, const std::vector<std::int32_t>& order, long filled, Grid grid, long prefix,
                  long head_dim) {
  draft.token.assign((filled + kGroupQueries - 1) / kGroupQueries * kGroupQueries, -1);
  std::copy_n(order.begin(), filled, draft.token.begin());
  draft.single.assign(order.begin() + filled, order.end());
  double cost =
      static_cast<double>(static_cast<long>(draft.single.size()) * (grid.patches() + prefix)) * single_cost(head_dim);
  set_bounds(draft, grid, prefix);
  for (const GroupBounds& bounds : draft.bounds)
    cost += static_cast<double>(count_keys(draft.plan.field, bounds, grid, prefix) * kGroupQueries);
  return cost;
}

void set_table(Draft& draft, Walk walk, Grid grid) {
  HeadPlan& plan = draft.plan;
  const Axes axes = axes_of(walk);
  const long slow = axes.slow_y && axes.slow_x ? grid.y + grid.x - 1 : axes.slow_y ? grid.y : grid.x;
  const long fast = axes.fast_x ? grid.x : grid.y, width = 2 * fast - 1;
  plan.table_size = width * (2 * slow - 1);
  plan.center = plan.table_size / 2;
  plan.down = -(axes.slow_y * width + axes.fast_y), plan.right = -(axes.slow_x * width + axes.fast_x);
  for (long y = 0; y < grid.y; ++y)
    for (long x = 0; x < grid.x; ++x)
      draft.offset.push_back(static_cast<std::int32_t>(-(y * plan.down + x * plan.right)));
}

// Windows: each has groups of its own, with empty lanes behind its last query, so that the keys of a group are what all
// of its queries see. The prefix is by itself, or in groups of its own where that is cheaper.
Draft window_draft(const FieldOfView& field, Grid grid, long prefix, long head_dim) {
  Draft draft;
  draft.plan.field = field;
  const auto end_group = [&] {
    while (draft.token.size() % kGroupQueries) draft.token.push_back(-1);
  };
  for (long y = 0; y < grid.y; y += field.window)
    for (long x = 0; x < grid.x; x += field.window, end_group())
      for (long row = y; row < std::min(grid.y, y + field.window); ++row)
        for (long column = x; column < std::min(grid.x, x + field.window); ++column)
          draft.token.push_back(static_cast<std::int32_t>(prefix + row * grid.x + column));
  const bool single = static_cast<double>(prefix) * single_cost(head_dim) < kGroupQueries;
  for (long token = 0; token < prefix; ++token)
    (single ? draft.single : draft.token).push_back(static_cast<std::int32_t>(token));
  end_group();
  set_bounds(draft, grid, prefix);
  set_table(draft, Walk::rows, grid);
  return draft;
}

// The cheapest of all orders of the queries, without its lists of keys and bias.
Draft best_draft(const FieldOfView& field, Grid grid, long prefix, long head_dim) {
  if (field.window) return window_draft(field, grid, prefix, head_dim);
  Draft best;
  Walk best_walk = Walk::rows;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](Walk walk, long block_rows) {
    const long patches = grid.patches(), whole = patches / kGroupQueries * kGroupQueries;
    std::vector<std::int32_t> order = patch_order(walk, block_rows, grid, prefix);
    for (long token = 0; token < prefix; ++token) order.push_back(static_cast<std::int32_t>(token));
    long before = -1;
    for (const long filled : {patches + prefix, patches, whole}) {  // all in lanes; the prefix single; the rest too
      if (filled == before) continue;
      before = filled;
      Draft draft;
      draft.plan.field = field;
      const double cost = fill_lanes(draft, order, filled, grid, prefix, head_dim);
      if (cost >= least) continue;
      least = cost, best = std::move(draft), best_walk = walk;
    }
  };
  consider(Walk::rows, 1);
  if (!field.sees_all())
    for (const Walk walk : {Walk::rows, Walk::columns, Walk::diagonals, Walk::antidiagonals})
      for (const long block_rows : {1, 2, 4}) consider(walk, block_rows);
  set_table(best, best_walk, grid);
  return best;
}

// Lists the keys of all tiles if they are few, and counts what the kernel will do: a class spans from its first group
// to its last.
void list_keys(Draft& draft, Grid grid, long prefix) {
  constexpr long kMostListed = 1L << 16;
  HeadPlan& plan = draft.plan;
  const long tokens = grid.patches() + prefix;
  const bool listed = plan.tiles() * tokens <= kMostListed;
  plan.computed = plan.singles * tokens;
  KeyList list;
  for (long tile = 0; tile < plan.tiles(); ++tile) {
    if (listed) draft.tile_class.push_back(static_cast<std::int32_t>(draft.key_class.size()));
    const GroupBounds* bounds = draft.bounds.data() + tile * kTileGroups;
    for (KeyCursor at; next_keys(plan.field, bounds, plan.groups_of(tile), grid, prefix, at, list);)
      for (long c = 0; c < list.class_count; ++c) {
        KeyClass cls = list.classes[c];
        plan.computed += static_cast<long>(cls.count) * cls.groups * kGroupQueries;
        if (!listed) continue;
        const std::int32_t* from = list.key + cls.begin;
        cls.begin = static_cast<std::int32_t>(draft.key.size());
        draft.key.insert(draft.key.end(), from, from + cls.count);
        draft.key_class.push_back(cls);
      }
  }
  if (listed) draft.tile_class.push_back(static_cast<std::int32_t>(draft.key_class.size()));
}

void list_bias_runs(Draft& draft, long prefix) {
  for (long group = 0; group < draft.plan.groups; ++group) {
    const auto first = static_cast<std::int32_t>(draft.bias_run.size());
    draft.group_run.push_back(first);
    for (int lane = 0; lane < kGroupQueries; ++lane) {
      const long token = draft.token[group * kGroupQueries + lane];
      if (token < prefix) continue;
      const std::int32_t step = draft.offset[token - prefix] - lane;
      const auto run = std::find_if(draft.bias_run.begin() + first, draft.bias_run.end(),
                                    [&](const BiasRun& known) { return known.step == step; });
      if (run == draft.bias_run.end())
        draft.bias_run.push_back({step, 1U << lane});
      else
        run->lanes |= 1U << lane;
    }
  }
  draft.group_run.push_back(static_cast<std::int32_t>(draft.bias_run.size()));
}

// A finished head and the buffer that it points into.
struct PlannedHead {
  HeadPlan plan;
  std::vector<std::int32_t> words;

  explicit PlannedHead(const Draft& draft) : plan(draft.plan) {
    const auto for_each_array = [&](auto f) {
      f(plan.offset, draft.offset), f(plan.token, draft.token), f(plan.single, draft.single);
      f(plan.bounds, draft.bounds), f(plan.bias_run, draft.bias_run), f(plan.group_run, draft.group_run);
      f(plan.key, draft.key), f(plan.key_class, draft.key_class), f(plan.tile_class, draft.tile_class);
    };
    const auto size_of = [](const auto& from) { return from.size() * sizeof from[0] / sizeof(std::int32_t); };
    std::size_t size = 0;
    for_each_array([&](auto*&, const auto& from) { size += size_of(from); });
    words.reserve(size);  // it does not move from here on
    for_each_array([&](auto*& array, const auto& from) {
      if (from.empty()) return;
      const auto* first = reinterpret_cast<const std::int32_t*>(from.data());
      array = reinterpret_cast<std::remove_reference_t<decltype(array)>>(words.data() + words.size());
      words.insert(words.end(), first, first + size_of(from));
    });
  }
};

// The memory behind a plan; heads that see the same share theirs, also between plans.
struct OwnedPlan : AttentionPlan {
  std::vector<std::shared_ptr<const PlannedHead>> owners;  // a head each
  std::vector<HeadPlan> head_plans;
  std::vector<std::int32_t> order;
};

std::shared_ptr<const PlannedHead> plan_head(const FieldOfView& field, Grid grid, long prefix, long head_dim) {
  Draft draft = best_draft(field, grid, prefix, head_dim);
  list_keys(draft, grid, prefix);
  list_bias_runs(draft, prefix);
  return std::make_shared<PlannedHead>(draft);
}

}  // namespace

std::shared_ptr<const AttentionPlan> make_attention_plan(std::span<const LookHereHead> heads, long head_count,
                                                         Grid grid, long prefix, long head_dim,
                                                         const AttentionPlan* like) {
  auto plan = std::make_shared<OwnedPlan>();
  plan->grid = grid, plan->prefix = prefix;
  // Without a bias all tokens are alike: one row of patches.
  if (heads.empty()) plan->grid = {1, grid.patches() + prefix}, plan->prefix = 0;
  plan->head_count = heads.empty() ? head_count : static_cast<long>(heads.size());
  std::vector<std::shared_ptr<const PlannedHead>> known;
  if (like && like->grid == plan->grid && like->prefix == plan->prefix)
    known = static_cast<const OwnedPlan*>(like)->owners;  // every plan is made here
  for (long h = 0; h < plan->head_count; ++h) {
    const FieldOfView field = heads.empty() ? FieldOfView{} : heads[h].effective_view();
    auto found = std::find_if(known.begin(), known.end(), [&](const auto& head) { return head->plan.field == field; });
    if (found == known.end()) found = known.insert(known.end(), plan_head(field, plan->grid, plan->prefix, head_dim));
    plan->owners.push_back(*found);
    plan->head_plans.push_back((*found)->plan);
    plan->order.push_back(static_cast<std::int32_t>(h));
    if (!heads.empty()) plan->table_stride = std::max(plan->table_stride, plan->head_plans.back().table_size);
  }
  constexpr long kPad = AttentionPlan::kTablePad;
  if (plan->table_stride) plan->table_stride = (plan->table_stride + 3 * kPad) / kPad * kPad;
  plan->heads = plan->head_plans.data(), plan->by_cost = plan->order.data();
  std::stable_sort(plan->order.begin(), plan->order.end(),
                   [&](int a, int b) { return plan->heads[a].computed > plan->heads[b].computed; });
  return plan;
}

bool plan_fits(const AttentionPlan& plan, const AttentionSizes& z, bool biased) {
  return plan.head_count == z.heads && plan.grid.patches() + plan.prefix == z.tokens &&
         (!biased || (plan.grid == z.grid && plan.table_stride > 0));
}

long attention_workspace(const AttentionPlan& plan, const AttentionSizes& sizes) {
  return 2 * plan.tables() + omp_get_max_threads() * sizes.stage_size();
}

long computed_pairs(const AttentionPlan& plan, long head) { return plan.heads[head].computed; }
long computed_pairs(const LookHereHead& head, Grid grid, long prefix, long head_dim) {
  return computed_pairs(*make_attention_plan({&head, 1}, 1, grid, prefix, head_dim), 0);
}

}  // namespace kernels
