// A GPU thread for each head of q, of k and of v of a token.
#include "kernels/parabola.h"

#include "kernels/cuda/map.h"
#include "kernels/parabola_features.h"

namespace kernels {

template <class T>
void parabola(Cuda cuda, const Parabola<T>& p) {
  cuda::for_each(cuda, p.images * p.tokens * 3 * p.heads, [p] __device__(long i) {
    const long row = i / (3 * p.heads), head = i % (3 * p.heads), at = row * p.heads + head;
    const T x = p.at[2 * (row % p.tokens)], y = p.at[2 * (row % p.tokens) + 1];
    const T *const from = p.x + i * p.head_dim, scale = query_scale<T>(p.head_dim);
    T* const to = p.y + i * (p.head_dim + kParabolaFeatures);
    for (long d = 0; d < p.head_dim; ++d) to[d] = (head < p.heads ? scale : T(1)) * from[d];
    T features[kParabolaFeatures] = {};
    if (head < p.heads)
      features_of_query(features, p.a + 3 * at, p.b ? p.b + 2 * at : nullptr, x, y, scale);
    else if (head < 2 * p.heads)
      features_of_key(features, x, y);
    for (long d = 0; d < kParabolaFeatures; ++d) to[p.head_dim + d] = features[d];
  });
}

template <class T>
void parabola_backward(Cuda cuda, const ParabolaBackward<T>& p) {
  cuda::for_each(cuda, p.images * p.tokens * 3 * p.heads, [p] __device__(long i) {
    const long row = i / (3 * p.heads), head = i % (3 * p.heads), at = row * p.heads + head;
    const T x = p.at[2 * (row % p.tokens)], y = p.at[2 * (row % p.tokens) + 1];
    const T *const from = p.dy + i * (p.head_dim + kParabolaFeatures), scale = query_scale<T>(p.head_dim);
    T* const to = p.dx + i * p.head_dim;
    for (long d = 0; d < p.head_dim; ++d) to[d] = (head < p.heads ? scale : T(1)) * from[d];
    if (head < p.heads)
      gradients_of_query(p.da + 3 * at, p.db ? p.db + 2 * at : nullptr, from + p.head_dim, x, y, scale);
  });
}

template void parabola(Cuda, const Parabola<float>&);
template void parabola(Cuda, const Parabola<double>&);
template void parabola_backward(Cuda, const ParabolaBackward<float>&);
template void parabola_backward(Cuda, const ParabolaBackward<double>&);

}  // namespace kernels
