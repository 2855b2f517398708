// npy: one NumPy array per file.
#pragma once
#include <string>

#include "tensor/tensor.h"

namespace lookhere {

struct NpyArray {
  Tensor values;
  std::string type;  // of the file's elements as NumPy spells it: "<f4", "<f8", "<i8", "<i4" or "|u1"
};

// Versions 1.0, 2.0 and 3.0; little-endian <f4, <f8 and <i8 as they are, <i4 and |u1 as i64. Throws Error, naming the
// file, for other element types, Fortran order, more than Shape::kMaxRank sizes, and data that the shape does not fill.
NpyArray load_npy_array(const std::string& path);
inline Tensor load_npy(const std::string& path) { return load_npy_array(path).values; }

// Version 1.0, all or nothing (write_atomically); f32, f64 and i64, Error for bf16, which NumPy does not know.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace lookhere
