// The layouts are searched: every walk and block shape is counted, the cheapest is taken.
#include "kernels/attention/fused/plan.h"

#include <omp.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "kernels/attention/attention.h"

namespace kernels {
namespace {

// slow and fast as functions of row and column.
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

// The half-planes that a field of view and its groups are tested against: both, and their sum in lowest terms.
struct HalfPlanes {
  HalfPlane plane[3];
  explicit HalfPlanes(const FieldOfView& view) : plane{view.first, view.second, {}} {
    HalfPlane sum{view.first.a + view.second.a, view.first.b + view.second.b};
    if (sum.a % 2 == 0 && sum.b % 2 == 0) sum = {sum.a / 2, sum.b / 2};
    if (view.first != HalfPlane{} && view.second != HalfPlane{}) plane[2] = sum;
  }
};

struct Interval {
  long begin, end;
};
// The columns of key row y, within [begin, end), that a group may see.
Interval columns_seen(const HalfPlanes& planes, const GroupView& group, long y, Interval columns) {
  for (int i = 0; i < 3; ++i) {
    const HalfPlane& p = planes.plane[i];
    const long rest = group.least[i] - p.a * y;  // b·x >= rest
    if (p.b > 0)
      columns.begin = std::max(columns.begin, rest);
    else if (p.b < 0)
      columns.end = std::min(columns.end, 1 - rest);
    else if (rest > 0)
      columns.end = columns.begin;
  }
  return columns;
}

constexpr std::int32_t kSeesAll = -(1 << 30);

GroupView view_of_group(const HalfPlanes& planes, const std::int32_t* token, Grid grid, long prefix) {
  GroupView group{{1 << 30, 1 << 30, 1 << 30}};
  for (int lane = 0; lane < kGroupQueries; ++lane) {
    if (token[lane] < 0) continue;
    const long patch = token[lane] - prefix;
    for (int i = 0; i < 3; ++i) {
      const long value = planes.plane[i].a * (patch / grid.x) + planes.plane[i].b * (patch % grid.x);
      group.least[i] = std::min(group.least[i], patch < 0 ? kSeesAll : static_cast<std::int32_t>(value));
    }
  }
  return group;
}

// One step of multiply-add per feature and lane, the softmax around it; a query by itself sums across lanes.
double single_cost(long head_dim) {
  const double dim = static_cast<double>(head_dim);
  return (2 * std::ceil(dim / 16) * 1.5 + 12) / ((2 * dim + 10) / 16);
}

// Fills token, seen, single and computed for queries in this order. Returns the cost in pairs.
double lay_out(HeadLayout& layout, const std::vector<std::int32_t>& order, long filled, Grid grid, long prefix,
               long head_dim) {
  const HalfPlanes planes(layout.view);
  const long tokens = grid.patches() + prefix;
  layout.token.assign((filled + kGroupQueries - 1) / kGroupQueries * kGroupQueries, -1);
  std::copy_n(order.begin(), filled, layout.token.begin());
  layout.single.assign(order.begin() + filled, order.end());
  layout.seen.clear();
  layout.computed = static_cast<long>(layout.single.size()) * tokens;
  double cost = static_cast<double>(layout.computed) * single_cost(head_dim);
  for (std::size_t first = 0; first < layout.token.size(); first += kGroupQueries) {
    layout.seen.push_back(view_of_group(planes, &layout.token[first], grid, prefix));
    long keys = prefix;
    for (long y = 0; y < grid.y; ++y) {
      const Interval x = columns_seen(planes, layout.seen.back(), y, {0, grid.x});
      keys += std::max(0L, x.end - x.begin);
    }
    layout.computed += keys * kGroupQueries;
    cost += static_cast<double>(keys * kGroupQueries);
  }
  return cost;
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

void set_table(HeadLayout& layout, Grid grid) {
  const Axes axes = axes_of(layout.walk);
  const long slow = axes.slow_y && axes.slow_x ? grid.y + grid.x - 1 : axes.slow_y ? grid.y : grid.x;
  const long fast = axes.fast_x ? grid.x : grid.y;
  layout.width = 2 * fast - 1;
  layout.table_size = layout.width * (2 * slow - 1);
  layout.center = layout.table_size / 2;
  layout.offset.resize(grid.patches());
  for (long patch = 0; patch < grid.patches(); ++patch)
    layout.offset[patch] = static_cast<std::int32_t>(-layout.step(patch / grid.x, patch % grid.x));
}

HeadLayout best_layout(const FieldOfView& view, Grid grid, long prefix, long head_dim) {
  HeadLayout best;
  double least = 0;
  std::vector<std::int32_t> prefix_tokens(prefix);
  std::iota(prefix_tokens.begin(), prefix_tokens.end(), 0);
  const auto consider = [&](Walk walk, long block_rows) {
    const std::vector<std::int32_t> patches = patch_order(walk, block_rows, grid, prefix);
    const long count = grid.patches(), whole = count / kGroupQueries * kGroupQueries;
    std::vector<std::int32_t> order = patches;
    order.insert(order.end(), prefix_tokens.begin(), prefix_tokens.end());
    long before = -1;
    for (const long filled : {count + prefix, count, whole}) {  // everything in lanes; the prefix single; the rest too
      if (filled == before) continue;
      before = filled;
      HeadLayout layout;
      layout.view = view, layout.walk = walk, layout.block_rows = block_rows;
      const double cost = lay_out(layout, order, filled, grid, prefix, head_dim);
      if (!best.offset.empty() && cost >= least) continue;
      least = cost, best = std::move(layout);
      set_table(best, grid);
    }
  };
  consider(Walk::rows, 1);
  if (view.sees_all()) return best;
  for (const Walk walk : {Walk::rows, Walk::columns, Walk::diagonals, Walk::antidiagonals})
    for (const long block_rows : {1, 2, 4}) consider(walk, block_rows);
  return best;
}

}  // namespace

long HeadLayout::step(long dy, long dx) const {
  const Axes axes = axes_of(walk);
  return -((axes.slow_y * dy + axes.slow_x * dx) * width + axes.fast_y * dy + axes.fast_x * dx);
}

namespace {

// Keys of one row, from `token` on, that the groups in `mask` may see.
struct Run {
  std::int32_t token, count, mask;
};

// Splits the columns at every border of the groups' intervals: between two borders the same groups see.
long add_runs(Run* runs, const Interval* seen, int groups, long first_token) {
  long border[2 * kTileGroups];
  int borders = 0;
  for (int g = 0; g < groups; ++g)
    for (const long at : {seen[g].begin, seen[g].end}) {
      if (seen[g].begin >= seen[g].end) continue;
      int i = borders++;
      for (; i > 0 && border[i - 1] > at; --i) border[i] = border[i - 1];
      border[i] = at;
    }
  long count = 0;
  for (int i = 0; i + 1 < borders; ++i) {
    const long begin = border[i], end = border[i + 1];
    std::int32_t mask = 0;
    for (int g = 0; g < groups; ++g)
      if (seen[g].begin <= begin && end <= seen[g].end) mask |= 1 << g;
    if (begin < end && mask)
      runs[count++] = {static_cast<std::int32_t>(first_token + begin), static_cast<std::int32_t>(end - begin), mask};
  }
  return count;
}

constexpr int kMasks = 1 << kTileGroups;

// Groups [first, first + groups) of a tile; classes of most groups come first: all 4, 3 from 0 or 1, ...
int class_of(int first, int groups) {
  constexpr int kFirstOfSize[] = {0, 6, 3, 1, 0};
  return kFirstOfSize[groups] + first;
}

// A class of fewer keys is not worth a pass over its own: the start of a product then costs more than reading keys
// again.
constexpr std::int32_t kWorthAPass = 16;
// Keys of large classes are in two classes at most, of the other ones in as many as there are groups.
static_assert(2 * 2 * KeyList::kMaxKeys + kMasks * kWorthAPass * kTileGroups <= 5 * KeyList::kMaxKeys);

// Into which classes the keys of a mask go, as bits. Neighbouring groups share a pass, which reads a key once for all
// of them, if it has enough keys to be worth it; else each group has them in its own.
int classes_of(int mask, std::int32_t count) {
  int classes = 0, size = 1;
  for (int first = 0; first < kTileGroups; first += size) {
    size = 1;
    if (!(mask >> first & 1)) continue;
    while (count >= kWorthAPass && mask >> (first + size) & 1) ++size;
    classes |= 1 << class_of(first, size);
  }
  return classes;
}

}  // namespace

bool next_keys(const HeadLayout& layout, Grid grid, long prefix, long tile, KeyCursor& at, KeyList& list) {
  if (at.prefix >= prefix && at.y >= grid.y) return false;
  const HalfPlanes planes(layout.view);
  const int groups = static_cast<int>(std::min<long>(kTileGroups, layout.groups() - tile * kTileGroups));
  const GroupView* view = layout.seen.data() + tile * kTileGroups;
  Run runs[KeyList::kMaxKeys + 8];
  long run_count = 0, keys = 0;
  const long from_prefix = std::min(prefix - at.prefix, KeyList::kMaxKeys);
  if (from_prefix > 0) {
    runs[run_count++] = {static_cast<std::int32_t>(at.prefix), static_cast<std::int32_t>(from_prefix),
                         (1 << groups) - 1};
    at.prefix += from_prefix, keys += from_prefix;
  }
  for (; at.prefix >= prefix && at.y < grid.y; ++at.y, at.x = 0) {
    const long room = std::min(2 * KeyList::kMaxKeys - keys, KeyList::kMaxKeys - run_count);
    const Interval part{at.x, std::min(grid.x, at.x + KeyList::kMaxKeys)};
    if (room < part.end - part.begin) break;
    Interval seen[kTileGroups];
    for (int g = 0; g < groups; ++g) seen[g] = columns_seen(planes, view[g], at.y, part);
    const long added = add_runs(runs + run_count, seen, groups, prefix + at.y * grid.x);
    for (long i = 0; i < added; ++i) keys += runs[run_count + i].count;
    run_count += added;
    if (part.end < grid.x) {
      at.x = part.end;
      break;
    }
  }
  std::int32_t of_mask[kMasks] = {}, count[KeyList::kMaxClasses] = {}, next[KeyList::kMaxClasses], begin = 0;
  int classes[kMasks];
  for (long i = 0; i < run_count; ++i) of_mask[runs[i].mask] += runs[i].count;
  for (int mask = 0; mask < kMasks; ++mask) {
    classes[mask] = classes_of(mask, of_mask[mask]);
    for (int cls = 0; cls < KeyList::kMaxClasses; ++cls)
      if (classes[mask] >> cls & 1) count[cls] += of_mask[mask];
  }
  list.class_count = 0;
  for (int size = kTileGroups; size >= 1; --size)
    for (int first = 0; first + size <= kTileGroups; ++first) {
      const int cls = class_of(first, size);
      next[cls] = begin;
      if (count[cls]) list.classes[list.class_count++] = {first, size, begin, count[cls]};
      begin += count[cls];
    }
  for (long i = 0; i < run_count; ++i)
    for (int cls = 0; cls < KeyList::kMaxClasses; ++cls)
      if (classes[runs[i].mask] >> cls & 1)
        for (std::int32_t k = 0; k < runs[i].count; ++k) list.key[next[cls]++] = runs[i].token + k;
  return true;
}

namespace {

// Keeps the keys of all tiles if they are few, and counts what the kernel will do: a class spans from its first group
// to its last.
void list_keys(HeadLayout& layout, Grid grid, long prefix) {
  constexpr long kMostListed = 1L << 16;
  const long tokens = grid.patches() + prefix;
  const bool keep = layout.tiles() * tokens <= kMostListed;
  layout.computed = static_cast<long>(layout.single.size()) * tokens;
  KeyList list;
  for (long tile = 0; tile < layout.tiles(); ++tile) {
    if (keep) layout.tile_class.push_back(static_cast<std::int32_t>(layout.key_class.size()));
    for (KeyCursor at; next_keys(layout, grid, prefix, tile, at, list);)
      for (long c = 0; c < list.class_count; ++c) {
        KeyClass cls = list.classes[c];
        layout.computed += static_cast<long>(cls.count) * cls.groups * kGroupQueries;
        if (!keep) continue;
        const std::int32_t* from = list.key + cls.begin;
        cls.begin = static_cast<std::int32_t>(layout.key.size());
        layout.key.insert(layout.key.end(), from, from + cls.count);
        layout.key_class.push_back(cls);
      }
  }
  if (keep) layout.tile_class.push_back(static_cast<std::int32_t>(layout.key_class.size()));
}

void list_bias_runs(HeadLayout& layout, long prefix) {
  for (long group = 0; group < layout.groups(); ++group) {
    const auto first = static_cast<std::int32_t>(layout.bias_run.size());
    layout.group_run.push_back(first);
    for (int lane = 0; lane < kGroupQueries; ++lane) {
      const long token = layout.token[group * kGroupQueries + lane];
      if (token < prefix) continue;
      const std::int32_t step = layout.offset[token - prefix] - lane;
      const auto run = std::find_if(layout.bias_run.begin() + first, layout.bias_run.end(),
                                    [&](const BiasRun& known) { return known.step == step; });
      const auto bit = static_cast<std::uint16_t>(1U << lane);
      if (run == layout.bias_run.end())
        layout.bias_run.push_back({step, bit});
      else
        run->lanes |= bit;
    }
  }
  layout.group_run.push_back(static_cast<std::int32_t>(layout.bias_run.size()));
}

}  // namespace

AttentionPlan make_attention_plan(const std::vector<LookHereHead>& heads, long head_count, Grid grid, long prefix,
                                  long head_dim, const AttentionPlan* like) {
  // Without a bias all tokens are alike: one row of patches.
  AttentionPlan plan{.grid = grid, .prefix = prefix, .heads = {}, .by_cost = {}};
  if (heads.empty()) plan.grid = {1, grid.patches() + prefix}, plan.prefix = 0;
  const bool shares = like && like->grid == plan.grid && like->prefix == plan.prefix;
  std::vector<std::shared_ptr<const HeadLayout>> known;
  if (shares) known = like->heads;
  for (long h = 0; h < (heads.empty() ? head_count : static_cast<long>(heads.size())); ++h) {
    const FieldOfView view = heads.empty() ? FieldOfView{} : heads[h].effective_view();
    auto found = std::find_if(known.begin(), known.end(), [&](const auto& layout) { return layout->view == view; });
    if (found == known.end()) {
      HeadLayout layout = best_layout(view, plan.grid, plan.prefix, head_dim);
      list_keys(layout, plan.grid, plan.prefix);
      list_bias_runs(layout, plan.prefix);
      known.push_back(std::make_shared<HeadLayout>(std::move(layout)));
      found = known.end() - 1;
    }
    plan.heads.push_back(*found);
    plan.by_cost.push_back(static_cast<std::int32_t>(h));
    if (!heads.empty()) plan.table_stride = std::max(plan.table_stride, (*found)->table_size);
  }
  if (plan.table_stride) plan.table_stride = (plan.table_stride + 3 * AttentionPlan::kTablePad) / 16 * 16;
  std::stable_sort(plan.by_cost.begin(), plan.by_cost.end(),
                   [&](int a, int b) { return plan.heads[a]->computed > plan.heads[b]->computed; });
  return plan;
}

long attention_workspace(const AttentionPlan& plan, const AttentionSizes& sizes) {
  return 2 * plan.tables() + omp_get_max_threads() * sizes.stage_size();
}

long computed_pairs(const LookHereHead& head, Grid grid, long prefix, long head_dim) {
  return make_attention_plan({head}, 1, grid, prefix, head_dim).heads[0]->computed;
}

long visible_pairs(const LookHereHead& head, Grid grid, long prefix) {
  const FieldOfView view = head.effective_view();
  long pairs = prefix * (2 * grid.patches() + prefix);
  for (long dy = 1 - grid.y; dy < grid.y; ++dy)
    for (long dx = 1 - grid.x; dx < grid.x; ++dx)
      if (view.sees(dy, dx)) pairs += (grid.y - std::abs(dy)) * (grid.x - std::abs(dx));
  return pairs;
}

}  // namespace kernels
