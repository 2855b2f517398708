// The keys that a tile of attention may see, gathered a chunk at a time.
#pragma once
#include "kernels/attention/fused/head.h"

namespace kernels::KERNELS_ISA {

inline constexpr long kChunk = 96;  // keys whose weights are held at a time: Sᵀ is 96 × 64, 24 KiB in f32
template <class T>
inline constexpr long kGroupVectors = kGroupQueries / kLanes<T>;

// A chunk of keys of one class, gathered: pointers to their rows and what is added to their logits.
template <class S, class O>
struct KeyChunk {
  using T = Acc<S>;
  long count, first_vector, vectors;  // vectors of the tile that take part
  const std::int32_t* token;
  const O *k[kChunk], *v[kChunk];
  const T* bias[kChunk];
  T constant[kChunk];
  // Rows of weights: a key each, or with pairs a key and the next if it is the next token, from first[i] on.
  long weighted_count;
  const O* weighted[kChunk];
  std::int32_t first[kChunk + 1];

  void gather(const Head<S, O>& head, const std::int32_t* tokens, long n) {
    count = n, token = tokens;
    for (long j = 0; j < n; ++j) {
      k[j] = reinterpret_cast<const O*>(head.k + tokens[j] * head.stride);
      v[j] = reinterpret_cast<const O*>(head.v + tokens[j] * head.stride);
    }
    for (long j = 0; j < n; ++j) bias[j] = head.bias_row(tokens[j]);
    for (long j = 0; head.key_bias && j < n; ++j) constant[j] = head.bias_of_key(tokens[j]);
    long rows = 0;
    for (long j = 0; j < n; ++rows) {
      weighted[rows] = head.weighted + tokens[j] * head.weighted_stride;
      if constexpr (kPairs<O>) {
        first[rows] = static_cast<std::int32_t>(j);
        j += j + 1 < n && tokens[j + 1] == tokens[j] + 1 ? 2 : 1;
      } else {
        ++j;
      }
    }
    weighted_count = rows, first[rows] = static_cast<std::int32_t>(n);
  }
};

// f(chunk) for every key that a tile may see, class by class, at most kChunk keys at a time.
template <class S, class O, class F>
LOOKHERE_INLINE void for_each_chunk(const Head<S, O>& head, long tile, F f) {
  const HeadPlan& plan = *head.plan;
  using T = Acc<S>;
  KeyChunk<S, O> chunk;
  const auto visit = [&](const std::int32_t* key, const KeyClass* classes, long count) {
    for (long c = 0; c < count; ++c) {
      const KeyClass& cls = classes[c];
      chunk.first_vector = cls.first_group * kGroupVectors<T>, chunk.vectors = cls.groups * kGroupVectors<T>;
      const long parts = (cls.count + kChunk - 1) / kChunk;
      for (long i = 0; i < parts; ++i) {
        const long begin = cls.count * i / parts, end = cls.count * (i + 1) / parts;
        chunk.gather(head, key + cls.begin + begin, end - begin);
        f(chunk);
      }
    }
  };
  if (plan.tile_class) {
    const std::int32_t* first = plan.tile_class + tile;
    return visit(plan.key, plan.key_class + first[0], first[1] - first[0]);
  }
  KeyList list;
  const GroupBounds* bounds = plan.bounds + tile * kTileGroups;
  for (KeyCursor at; next_keys(plan.field, bounds, plan.groups_of(tile), head.grid, head.prefix, at, list);)
    visit(list.key, list.classes, list.class_count);
}

}  // namespace kernels::KERNELS_ISA
