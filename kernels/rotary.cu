// Rotary embedding on a GPU: a thread per pair of features.
#include "kernels/rotary.h"

#include "kernels/cuda/map.h"

namespace kernels {

template <class T>
void rotary(Cuda cuda, const Rotary<T>& p) {
  using A = Acc<T>;
  const long width = p.heads * p.head_dim, quarter = p.head_dim / 4, pairs = 3 * width / 2;  // of a token
  cuda::for_each(cuda, p.images * p.tokens * pairs, [=] __device__(long i) {
    const long row = i / pairs, half = i % pairs / quarter, k = i % quarter;  // half a head, from q's first on
    const long a = row * 3 * width + half * 2 * quarter + k, b = a + quarter;
    const long patch = row % p.tokens - (p.tokens - p.patches);
    const T first = p.x[a], second = p.x[b];
    if (patch < 0 || half * 2 * quarter >= 2 * width) {  // a token before the patches, or v
      p.y[a] = first, p.y[b] = second;
      return;
    }
    const long angles = p.by_head ? p.heads : 1;  // heads that have angles of their own
    const long angle = (2 * patch * angles + half % (2 * angles)) * quarter + k;
    const A cos = p.cos[angle], sin = p.inverse ? -p.sin[angle] : p.sin[angle];
    p.y[a] = static_cast<T>(static_cast<A>(first) * cos - static_cast<A>(second) * sin);
    p.y[b] = static_cast<T>(static_cast<A>(second) * cos + static_cast<A>(first) * sin);
  });
}

template <class T>
void rotary_angles(Cuda cuda, const RotaryAngles<T>& p) {
  using A = Acc<T>;
  const long width = p.heads * p.head_dim, quarter = p.head_dim / 4;
  cuda::for_each(cuda, p.patches * width / 2, [=] __device__(long i) {
    const long patch = i / (width / 2), half = i % (width / 2) / quarter, k = i % quarter;
    A sum = 0;
    for (long image = 0; image < p.images; ++image)
      for (long part = 0; part < 2; ++part) {  // q, then k
        const long row = image * p.tokens + p.tokens - p.patches + patch;
        const long a = (row * 3 + part) * width + half * 2 * quarter + k, b = a + quarter;
        sum += static_cast<A>(p.dy[b]) * static_cast<A>(p.y[a]) - static_cast<A>(p.dy[a]) * static_cast<A>(p.y[b]);
      }
    p.dangles[i] = sum;
  });
}

KERNELS_ON_GPU(rotary, Rotary);
KERNELS_ON_GPU(rotary_angles, RotaryAngles);

}  // namespace kernels
