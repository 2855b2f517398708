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
    const long angle = (2 * patch + half % 2) * quarter + k;
    const A cos = p.cos[angle], sin = p.inverse ? -p.sin[angle] : p.sin[angle];
    p.y[a] = static_cast<T>(static_cast<A>(first) * cos - static_cast<A>(second) * sin);
    p.y[b] = static_cast<T>(static_cast<A>(second) * cos + static_cast<A>(first) * sin);
  });
}

KERNELS_ON_GPU(rotary, Rotary);

}  // namespace kernels
