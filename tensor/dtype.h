// Element types: f32 to work in, f64 to check gradients with, bf16 to store, i64 for labels.
#pragma once
#include <cstdint>
#include <ostream>

#include "kernels/bf16.h"

namespace lookhere {

using kernels::bf16;
using i64 = std::int64_t;

enum class Dtype { f32, f64, bf16, i64 };

inline long size_of(Dtype dtype) { return dtype == Dtype::f32 ? 4 : dtype == Dtype::bf16 ? 2 : 8; }

inline const char* name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return "f32";
    case Dtype::f64:
      return "f64";
    case Dtype::bf16:
      return "bf16";
    case Dtype::i64:
      return "i64";
  }
  return "?";
}
inline std::ostream& operator<<(std::ostream& out, Dtype dtype) { return out << name_of(dtype); }

// In which values of this type are summed, and parameters beside them kept (kernels::Acc).
inline Dtype acc_of(Dtype dtype) { return dtype == Dtype::bf16 ? Dtype::f32 : dtype; }

template <class T>
inline constexpr Dtype kDtypeOf = [] {
  static_assert(sizeof(T) == 0, "tensors hold float, double, bf16 and std::int64_t");
  return Dtype::f32;
}();
template <>
inline constexpr Dtype kDtypeOf<float> = Dtype::f32;
template <>
inline constexpr Dtype kDtypeOf<double> = Dtype::f64;
template <>
inline constexpr Dtype kDtypeOf<kernels::bf16> = Dtype::bf16;
template <>
inline constexpr Dtype kDtypeOf<std::int64_t> = Dtype::i64;

}  // namespace lookhere
