// The mission's kernel at its plainest: a block per row of logits. Forward, with S = Q·Kᵀ:
//   P = softmax(scale·S + bias),  O = P·V
// and backward, with dP = dO·Vᵀ and P computed again from lse:
//   dS = P ⊙ (dP - Σ dO ⊙ O),  dQ = scale·dS·K,  dK = scale·dSᵀ·Q,  dV = Pᵀ·dO.
// With a `shift`, P = σ(scale·S + bias + shift) and dS = P ⊙ (1 - P) ⊙ dP.
#include "kernels/attention/masked_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/cuda/columns.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/reduce.h"

namespace kernels {
namespace {

// What is in memory at a time: all keys of some queries (rows) of some heads of some images.
struct Chunk {
  long image, images, head, heads, row, rows;
};

// From a row of logits to the next: matrix units want rows that begin at multiples of 16 bytes.
HOST_DEVICE long row_stride(long tokens) { return (tokens + 7) / 8 * 8; }

// The largest, which is the first: whole images if they fit, else heads of one image, else queries of one head.
Chunk first_chunk(const AttentionSizes& z, long most_logits) {
  const long whole_heads = most_logits / std::max(1L, z.tokens * row_stride(z.tokens));
  const long heads = std::clamp(whole_heads, 1L, z.heads);
  constexpr long kMostImages = 65535;  // CUDA's limit for the third dimension of a grid
  return {.image = 0,
          .images = std::clamp(whole_heads / z.heads, 1L, std::clamp(z.images, 1L, kMostImages)),
          .head = 0,
          .heads = heads,
          .row = 0,
          .rows = std::clamp(whole_heads > 0 ? z.tokens : most_logits / row_stride(z.tokens), 1L, z.tokens)};
}

template <class F>
void for_each_chunk(const AttentionSizes& z, long most_logits, F f) {
  const Chunk most = first_chunk(z, most_logits);
  for (long image = 0; image < z.images; image += most.images)
    for (long head = 0; head < z.heads; head += most.heads)
      for (long row = 0; row < z.tokens; row += most.rows)
        f(Chunk{.image = image,
                .images = std::min(most.images, z.images - image),
                .head = head,
                .heads = std::min(most.heads, z.heads - head),
                .row = row,
                .rows = std::min(most.rows, z.tokens - row)});
}

// A matrix for each image and head of a chunk: the first one's first element, and from there to the next.
template <class T>
struct Matrices {
  T* first;
  long row, next_head, next_image;
};

// How the matrices of a chunk lie.
struct Layout {
  AttentionSizes z;
  Chunk chunk;

  template <class T>
  Matrices<T> packed(T* qkv, long part, long first_token) const {
    const long row = z.head_stride();
    return {qkv + z.packed_begin(chunk.image, part, chunk.head) + first_token * row, row, z.head_dim, z.tokens * row};
  }
  template <class T>
  Matrices<T> output(T* out) const {
    const long row = z.heads * z.head_dim;
    return {out + z.out_begin(chunk.image, chunk.head) + chunk.row * row, row, z.head_dim, z.tokens * row};
  }
  template <class T>
  Matrices<T> logits(T* first) const {
    const long row = row_stride(z.tokens);
    return {first, row, chunk.rows * row, chunk.heads * chunk.rows * row};
  }
};

struct ProductSizes {
  long m, n, k;
  Transpose transpose_a = Transpose::no, transpose_b = Transpose::no;
  double alpha = 1;
  bool accumulate = false;
};

// The products of all images and heads of a chunk, in as few calls as one distance between matrices allows.
template <class C, class AB>
void products(Cuda cuda, const Chunk& chunk, const ProductSizes& s, const Matrices<C>& c, const Matrices<AB>& a,
              const Matrices<AB>& b) {
  const bool heads_together = chunk.heads >= chunk.images;
  const auto outer = [&](const auto& matrices) { return heads_together ? matrices.next_image : matrices.next_head; };
  const auto inner = [&](const auto& matrices) { return heads_together ? matrices.next_head : matrices.next_image; };
  for (long i = 0; i < (heads_together ? chunk.images : chunk.heads); ++i)
    cuda::product(cuda, cuda::Product<C, std::remove_const_t<AB>>{.c = c.first + i * outer(c),
                                                                  .a = a.first + i * outer(a),
                                                                  .b = b.first + i * outer(b),
                                                                  .m = s.m,
                                                                  .n = s.n,
                                                                  .k = s.k,
                                                                  .c_row = c.row,
                                                                  .a_row = a.row,
                                                                  .b_row = b.row,
                                                                  .transpose_a = s.transpose_a,
                                                                  .transpose_b = s.transpose_b,
                                                                  .alpha = s.alpha,
                                                                  .accumulate = s.accumulate,
                                                                  .count = heads_together ? chunk.heads : chunk.images,
                                                                  .c_next = inner(c),
                                                                  .a_next = inner(a),
                                                                  .b_next = inner(b)});
}

// A row of logits: blockIdx is (row, head, image) of the chunk.
template <class T>
struct Rows {
  using A = Acc<T>;
  AttentionBias<T> bias;
  AttentionSizes z;
  Chunk chunk;
  A scale;

