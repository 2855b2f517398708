// Vectors: consecutive values that a thread loads and stores at once, up to 16 bytes with one instruction. What is
// bound by memory comes near to its speed only with these: a thread's single bf16 is 2 bytes of the 16 that an access
// can take.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "kernels/cuda/cuda.h"

namespace kernels::cuda {

inline constexpr std::size_t kVectorBytes = 16;

template <class T, int kN>
struct alignas(kN * sizeof(T) < kVectorBytes ? kN * sizeof(T) : kVectorBytes) Vector {
  T values[kN];
  __device__ T& operator[](int i) { return values[i]; }
  __device__ const T& operator[](int i) const { return values[i]; }
};

// How many T one access takes.
template <class T>
inline constexpr int kLanes = static_cast<int>(kVectorBytes / sizeof(T));

// Whether vectors may begin at all of them; null, what is not wanted, stops nobody.
template <class... T>
bool aligned(const T*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % kVectorBytes == 0) && ...);
}

// kN times the same.
template <int kN, class A>
__device__ Vector<A, kN> all(A value) {
  Vector<A, kN> result;
  for (int k = 0; k < kN; ++k) result[k] = value;
  return result;
}

// Writes a vector. Of an assignment nvcc 13.0 makes single stores in some kernels, among them all of call_each_in_rows
// (map.h), so that 16 bytes are spelt out.
template <class V>
__device__ void put(void* to, const V& vector) {
#ifdef __CUDACC__
  if constexpr (sizeof(V) % kVectorBytes == 0) {
    const auto word = std::bit_cast<std::array<unsigned, sizeof(V) / 4>>(vector);
    for (unsigned i = 0; i < word.size(); i += 4)
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to) + 4 * i), "r"(word[i]),
                   "r"(word[i + 1]), "r"(word[i + 2]), "r"(word[i + 3])
                   : "memory");
  } else {
    *static_cast<V*>(to) = vector;
  }
#else
  *static_cast<V*>(to) = vector;
#endif
}

// kN values from memory, in the type that they are computed in, and back.
template <int kN, class T>
__device__ Vector<Acc<T>, kN> load(const T* from) {
  const auto in_memory = *reinterpret_cast<const Vector<T, kN>*>(from);
  Vector<Acc<T>, kN> loaded;
  for (int k = 0; k < kN; ++k) loaded[k] = static_cast<Acc<T>>(in_memory[k]);
  return loaded;
}
template <class T, class A, int kN>
__device__ void store(T* to, const Vector<A, kN>& computed) {
  Vector<T, kN> in_memory;
  for (int k = 0; k < kN; ++k) in_memory[k] = static_cast<T>(computed[k]);
  put(to, in_memory);
}

}  // namespace kernels::cuda
