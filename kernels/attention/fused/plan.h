// Attention's plan as the fused kernels read it: which queries lie together in vector lanes and which keys they may
// see. Plain numbers and arrays; who makes one (plan.cpp) keeps the memory.
//
// Sixteen queries make a group, four groups a tile. A group computes the keys that any of its queries may see, so the
// queries of a group should see the same: patches are taken along rows, columns or diagonals, in runs of 16 or in
// blocks of 8×2 or 4×4, whichever computes least for the head's field of view. That is decided by counting.
#pragma once
#include <cstdint>

#include "kernels/attention/fused/keys.h"

namespace kernels {

// Where the bias of some lanes of a group stands: that of lane l at [step + l] of the key's row in the table.
struct BiasRun {
  std::int32_t step;
  std::uint32_t lanes;  // bit l: lane l
};

// One head. Its arrays lie in one buffer of 32-bit words, so a device's copy of that needs its pointers moved and no
// more.
struct HeadPlan {
  FieldOfView field;
  long groups = 0, singles = 0;
  long computed = 0;  // (query, key) pairs, empty lanes included
  // The table of its bias: a pair (dy, dx) = key - query stands at center + dy · down + dx · right, which is
  // center + offset[query] - offset[key].
  long table_size = 0, center = 0, down = 0, right = 0;
  const std::int32_t* offset = nullptr;     // (patches)
  const std::int32_t* token = nullptr;      // (groups, 16): the query in each lane, -1 where there is none
  const std::int32_t* single = nullptr;     // (singles): queries that fill no group: computed outside of the tiles
  const GroupBounds* bounds = nullptr;      // (groups)
  const BiasRun* bias_run = nullptr;        // of all groups, one after the other
  const std::int32_t* group_run = nullptr;  // (groups + 1): a group's first run
  // The keys of every tile, as next_keys finds them; null for large grids.
  const std::int32_t* key = nullptr;
  const KeyClass* key_class = nullptr;
  const std::int32_t* tile_class = nullptr;  // (tiles + 1): a tile's first class

  long tiles() const { return (groups + kTileGroups - 1) / kTileGroups; }
  int groups_of(long tile) const {
    return groups - tile * kTileGroups < kTileGroups ? static_cast<int>(groups - tile * kTileGroups) : kTileGroups;
  }
  long lanes(long tile) const { return kGroupQueries * groups_of(tile); }  // in use, empty ones among them included
};

struct AttentionPlan {
  Grid grid;
  long prefix = 0;  // tokens before the patches: they see and are seen by all
  long head_count = 0;
  const HeadPlan* heads = nullptr;        // (head_count)
  const std::int32_t* by_cost = nullptr;  // (head_count): heads, the most expensive first
  long table_stride = 0;  // values from one head's table to the next, room for whole vectors at both ends
  static constexpr long kTablePad = 16;
  // All heads' tables, in values.
  long tables() const { return table_stride * head_count; }
};

}  // namespace kernels