  __device__ long image() const { return chunk.image + blockIdx.z; }
  __device__ long head() const { return chunk.head + blockIdx.y; }
  __device__ long query() const { return chunk.row + blockIdx.x; }
  __device__ long begin() const {  // of the row
    return ((static_cast<long>(blockIdx.z) * chunk.heads + blockIdx.y) * chunk.rows + blockIdx.x) *
           row_stride(z.tokens);
  }
  __device__ long out_begin() const { return z.out_begin(image(), head()) + query() * z.heads * z.head_dim; }
  __device__ long lse() const { return (image() * z.heads + head()) * z.tokens + query(); }

  // The logit of the row's query and `token`, from their product.
  __device__ A logit(A product, long token) const {
    const A scaled = product * scale;
    const int q = static_cast<int>(query() - z.prefix()), k = static_cast<int>(token - z.prefix());
    if (k < 0 && bias.prefix) return scaled + bias.prefix[2 * head() + (q < 0)];
    if (q < 0 || k < 0) return scaled;
    const int columns = static_cast<int>(z.grid.x), wide = 2 * columns - 1;
    A penalty = 0;
    if (bias.relative) {  // [grid.y - 1 - dy][grid.x - 1 - dx] of the head's table
      const int dy = k / columns - q / columns, dx = k % columns - q % columns;
      if (const int window = static_cast<int>(bias.window))
        if (k / columns / window != q / columns / window || k % columns / window != q % columns / window)
          return -std::numeric_limits<A>::infinity();
      penalty = bias.relative[head() * (2 * z.grid.y - 1) * wide + (z.grid.y - 1 - dy) * wide + columns - 1 - dx];
    }
    if (bias.key) penalty += bias.key[head() * z.grid.patches() + k];
    return scaled + penalty;
  }
  __device__ A sigmoid(A product, long token) const {
    return 1 / (1 + std::exp(-(logit(product, token) + bias.shift[head()])));
  }
};

template <class T>
constexpr T kNothing = -std::numeric_limits<T>::infinity();

// `weights` may be where the logits are.
template <class T>
__global__ void mask_and_normalise(Rows<T> r, Acc<T>* logits, T* weights, Acc<T>* lse) {
  using A = Acc<T>;
  A* const x = logits + r.begin();
  T* const p = weights + r.begin();
  if (r.bias.shift) {
    for (long c = threadIdx.x; c < r.z.tokens; c += blockDim.x) p[c] = static_cast<T>(r.sigmoid(x[c], c));
    if (threadIdx.x == 0) lse[r.lse()] = 0;
    return;
  }
  A max = kNothing<A>, sum = 0;
  for (long c = threadIdx.x; c < r.z.tokens; c += blockDim.x) {
    x[c] = r.logit(x[c], c);
    max = max < x[c] ? x[c] : max;
  }
  max = cuda::block_max(max);
  if (max == kNothing<A>) max = 0;  // nothing is visible
  for (long c = threadIdx.x; c < r.z.tokens; c += blockDim.x) sum += std::exp(x[c] - max);
  sum = cuda::block_sum(sum);
  for (long c = threadIdx.x; c < r.z.tokens; c += blockDim.x)
    p[c] = static_cast<T>(sum == 0 ? A(0) : std::exp(x[c] - max) / sum);
  if (threadIdx.x == 0) lse[r.lse()] = max + std::log(sum);
}

// From S and dP to P and dS. `weights` and `ds` may be where those are; dS is kept in the type of sums as well.
template <class T>
__global__ void gradient_of_row(Rows<T> r, const Acc<T>* logits, Acc<T>* dweights, T* weights, T* ds,
                                AttentionBackward<T> problem) {
  using A = Acc<T>;
  const A lse = problem.lse[r.lse()];
  A delta = 0;
  for (long d = threadIdx.x; d < r.z.head_dim; d += blockDim.x)
    delta += static_cast<A>(problem.dout[r.out_begin() + d]) * static_cast<A>(problem.out[r.out_begin() + d]);
  delta = cuda::block_sum(delta);
  for (long c = threadIdx.x; c < r.z.tokens; c += blockDim.x) {
    const long at = r.begin() + c;
    const A weight = r.bias.shift         ? r.sigmoid(logits[at], c)
                     : lse == kNothing<A> ? A(0)
                                          : std::exp(r.logit(logits[at], c) - lse);
    dweights[at] = weight * (r.bias.shift ? (1 - weight) * dweights[at] : dweights[at] - delta);
    weights[at] = static_cast<T>(weight), ds[at] = static_cast<T>(dweights[at]);
  }
}

template <class T, class Problem>
Rows<T> rows_of(const Problem& p, const Chunk& chunk) {
  return {.bias = p.bias, .z = p.sizes, .chunk = chunk, .scale = p.scale};
}
dim3 grid_of(const Chunk& chunk) {
  return {static_cast<unsigned>(chunk.rows), static_cast<unsigned>(chunk.heads), static_cast<unsigned>(chunk.images)};
}

// dS over all pairs of the chunk that have an offset: a column of rows of queries, image after image.
template <class T>
void add_bias_gradient(Cuda cuda, const AttentionBackward<T>& p, const Chunk& chunk, const Acc<T>* ds) {
  using A = Acc<T>;
  const AttentionSizes z = p.sizes;
  const long per_head = relative_size(z.grid);
  const bool first = chunk.image == 0 && chunk.row == 0;
  const cuda::ColumnSums<A, 1> all{.sums = {p.drelative + chunk.head * per_head},
                                   .rows = chunk.images * z.grid.y,
                                   .cols = chunk.heads * per_head,
                                   .accumulate = !first};
  cuda::for_each_column(cuda, all, [=] __device__(long queries, long i, A* sum) {
    const long head = i / per_head, wide = 2 * z.grid.x - 1;
    const long dy = z.grid.y - 1 - i % per_head / wide, dx = z.grid.x - 1 - i % wide;
    const long image = queries / z.grid.y, y = queries % z.grid.y;
    if (y + dy < 0 || y + dy >= z.grid.y) return;
    for (long x = dx < 0 ? -dx : 0; x < z.grid.x && x + dx < z.grid.x; ++x) {
      const long row = z.prefix() + y * z.grid.x + x - chunk.row;
      if (row < 0 || row >= chunk.rows) continue;
      const long key = z.prefix() + (y + dy) * z.grid.x + x + dx;
      sum[0] += ds[((image * chunk.heads + head) * chunk.rows + row) * row_stride(z.tokens) + key];
    }
  });
}

// The same for prefix tokens as keys, for patches as queries and for others of the prefix.
template <class T>
void add_prefix_gradient(Cuda cuda, const AttentionBackward<T>& p, const Chunk& chunk, const Acc<T>* ds) {
  using A = Acc<T>;
  const AttentionSizes z = p.sizes;
  const bool first = chunk.image == 0 && chunk.row == 0;
  const cuda::ColumnSums<A, 1> all{.sums = {p.dprefix + 2 * chunk.head},
                                   .rows = chunk.images * chunk.rows,
                                   .cols = 2 * chunk.heads,
                                   .accumulate = !first};
  cuda::for_each_column(cuda, all, [=] __device__(long query, long i, A* sum) {
    const long image = query / chunk.rows, row = query % chunk.rows;
    if ((chunk.row + row < z.prefix()) != (i % 2 == 1)) return;
    const A* from = ds + ((image * chunk.heads + i / 2) * chunk.rows + row) * row_stride(z.tokens);
    for (long key = 0; key < z.prefix(); ++key) sum[0] += from[key];
  });
}

long logits_of(const Chunk& chunk, long tokens) { return chunk.images * chunk.heads * chunk.rows * row_stride(tokens); }

// Where `values` of T stand: in the place of those of Acc<T> if they are of one type, else behind `after` values.
template <class T>
T* rounded_place(Acc<T>* same, Acc<T>* workspace, long after) {
  if constexpr (std::is_same_v<T, Acc<T>>)
    return same;
  else
    return reinterpret_cast<T*>(workspace + after);
}

}  // namespace

template <class T>
long masked_softmax_workspace(const AttentionSizes& z, long most_logits) {
  const long logits = logits_of(first_chunk(z, most_logits), z.tokens);
  return 2 * logits + (std::is_same_v<T, Acc<T>> ? 0 : 2 * ((logits + 1) / 2));
}

template <class T>
void attention_masked_softmax(Cuda cuda, const Attention<T>& p, long most_logits) {
  const AttentionSizes& z = p.sizes;
  const long most = logits_of(first_chunk(z, most_logits), z.tokens);
  Acc<T>* const logits = p.workspace;
  T* const weights = rounded_place<T>(logits, p.workspace, most);
  for_each_chunk(z, most_logits, [&](const Chunk& chunk) {
    const Layout layout{z, chunk};
    products(cuda, chunk, {.m = chunk.rows, .n = z.tokens, .k = z.head_dim, .transpose_b = Transpose::yes},
             layout.logits(logits), layout.packed(p.qkv, 0, chunk.row), layout.packed(p.qkv, 1, 0));
    LAUNCH(mask_and_normalise<T>, grid_of(chunk), dim3(cuda::threads_for(z.tokens)), cuda, rows_of<T>(p, chunk), logits,
           weights, p.lse);
    products(cuda, chunk, {.m = chunk.rows, .n = z.head_dim, .k = z.tokens}, layout.output(p.out),
             layout.logits(static_cast<const T*>(weights)), layout.packed(p.qkv, 2, 0));
  });
}

template <class T>
void attention_masked_softmax_backward(Cuda cuda, const AttentionBackward<T>& p, long most_logits) {
  const AttentionSizes& z = p.sizes;
  const long most = logits_of(first_chunk(z, most_logits), z.tokens);
  Acc<T>*const logits = p.workspace, *const dweights = logits + most;
  T* const weights = rounded_place<T>(logits, p.workspace, 2 * most);
  T* const ds = rounded_place<T>(dweights, p.workspace, 2 * most + (most + 1) / 2);
  for_each_chunk(z, most_logits, [&](const Chunk& chunk) {
    const Layout layout{z, chunk};
    const auto dout = layout.output(p.dout);
    const auto q = layout.packed(p.qkv, 0, chunk.row), k = layout.packed(p.qkv, 1, 0), v = layout.packed(p.qkv, 2, 0);
    const ProductSizes square{.m = chunk.rows, .n = z.tokens, .k = z.head_dim, .transpose_b = Transpose::yes};
    products(cuda, chunk, square, layout.logits(logits), q, k);
    products(cuda, chunk, square, layout.logits(dweights), dout, v);
    LAUNCH(gradient_of_row<T>, grid_of(chunk), dim3(cuda::threads_for(z.tokens)), cuda, rows_of<T>(p, chunk), logits,
           dweights, weights, ds, p);
    if (p.drelative) add_bias_gradient(cuda, p, chunk, dweights);
    if (p.dprefix) add_prefix_gradient(cuda, p, chunk, dweights);
    const double scale = p.scale;
    const bool more = chunk.row > 0;
    const auto weight_rows = layout.logits(static_cast<const T*>(weights)),
               ds_rows = layout.logits(static_cast<const T*>(ds));
    const ProductSizes to_queries{.m = chunk.rows, .n = z.head_dim, .k = z.tokens, .alpha = scale};
    ProductSizes to_keys{.m = z.tokens, .n = z.head_dim, .k = chunk.rows, .transpose_a = Transpose::yes};
    to_keys.accumulate = more;
    products(cuda, chunk, to_queries, layout.packed(p.dqkv, 0, chunk.row), ds_rows, k);
    products(cuda, chunk, to_keys, layout.packed(p.dqkv, 2, 0), weight_rows, dout);
    to_keys.alpha = scale;
    products(cuda, chunk, to_keys, layout.packed(p.dqkv, 1, 0), ds_rows, q);
  });
}

#define FOR_TYPE(T)                                                        \
  template long masked_softmax_workspace<T>(const AttentionSizes&, long);  \
  template void attention_masked_softmax(Cuda, const Attention<T>&, long); \
  template void attention_masked_softmax_backward(Cuda, const AttentionBackward<T>&, long)
FOR_TYPE(float);
FOR_TYPE(double);
FOR_TYPE(bf16);
#undef FOR_TYPE

}  // namespace kernels
