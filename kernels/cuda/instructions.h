// Instructions that CUDA C++ has no names for, from sm_80 on: asynchronous copies to shared memory, and the matrix
// units. One function for one instruction, named as in the PTX ISA, whose section is given; in the emulator each is
// carried out on the host, checked as all uses of shared memory are. What sm_90 adds (mbarrier, TMA, wgmma) has its
// place in a file of its own beside this one.
//
// Pointers to shared memory are SharedPointer<T> (cuda.h), &array[i] or an array itself.
//
//   cp_async<kBytes>(to, from, source_bytes = kBytes)       "Data Movement and Conversion Instructions: cp.async"
//     Begins a copy of 16, 8 or 4 bytes of global memory `from` to shared memory `to`, both multiples of kBytes; what
//     is beyond source_bytes is zero, and not read: for rows that end early.
//   cp_async_commit()                                        "... cp.async.commit_group"
//     Makes a group of this thread's copies since the last one.
//   cp_async_wait<kGroups>(), cp_async_wait_all()            "... cp.async.wait_group", "cp.async.wait_all"
//     Until all but the kGroups latest of this thread's groups are done, or all copies, of no group as well. Others see
//     them after a barrier that follows.
//
//   ldmatrix(registers, row), ldmatrix_transposed(registers, row)      "Warp-level matrix load instruction: ldmatrix"
//     1, 2 or 4 matrices of 8 × 8 elements of 2 bytes, one for each register. `row`: lanes 8·m to 8·m + 7 give the 16
//     bytes (a multiple of 16) that are the rows of matrix m, those of other lanes are not used. A lane gets elements
//     2·(lane % 4) and the one after it of row lane / 4; transposed, of column lane / 4.
//   mma_m16n8k16(sum, a, b0, b1)       "Multiply-and-Accumulate Instruction: mma", .row.col.f32.bf16.bf16.f32
//   mma_m16n8k8(sum, a, b0, b1)        the same, .row.col.f32.tf32.tf32.f32
//     sum += a·b, 16 × 8 values in f32. Who holds which element: m16n8k16 and m16n8k8 below. tf32 is the upper 19 bits.
//   pack_bf16(low, high)               "cvt": two values, rounded, as one register of bf16, `low` in the lower half
//   exp2_approximate(value)            "ex2", .approx.ftz: 2^value within 2 units in the last place; 2^-∞ is 0
//   to_tf32(value)                     "cvt", .rna: rounded to nearest, ties away from zero
//
// All lanes of a warp call ldmatrix and mma together. Neither is a barrier: what other lanes wrote needs __syncwarp.
#pragma once
#include "kernels/cuda/cuda.h"

#ifndef __CUDACC__
#include "kernels/cuda/emulator/instructions.h"
#endif

namespace kernels::cuda {

// A lane's i-th element of a (16 rows), b (8 columns) and the sum: "Matrix Fragments for mma.m16n8k16 with floating
// point type". Registers of a and b hold elements 2·r, in the lower half, and 2·r + 1.
struct Place {
  int row, column;
};
namespace m16n8k16 {
__host__ __device__ constexpr Place place_in_a(int lane, int i) {  // i < 8
  return {lane / 4 + i / 2 % 2 * 8, lane % 4 * 2 + i % 2 + i / 4 * 8};
}
__host__ __device__ constexpr Place place_in_b(int lane, int i) {  // i < 4
  return {lane % 4 * 2 + i % 2 + i / 2 * 8, lane / 4};
}
__host__ __device__ constexpr Place place_in_sum(int lane, int i) {  // i < 4
  return {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2};
}
}  // namespace m16n8k16

// "Matrix Fragments for mma.m16n8k8": an element is a register.
namespace m16n8k8 {
__host__ __device__ constexpr Place place_in_a(int lane, int i) {  // i < 4
  return {lane / 4 + i % 2 * 8, lane % 4 + i / 2 * 4};
}
__host__ __device__ constexpr Place place_in_b(int lane, int i) {  // i < 2
  return {lane % 4 + i * 4, lane / 4};
}
using m16n8k16::place_in_sum;
}  // namespace m16n8k8

#ifdef __CUDACC__

__device__ inline unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

template <int kBytes>
__device__ void cp_async(void* to, const void* from, int source_bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  if constexpr (kBytes == 16)  // past the L1 cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(source_bytes)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "n"(kBytes), "r"(source_bytes)
                 : "memory");
}
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroups>
__device__ void cp_async_wait() {
  static_assert(kGroups >= 0);
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}
__device__ inline void cp_async_wait_all() { asm volatile("cp.async.wait_all;" ::: "memory"); }

template <int kMatrices>
__device__ void ldmatrix(unsigned (&to)[kMatrices], const void* row) {
  static_assert(kMatrices == 1 || kMatrices == 2 || kMatrices == 4);
  const unsigned from = shared_address(row);
  if constexpr (kMatrices == 1)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(to[0]) : "r"(from) : "memory");
  else if constexpr (kMatrices == 2)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(from)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
}
template <int kMatrices>
__device__ void ldmatrix_transposed(unsigned (&to)[kMatrices], const void* row) {
  static_assert(kMatrices == 1 || kMatrices == 2 || kMatrices == 4);
  const unsigned from = shared_address(row);
  if constexpr (kMatrices == 1)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(to[0]) : "r"(from) : "memory");
  else if constexpr (kMatrices == 2)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(from)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(from)
                 : "memory");
}

__device__ inline void mma_m16n8k16(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ inline void mma_m16n8k8(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline unsigned pack_bf16(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ inline float exp2_approximate(float value) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(value));
  return power;
}
__device__ inline unsigned to_tf32(float value) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(value));
  return rounded;
}

#else

using emulator::cp_async, emulator::cp_async_commit, emulator::cp_async_wait, emulator::cp_async_wait_all;
using emulator::exp2_approximate, emulator::pack_bf16, emulator::to_tf32;
using emulator::ldmatrix, emulator::ldmatrix_transposed, emulator::mma_m16n8k16, emulator::mma_m16n8k8;

#endif

}  // namespace kernels::cuda
