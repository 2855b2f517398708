// Attention's plan: which queries lie together in vector lanes and which keys they may see. Made once for a grid and a
// set of heads, O(tokens) per head; the kernels read it and never take memory.
//
// Sixteen queries make a group, four groups a tile. A group computes the keys that any of its queries may see, so the
// queries of a group should see the same: patches are taken along rows, columns or diagonals, in runs of 16 or in
// blocks of 8×2 or 4×4, whichever computes least for the head's field of view. That is decided by counting.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/attention/field_of_view.h"

namespace kernels {

inline constexpr int kGroupQueries = 16, kTileGroups = 4, kTileQueries = 64;

// The walk over the patches: `fast` runs along lanes, `slow` from one run to the next, both linear in row and column.
// Neighbours along `fast` are neighbours in a table of the bias by (slow, fast), so a run of queries loads its bias as
// one vector, whatever the direction.
enum class Walk { rows, columns, diagonals, antidiagonals };

// What a group may see: the key (y, x) if every half-plane holds a·y + b·x >= least. With two half-planes their sum is
// a third one, which cuts off the corner of a cone.
struct GroupView {
  std::int32_t least[3];
};

// Where the bias of some lanes of a group stands: that of lane l at [step + l] of the key's row in the table.
struct BiasRun {
  std::int32_t step;
  std::uint16_t lanes;  // bit l: lane l
};

// Keys of a tile that the same of its groups may see: from first_group on, so many. They are listed from `begin` on.
struct KeyClass {
  std::int32_t first_group, groups, begin, count;
};

struct HeadLayout {
  FieldOfView view;
  Walk walk = Walk::rows;
  long block_rows = 1;  // a group is block_rows runs of 16 / block_rows patches
  // The bias of query q and key k stands in the head's table at center + offset[q] - offset[k].
  long table_size = 0, center = 0;
  std::vector<std::int32_t> offset;     // (patches)
  std::vector<std::int32_t> token;      // (groups, 16): the query in each lane, -1 where there is none
  std::vector<GroupView> seen;          // (groups)
  std::vector<BiasRun> bias_run;        // of all groups, one after the other
  std::vector<std::int32_t> group_run;  // (groups + 1): a group's first run
  std::vector<std::int32_t> single;     // queries that fill no group: computed outside of the tiles
  // The keys of every tile, as next_keys finds them; for large grids empty.
  std::vector<std::int32_t> key;
  std::vector<KeyClass> key_class;
  std::vector<std::int32_t> tile_class;  // (tiles + 1): a tile's first class
  long computed = 0;                     // (query, key) pairs, empty lanes included

  long groups() const { return static_cast<long>(seen.size()); }
  long tiles() const { return (groups() + kTileGroups - 1) / kTileGroups; }
  long lanes(long tile) const {  // in use, empty ones among them included
    return kGroupQueries * (groups() - tile * kTileGroups < kTileGroups ? groups() - tile * kTileGroups : kTileGroups);
  }
  // Where the pair (dy, dx) = key - query stands in the table, as a step from `center`.
  long step(long dy, long dx) const;
  long width = 1;  // of the table's rows
};

struct AttentionPlan {
  Grid grid;
  long prefix = 0;  // tokens before the patches: they see and are seen by all
  std::vector<std::shared_ptr<const HeadLayout>> heads;
  std::vector<std::int32_t> by_cost;  // heads, the most expensive first
  long table_stride = 0;              // values from one head's table to the next, room for whole vectors at both ends
  static constexpr long kTablePad = 16;
  // All heads' tables, in values.
  long tables() const { return table_stride * static_cast<long>(heads.size()); }
};

// `heads` may be empty: `head_count` heads that see everything without a bias. Layouts that `like` has already, such as
// another layer's, are shared. Memory and time O(tokens) per head and walk.
AttentionPlan make_attention_plan(const std::vector<LookHereHead>& heads, long head_count, Grid grid, long prefix,
                                  long head_dim, const AttentionPlan* like = nullptr);

// The keys that the groups of one tile may see, by class. A key may be in several classes, of other groups each.
struct KeyList {
  static constexpr long kMaxKeys = 2048, kMaxClasses = 10;
  std::int32_t key[5 * kMaxKeys];  // tokens: 2·kMaxKeys, those between others twice, those of small classes more often
  KeyClass classes[kMaxClasses];
  long class_count = 0;
};
// Where the walk over a tile's keys stands; starts as {}.
struct KeyCursor {
  long prefix = 0, y = 0, x = 0;
};
// The next keys of a tile, at most 2·kMaxKeys, those of most groups first and the prefix in front. False at the end.
bool next_keys(const HeadLayout& layout, Grid grid, long prefix, long tile, KeyCursor& at, KeyList& list);

// How many (query, key) pairs the fast kernel computes for one head: its work, counted for tests and benches.
long computed_pairs(const LookHereHead& head, Grid grid, long prefix, long head_dim = 64);
// How many pairs the head sees, prefix tokens included.
long visible_pairs(const LookHereHead& head, Grid grid, long prefix);

}  // namespace kernels
