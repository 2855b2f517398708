// Keys are found row by row: what a group may see of a row is an interval, and between the borders of all groups'
// intervals lie runs of keys that the same groups see.
#include "kernels/attention/fused/keys.h"

#include <algorithm>

namespace kernels {
namespace {

// The half-planes that a field of view and its groups are tested against: both, and their sum in lowest terms.
struct HalfPlanes {
  HalfPlane plane[3];
  explicit HalfPlanes(const FieldOfView& field) : plane{field.first, field.second, {}} {
    HalfPlane sum{field.first.a + field.second.a, field.first.b + field.second.b};
    if (sum.a % 2 == 0 && sum.b % 2 == 0) sum = {sum.a / 2, sum.b / 2};
    if (field.first != HalfPlane{} && field.second != HalfPlane{}) plane[2] = sum;
  }
};

struct Interval {
  long begin, end;
};
// The columns of key row y, within [begin, end), that a group may see.
Interval columns_seen(const HalfPlanes& planes, const GroupBounds& bounds, long y, Interval columns) {
  columns.begin = std::max(columns.begin, static_cast<long>(bounds.first_x));
  columns.end = std::min(columns.end, static_cast<long>(bounds.end_x));
  if (y < bounds.first_y || y >= bounds.end_y) columns.end = columns.begin;
  for (int i = 0; i < 3; ++i) {
    const HalfPlane& p = planes.plane[i];
    const long rest = bounds.least[i] - p.a * y;  // b·x >= rest
    if (p.b > 0)                                  // 2 in the sum of a half-plane and a diagonal one beside it
      columns.begin = std::max(columns.begin, rest > 0 ? (rest + p.b - 1) / p.b : 0);
    else if (p.b < 0)
      columns.end = std::min(columns.end, 1 - rest);
    else if (rest > 0)
      columns.end = columns.begin;
  }
  return columns;
}

constexpr int kMasks = 1 << kTileGroups;

// Keys that lie side by side, from `token` on, which the groups in `mask` may see.
struct Run {
  std::int32_t token, count, mask;
};
struct Runs {
  Run run[KeyList::kMaxKeys + 2 * kTileGroups];  // one row's may come on top
  long count = 0, keys = 0;

