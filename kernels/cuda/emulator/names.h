// CUDA's names on the host: a kernel's source means here what it means on a GPU.
#pragma once
#include <cstring>

#include "kernels/cuda/emulator/atomics.h"
#include "kernels/cuda/emulator/shared.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

#define threadIdx (kernels::emulator::Block::current().thread().index)
#define blockIdx (kernels::emulator::Block::current().index())
#define blockDim (kernels::emulator::Block::current().launch().block)
#define gridDim (kernels::emulator::Block::current().launch().grid)

using dim3 = kernels::emulator::Dim3;

inline void __syncthreads(const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  kernels::emulator::Block::current().barrier(where);
}
inline void __syncwarp(unsigned mask = ~0U,
                       const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  kernels::emulator::Block::current().exchange(mask, "__syncwarp", "", 0, where);
}

namespace kernels::emulator {

// What lane `from` gave; a lane outside of the mask gives nothing that is defined, and is refused.
template <class T>
T shuffle(unsigned mask, const char* what, T value, int from, const Where& where) {
  static_assert(sizeof(T) <= kExchangeBytes);
  Block& block = Block::current();
  if (!(mask >> from & 1)) block.fail(text(what, " at ", text_of(where), ": reads a lane outside of its mask"));
  const auto* values = block.exchange(mask, what, &value, sizeof value, where);
  T result;
  std::memcpy(&result, values[from], sizeof result);
  return result;
}
inline unsigned ballot(unsigned mask, const char* what, bool value, const Where& where) {
  const auto* values = Block::current().exchange(mask, what, &value, sizeof value, where);
  unsigned votes = 0;
  for (int lane = 0; lane < kWarpSize; ++lane)
    if (mask >> lane & 1) votes |= static_cast<unsigned>(values[lane][0] != std::byte{0}) << lane;
  return votes;
}
inline int lane() { return Block::current().thread().lane(); }

}  // namespace kernels::emulator

// The four shuffles; lanes that would reach beyond the warp keep their own value, as on a GPU.
template <class T>
T __shfl_sync(unsigned mask, T value, int from,
              const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::shuffle(mask, "__shfl_sync", value, from & 31, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits,
                  const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::shuffle(mask, "__shfl_xor_sync", value, kernels::emulator::lane() ^ bits, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int by,
                   const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  const int from = kernels::emulator::lane() + by;
  return kernels::emulator::shuffle(mask, "__shfl_down_sync", value, from > 31 ? from - by : from, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int by,
                 const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  const int from = kernels::emulator::lane() - by;
  return kernels::emulator::shuffle(mask, "__shfl_up_sync", value, from < 0 ? from + by : from, where);
}
inline unsigned __ballot_sync(unsigned mask, bool value,
                              const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::ballot(mask, "__ballot_sync", value, where);
}
inline bool __any_sync(unsigned mask, bool value,
                       const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::ballot(mask, "__any_sync", value, where) != 0;
}
inline bool __all_sync(unsigned mask, bool value,
                       const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::ballot(mask, "__all_sync", value, where) == mask;
}
