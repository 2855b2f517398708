// Shape: up to five sizes, outermost first, with overflow-checked products.
#pragma once
#include <array>
#include <initializer_list>
#include <ostream>
#include <vector>

#include "tensor/error.h"

namespace lookhere {

// a * b for sizes from untrusted files; throws instead of wrapping.
inline long checked_mul(long a, long b) {
  long product = 0;
  check(!__builtin_mul_overflow(a, b, &product), "size overflow: ", a, " x ", b);
  return product;
}

class Shape {
 public:
  static constexpr int kMaxRank = 5;
  Shape() = default;
  Shape(std::initializer_list<long> sizes) : Shape(sizes.begin(), sizes.end()) {}
  explicit Shape(const std::vector<long>& sizes) : Shape(sizes.begin(), sizes.end()) {}

  int rank() const { return rank_; }
  // Negative counts from the end. Throws Error outside of the rank.
  long operator[](int i) const {
    const int at = i < 0 ? rank_ + i : i;
    check(0 <= at && at < rank_, "shape: no size ", i, " in a shape of ", rank_);
    return sizes_.at(at);
  }
  long back() const { return (*this)[-1]; }
  // The same with another last size; of rank 1 or more.
  Shape with_back(long size) const {
    Shape shape = *this;
    check(rank_ >= 1 && size >= 0, "shape: ", rank_, " sizes have no last one to be ", size);
    shape.sizes_.at(rank_ - 1) = size;
    return shape;
  }
  const long* begin() const { return sizes_.data(); }
  const long* end() const { return sizes_.data() + rank_; }
  // Product of all sizes; 1 for a scalar.
  long numel() const {
    long n = 1;
    for (long size : *this) n = checked_mul(n, size);
    return n;
  }
  bool operator==(const Shape& other) const = default;

 private:
  template <class It>
  Shape(It first, It last) {
    check(last - first <= kMaxRank, "shape: at most ", kMaxRank, " sizes, got ", last - first);
    for (; first != last; ++first) {
      check(*first >= 0, "shape: sizes must not be negative, got ", *first);
      sizes_.at(rank_++) = *first;
    }
  }
  std::array<long, kMaxRank> sizes_{};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

}  // namespace lookhere
