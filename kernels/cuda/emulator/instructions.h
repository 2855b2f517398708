// The instructions of kernels/cuda/instructions.h, which says what they do, as the emulator carries them out.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/bf16.h"
#include "kernels/cuda/emulator/shared.h"

namespace kernels::emulator {

// An asynchronous copy is done either at once or at the wait for it, as the seed draws: a source that changes meanwhile
// shows. The destination is nobody's until its thread has waited, and other threads' only after a barrier then.
void begin_copy(const SharedAddress& to, const void* from, int bytes, int source_bytes, const Where& where);
void commit_copies();
// For all groups but the latest `but`; with -1 for copies of no group as well.
void wait_for_copies(long but);

template <int kBytes>
void cp_async(const SharedAddress& to, const void* from, int source_bytes = kBytes,
              const Where& where = Where::current()) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  begin_copy(to, from, kBytes, source_bytes, where);
}
inline void cp_async_commit() { commit_copies(); }
template <int kGroups>
void cp_async_wait() {
  static_assert(kGroups >= 0);
  wait_for_copies(kGroups);
}
inline void cp_async_wait_all() { wait_for_copies(-1); }

// These three are no barriers between what lanes do to shared memory: __syncwarp is.
void load_matrices(unsigned* to, int matrices, bool transposed, const SharedAddress& row, const Where& where);
void multiply_bf16(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, const Where& where);
void multiply_tf32(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, const Where& where);

template <int kMatrices>
void ldmatrix(unsigned (&to)[kMatrices], const SharedAddress& row, const Where& where = Where::current()) {
  static_assert(kMatrices == 1 || kMatrices == 2 || kMatrices == 4);
  load_matrices(to, kMatrices, false, row, where);
}
template <int kMatrices>
void ldmatrix_transposed(unsigned (&to)[kMatrices], const SharedAddress& row, const Where& where = Where::current()) {
  static_assert(kMatrices == 1 || kMatrices == 2 || kMatrices == 4);
  load_matrices(to, kMatrices, true, row, where);
}
inline void mma_m16n8k16(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                         const Where& where = Where::current()) {
  multiply_bf16(sum, a, b0, b1, where);
}
inline void mma_m16n8k8(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                        const Where& where = Where::current()) {
  multiply_tf32(sum, a, b0, b1, where);
}

inline unsigned pack_bf16(float low, float high) {
  const auto bits = [](float value) { return value != value ? 0x7FFFU : bf16(value).bits; };  // NaN as in cuda_bf16.hpp
  return bits(low) | bits(high) << 16;
}
inline float exp2_approximate(float value) {  // nothing below the smallest normal number
  const float power = std::exp2(value);
  return power < std::numeric_limits<float>::min() ? 0 : power;
}
inline unsigned to_tf32(float value) {  // of a NaN the lower bits go (as on an H200)
  const auto bits = std::bit_cast<unsigned>(value);
  return (value != value ? bits : bits + 0x1000U) & ~0x1FFFU;
}

}  // namespace kernels::emulator
