// Rotary embedding on a GPU: a thread per pair of features, or per vector of pairs.
#include "kernels/rotary.h"

#include "kernels/cuda/map.h"

namespace kernels {

template <class T>
void rotary(Cuda cuda, const Rotary<T>& p) {
  using A = Acc<T>;
  const long width = p.heads * p.head_dim, pairs = 3 * width / 2;  // of a token
  const auto quarter = static_cast<unsigned>(p.head_dim / 4);
  const bool vectors = quarter % cuda::kLanes<T> == 0 && cuda::aligned(p.y, p.x, p.cos, p.sin);
  cuda::for_each_in_rows<T>(
      cuda, p.images * p.tokens, pairs, vectors, [p, width, quarter] __device__<int kN>(unsigned row, long pair) {
        const unsigned half = static_cast<unsigned>(pair) / quarter;  // of a head, from q's first on
        const long k = static_cast<unsigned>(pair) % quarter;
        const long a = row * 3 * width + half * 2L * quarter + k, b = a + quarter;
        const long patch = row % static_cast<unsigned>(p.tokens) - (p.tokens - p.patches);
        auto first = cuda::load<kN>(p.x + a), second = cuda::load<kN>(p.x + b);
        if (patch >= 0 && half * 2L * quarter < 2 * width) {                   // not a token before the patches, nor v
          const auto angles = static_cast<unsigned>(p.by_head ? p.heads : 1);  // heads that have angles of their own
          const long angle = (2 * patch * angles + half % (2 * angles)) * quarter + k;
          const auto cos = cuda::load<kN>(p.cos + angle), sin = cuda::load<kN>(p.sin + angle);
          for (int i = 0; i < kN; ++i) {
            const A x = first[i], s = p.inverse ? -sin[i] : sin[i];
            first[i] = x * cos[i] - second[i] * s, second[i] = second[i] * cos[i] + x * s;
          }
        }
        cuda::store(p.y + a, first), cuda::store(p.y + b, second);
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
