// Rotary embedding on the CPU: one pass over q and k.
#include "kernels/rotary.h"

#include "kernels/simd/rows.h"

namespace kernels {
namespace KERNELS_ISA {
namespace {

template <class T>
void copy(T* to, const T* from, long n) {
  if (to != from) __builtin_memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
}

// The pairs (a[i], b[i]) of one head and axis, i in [0, n)
template <class T>
void turn(T* ya, T* yb, const T* a, const T* b, const Acc<T>* cos, const Acc<T>* sin, Acc<T> sign, long n) {
  for_each_vector<Acc<T>>(n, [&](long i, auto lanes) {
    const auto c = load_as<Acc<T>>(cos + i, lanes), s = sign * load_as<Acc<T>>(sin + i, lanes);
    const auto p = load_as<Acc<T>>(a + i, lanes), q = load_as<Acc<T>>(b + i, lanes);
    store_as(ya + i, p * c - q * s, lanes);
    store_as(yb + i, q * c + p * s, lanes);
  });
}

}  // namespace

template <class T>
void rotary(const Rotary<T>& p) {
  const long width = p.heads * p.head_dim, quarter = p.head_dim / 4, prefix = p.tokens - p.patches;
  const Acc<T> sign = p.inverse ? -1 : 1;
  parallel_for(p.images * p.tokens, 3 * width, [&](long row) {
    const T* x = p.x + row * 3 * width;
    T* y = p.y + row * 3 * width;
    const long patch = row % p.tokens - prefix;
    if (patch < 0) return copy(y, x, 3 * width);
    const long angles = 2 * quarter * (p.by_head ? p.heads : 1);  // of a patch
    const Acc<T>*cos = p.cos + patch * angles, *sin = p.sin + patch * angles;
    for (long at = 0; at < 2 * width; at += 2 * quarter) {  // half a head at a time, of q and then of k
      const long axis = at / 2 % angles;
      turn(y + at, y + at + quarter, x + at, x + at + quarter, cos + axis, sin + axis, sign, quarter);
    }
    copy(y + 2 * width, x + 2 * width, width);
  });
}

template <class T>
void rotary_angles(const RotaryAngles<T>& p) {
  using A = Acc<T>;
  const long width = p.heads * p.head_dim, quarter = p.head_dim / 4, prefix = p.tokens - p.patches;
  parallel_for(p.patches, p.images * 4 * width, [&](long patch) {
    A* to = p.dangles + patch * width / 2;
    for (long i = 0; i < width / 2; ++i) to[i] = 0;
    for (long image = 0; image < p.images; ++image) {
      const long row = (image * p.tokens + prefix + patch) * 3 * width;
      for (long at = 0; at < 2 * width; at += 2 * quarter) {
        const T *dy = p.dy + row + at, *y = p.y + row + at;
        A* sum = to + at / 2 % (width / 2);
        for_each_vector<A>(quarter, [&](long i, auto lanes) {
          const auto da = load_as<A>(dy + i, lanes), db = load_as<A>(dy + quarter + i, lanes);
          const auto a = load_as<A>(y + i, lanes), b = load_as<A>(y + quarter + i, lanes);
          store_as(sum + i, load_as<A>(sum + i, lanes) + db * a - da * b, lanes);
        });
      }
    }
  });
}

}  // namespace KERNELS_ISA

KERNEL(rotary, Rotary, float);
KERNEL(rotary, Rotary, double);
KERNEL(rotary, Rotary, bf16);
KERNELS(rotary_angles, RotaryAngles);

}  // namespace kernels
