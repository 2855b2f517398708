// Which keys the groups of a tile may see, found from half-planes and listed by the groups that share them.
#pragma once
#include <cstdint>

#include "kernels/attention/field_of_view.h"

namespace kernels {

inline constexpr int kGroupQueries = 16, kTileGroups = 4, kTileQueries = kGroupQueries * kTileGroups;

// What a group may see: the key (y, x) if every half-plane holds a·y + b·x >= least. With two half-planes their sum is
// a third one, which cuts off the corner of a cone. And it lies between these rows and columns, those of windows.
struct GroupBounds {
  std::int32_t least[3], first_y, end_y, first_x, end_x;
};
// Of the queries in `token` (kGroupQueries), -1 where there is none. Tokens of the prefix see everything.
GroupBounds bounds_of_group(const FieldOfView& field, const std::int32_t* token, Grid grid, long prefix);
// How many keys a group may see, those of the prefix included.
long count_keys(const FieldOfView& field, const GroupBounds& bounds, Grid grid, long prefix);

// Keys of a tile that the same of its groups may see: from first_group on, so many. They are listed from `begin` on.
struct KeyClass {
  std::int32_t first_group, groups, begin, count;
};
// Keys by class. A key may be in several classes, of other groups each.
struct KeyList {
  static constexpr long kMaxKeys = 2048, kMaxClasses = 10;
  std::int32_t key[5 * kMaxKeys];  // tokens: 2·kMaxKeys, those between others twice, those of small classes more often
  KeyClass classes[kMaxClasses];   // those of most groups first
  long class_count = 0;
};
// Where the walk over a tile's keys stands; starts as {}.
struct KeyCursor {
  long prefix = 0, y = 0, x = 0;
};
// The next keys of a tile of so many groups, at most 2·kMaxKeys, the prefix in front. False at the end.
bool next_keys(const FieldOfView& field, const GroupBounds* bounds, int groups, Grid grid, long prefix, KeyCursor& at,
               KeyList& list);

}  // namespace kernels