  void add(long token, long length, std::int32_t mask) {
    run[count++] = {static_cast<std::int32_t>(token), static_cast<std::int32_t>(length), mask};
    keys += length;
  }
};

// Splits a row's columns at every border of the groups' intervals: between two borders the same groups see.
void add_row(Runs& runs, const Interval* seen, int groups, long first_token) {
  long border[2 * kTileGroups];
  int borders = 0;
  for (int g = 0; g < groups; ++g)
    for (const long at : {seen[g].begin, seen[g].end}) {
      if (seen[g].begin >= seen[g].end) continue;
      int i = borders++;
      for (; i > 0 && border[i - 1] > at; --i) border[i] = border[i - 1];
      border[i] = at;
    }
  for (int i = 0; i + 1 < borders; ++i) {
    const long begin = border[i], end = border[i + 1];
    std::int32_t mask = 0;
    for (int g = 0; g < groups; ++g)
      if (seen[g].begin <= begin && end <= seen[g].end) mask |= 1 << g;
    if (begin < end && mask) runs.add(first_token + begin, end - begin, mask);
  }
}

// The prefix, which every group sees: as much of it as there is room for.
void add_prefix(Runs& runs, int groups, long prefix, KeyCursor& at) {
  const long count = std::min(prefix - at.prefix, KeyList::kMaxKeys);
  if (count <= 0) return;
  runs.add(at.prefix, count, (1 << groups) - 1);
  at.prefix += count;
}

// Rows of patches, as long as there is room: whole ones, or a part of one that is longer than the list.
void add_rows(Runs& runs, const HalfPlanes& planes, const GroupBounds* bounds, int groups, Grid grid, long prefix,
              KeyCursor& at) {
  for (; at.y < grid.y; ++at.y, at.x = 0) {
    const long room = std::min(2 * KeyList::kMaxKeys - runs.keys, KeyList::kMaxKeys - runs.count);
    const Interval part{at.x, std::min(grid.x, at.x + KeyList::kMaxKeys)};
    if (room < part.end - part.begin) return;
    Interval seen[kTileGroups];
    for (int g = 0; g < groups; ++g) seen[g] = columns_seen(planes, bounds[g], at.y, part);
    add_row(runs, seen, groups, prefix + at.y * grid.x);
    if (part.end < grid.x) {
      at.x = part.end;
      return;
    }
  }
}

// The number of the class of groups [first, first + groups) of a tile; those of most groups come first: all 4, 3 from 0
// or 1, ...
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

// Counts the keys of every class, gives the classes that have any their places in the list, and copies the keys there.
void sort_into_classes(const Runs& runs, KeyList& list) {
  std::int32_t of_mask[kMasks] = {}, count[KeyList::kMaxClasses] = {}, next[KeyList::kMaxClasses], begin = 0;
  int classes[kMasks];
  for (long i = 0; i < runs.count; ++i) of_mask[runs.run[i].mask] += runs.run[i].count;
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
  for (long i = 0; i < runs.count; ++i)
    for (int cls = 0; cls < KeyList::kMaxClasses; ++cls)
      if (classes[runs.run[i].mask] >> cls & 1)
        for (std::int32_t k = 0; k < runs.run[i].count; ++k) list.key[next[cls]++] = runs.run[i].token + k;
}

}  // namespace

GroupBounds bounds_of_group(const FieldOfView& field, const std::int32_t* token, Grid grid, long prefix) {
  constexpr std::int32_t kLeast = -(1 << 30), kMost = 1 << 30;
  const HalfPlanes planes(field);
  GroupBounds bounds{{kMost, kMost, kMost}, kMost, 0, kMost, 0};
  for (int lane = 0; lane < kGroupQueries; ++lane) {
    if (token[lane] < 0) continue;
    const long patch = token[lane] - prefix;
    for (int i = 0; i < 3; ++i) {
      const long value = planes.plane[i].a * (patch / grid.x) + planes.plane[i].b * (patch % grid.x);
      bounds.least[i] = std::min(bounds.least[i], patch < 0 ? kLeast : static_cast<std::int32_t>(value));
    }
    const auto widen = [&](std::int32_t& first, std::int32_t& end, long at, long size) {
      const bool all = patch < 0 || field.window == 0;
      const long begin = all ? 0 : at / field.window * field.window;
      first = std::min(first, static_cast<std::int32_t>(begin));
      end = std::max(end, static_cast<std::int32_t>(all ? size : std::min(size, begin + field.window)));
    };
    widen(bounds.first_y, bounds.end_y, patch / grid.x, grid.y);
    widen(bounds.first_x, bounds.end_x, patch % grid.x, grid.x);
  }
  return bounds;
}

long count_keys(const FieldOfView& field, const GroupBounds& bounds, Grid grid, long prefix) {
  const HalfPlanes planes(field);
  long keys = prefix;
  for (long y = 0; y < grid.y; ++y) {
    const Interval x = columns_seen(planes, bounds, y, {0, grid.x});
    keys += std::max(0L, x.end - x.begin);
  }
  return keys;
}

bool next_keys(const FieldOfView& field, const GroupBounds* bounds, int groups, Grid grid, long prefix, KeyCursor& at,
               KeyList& list) {
  if (at.prefix >= prefix && at.y >= grid.y) return false;
  Runs runs;
  add_prefix(runs, groups, prefix, at);
  if (at.prefix >= prefix) add_rows(runs, HalfPlanes(field), bounds, groups, grid, prefix, at);
  sort_into_classes(runs, list);
  return true;
}

}  // namespace kernels
