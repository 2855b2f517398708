// One pass over q, k and v, a token at a time.
#include "kernels/parabola.h"

#include "kernels/parabola_features.h"
#include "kernels/simd/rows.h"

namespace kernels {
namespace KERNELS_ISA {

template <class T>
void parabola(const Parabola<T>& p) {
  const long wide = p.head_dim + kParabolaFeatures;
  const T scale = query_scale<T>(p.head_dim);
  parallel_for(p.images * p.tokens, 3 * p.heads * wide, [&](long row) {
    const T x = p.at[2 * (row % p.tokens)], y = p.at[2 * (row % p.tokens) + 1];
    for (long i = 0; i < 3 * p.heads; ++i) {  // heads of q, of k, of v
      const T* from = p.x + (row * 3 * p.heads + i) * p.head_dim;
      T* to = p.y + (row * 3 * p.heads + i) * wide;
      const T factor = i < p.heads ? scale : T(1);
      for (long d = 0; d < p.head_dim; ++d) to[d] = factor * from[d];
      to += p.head_dim;
      if (i < p.heads)
        features_of_query(to, p.a + 3 * (row * p.heads + i), p.b ? p.b + 2 * (row * p.heads + i) : nullptr, x, y,
                          scale);
      else if (i < 2 * p.heads)
        features_of_key(to, x, y);
      else
        for (long d = 0; d < kParabolaFeatures; ++d) to[d] = 0;
    }
  });
}

template <class T>
void parabola_backward(const ParabolaBackward<T>& p) {
  const long wide = p.head_dim + kParabolaFeatures;
  const T scale = query_scale<T>(p.head_dim);
  parallel_for(p.images * p.tokens, 3 * p.heads * wide, [&](long row) {
    const T x = p.at[2 * (row % p.tokens)], y = p.at[2 * (row % p.tokens) + 1];
    for (long i = 0; i < 3 * p.heads; ++i) {
      const T* from = p.dy + (row * 3 * p.heads + i) * wide;
      T* to = p.dx + (row * 3 * p.heads + i) * p.head_dim;
      const T factor = i < p.heads ? scale : T(1);
      for (long d = 0; d < p.head_dim; ++d) to[d] = factor * from[d];
      if (i < p.heads)
        gradients_of_query(p.da + 3 * (row * p.heads + i), p.db ? p.db + 2 * (row * p.heads + i) : nullptr,
                           from + p.head_dim, x, y, scale);
    }
  });
}

}  // namespace KERNELS_ISA

KERNEL(parabola, Parabola, float);
KERNEL(parabola, Parabola, double);
KERNEL(parabola_backward, ParabolaBackward, float);
KERNEL(parabola_backward, ParabolaBackward, double);

}  // namespace kernels
