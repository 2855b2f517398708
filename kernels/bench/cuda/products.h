// The cases that are bound by matrix products: a block's linear layers, and attention.
#pragma once
#include "kernels/bench/cuda/cases.h"
#include "kernels/gemm/gemm.h"

namespace kernels::gpu_bench {

template <class T>
class Products : public Cases<T> {
 public:
  using Cases<T>::Cases;
  using typename Cases<T>::A;

  void add_linear() {
    const long rows = sizes().rows(), cols = sizes().cols(), hidden = sizes().hidden;
    const Layer layers[] = {{"qkv", cols, 3 * cols},
                            {.name = "proj + residual", .in = cols, .out = cols, .residual = true},
                            {.name = "fc1 + gelu", .in = cols, .out = hidden, .gelu_after = true},
                            {.name = "fc2 + residual", .in = hidden, .out = cols, .residual = true}};
    for (const Layer& l : layers)
      flops(std::string("linear ") + l.name, shape(rows, l), rows * l.in * l.out, [=](Memory& m) {
        const long n = rows * l.out;
        const Linear<T> p{.y = l.residual ? nullptr : m.result<T>(n),
                          .activated = l.gelu_after ? m.result<T>(n) : nullptr,
                          .sum = l.residual ? m.result<A>(n) : nullptr,
                          .x = m.random<T>(rows * l.in),
                          .w = m.random<A>(l.out * l.in),
                          .b = m.random<A>(l.out),
                          .residual = l.residual ? m.random<A>(n) : nullptr,
                          .rows = rows,
                          .in = l.in,
                          .out = l.out};
        return [=](Cuda cuda) { linear(cuda, p); };
      });
    const Layer gradients[] = {
        {"qkv", cols, 3 * cols}, {"proj", cols, cols}, {"fc1", cols, hidden}, {"fc2", hidden, cols}};
    for (const Layer& l : gradients) {
      const bool slope = l.in == hidden;  // GELU stands before fc2
      flops(std::string("linear dx ") + l.name + (slope ? " + gelu" : ""), shape(rows, l), rows * l.in * l.out,
            [=](Memory& m) {
              const LinearInputGradient<T> p{.dx = m.result<T>(rows * l.in),
                                             .dy = m.random<T>(rows * l.out),
                                             .w = m.random<A>(l.out * l.in),
                                             .pre = slope ? m.random<T>(rows * l.in) : nullptr,
                                             .rows = rows,
                                             .in = l.in,
                                             .out = l.out};
              return [=](Cuda cuda) { linear_input_gradient(cuda, p); };
            });
    }
    for (const Layer& l : gradients)
      flops(std::string("linear dW, db ") + l.name, shape(rows, l), rows * l.in * l.out, [=](Memory& m) {
        const LinearWeightGradient<T> p{.dw = m.result<A>(l.out * l.in),
                                        .db = m.result<A>(l.out),
                                        .dy = m.random<T>(rows * l.out),
                                        .x = m.random<T>(rows * l.in),
                                        .rows = rows,
                                        .in = l.in,
                                        .out = l.out};
        return [=](Cuda cuda) { linear_weight_gradient(cuda, p); };
      });
  }

  // Work is that of all pairs, whatever a head sees.
  void add_attention() {
    for (const AttentionShape& shape : sizes().attention)
      for (const char* layout : {"dense", "lh180", "lh45"}) {
        add_both_ways(
            std::string("attention flash ") + layout, shape, layout, flash_workspace,
            [](Cuda cuda, const Attention<T>& p) { attention_flash(cuda, p); },
            [](Cuda cuda, const AttentionBackward<T>& p) { attention_flash_backward(cuda, p); });
        add_both_ways(
            std::string("attention masked ") + layout, shape, layout,
            [](const AttentionSizes& z) { return masked_softmax_workspace<T>(z); },
            [](Cuda cuda, const Attention<T>& p) { attention_masked_softmax(cuda, p); },
            [](Cuda cuda, const AttentionBackward<T>& p) { attention_masked_softmax_backward(cuda, p); });
      }
    for (const AttentionShape& shape : sizes().attention)
      add_both_ways(
          "attention learned", shape, kLearned, [](const AttentionSizes& z) { return masked_softmax_workspace<T>(z); },
          [](Cuda cuda, const Attention<T>& p) { attention_masked_softmax(cuda, p); },
          [](Cuda cuda, const AttentionBackward<T>& p) { attention_masked_softmax_backward(cuda, p); });
  }
  void add_naive_attention() {
    add_both_ways(
        "attention naive lh45", sizes().naive, "lh45", [](const AttentionSizes&) { return 0L; },
        [](Cuda cuda, const Attention<T>& p) { attention_naive(cuda, p); },
        [](Cuda cuda, const AttentionBackward<T>& p) { attention_naive_backward(cuda, p); });
  }

 private:
  using Cases<T>::flops;
  using Cases<T>::sizes;
  static constexpr const char* kLearned = "learned";  // a layout whose biases have gradients

  struct Layer {
    const char* name;
    long in, out;
    bool gelu_after = false, residual = false;
  };
  static std::string shape(long rows, const Layer& l) { return by(rows, l.in) + " -> " + std::to_string(l.out); }

  template <class Workspace, class Forward, class Backward>
  void add_both_ways(const std::string& name, const AttentionShape& shape, const char* layout, Workspace workspace,
                     Forward forward, Backward backward) {
    const AttentionSizes z{.images = shape.images,
                           .tokens = shape.side * shape.side + 1,
                           .heads = sizes().heads,
                           .head_dim = sizes().head_dim,
                           .grid = {shape.side, shape.side}};
    const bool learned = layout == kLearned;
    const std::vector<LookHereHead> heads = bench::heads_of(learned ? "lh180" : layout, z.heads);  // live in the case
    const std::string text = by(z.images, z.tokens) + ", " + by(z.heads, z.head_dim);
    const long product = z.images * z.heads * z.tokens * z.tokens * z.head_dim;
    flops(name, text, 2 * product, [=](Memory& m) {  // Q·Kᵀ and P·V
      const Attention<T> p = problem(m, z, heads, workspace(z));
      return [=](Cuda cuda) { forward(cuda, p); };
    });
    flops(name + " backward", text, 5 * product, [=](Memory& m) {  // Q·Kᵀ again, dO·Vᵀ, dQ, dK, dV
      const Attention<T> done = problem(m, z, heads, workspace(z));
      forward(cuda::context(), done);
      const long values = z.images * z.tokens * z.heads * z.head_dim;
      const AttentionBackward<T> p{.dqkv = m.result<T>(3 * values),
                                   .drelative = learned ? m.result<A>(z.heads * relative_size(z.grid)) : nullptr,
                                   .dprefix = learned ? m.result<A>(2 * z.heads) : nullptr,
                                   .dout = m.random<T>(values),
                                   .out = done.out,
                                   .qkv = done.qkv,
                                   .lse = done.lse,
                                   .bias = done.bias,
                                   .sizes = z,
                                   .scale = done.scale,
                                   .workspace = done.workspace};
      return [=](Cuda cuda) { backward(cuda, p); };
    });
  }

  static Attention<T> problem(Memory& m, const AttentionSizes& z, const std::vector<LookHereHead>& heads,
                              long workspace) {
    const long rows = z.images * z.tokens * z.heads, size = relative_size(z.grid);
    std::vector<A> tables(heads.size() * size);
    for (std::size_t h = 0; h < heads.size(); ++h) relative_bias(tables.data() + h * size, heads[h], z.grid);
    return {.out = m.result<T>(rows * z.head_dim),
            .lse = m.result<A>(rows),
            .qkv = m.random<T>(3 * rows * z.head_dim),
            .bias = {.heads = heads.empty() ? nullptr : heads.data(),
                     .relative = heads.empty() ? nullptr : m.copy_of(tables)},
            .sizes = z,
            .scale = 1 / std::sqrt(static_cast<A>(z.head_dim)),
            .workspace = workspace > 0 ? m.workspace<A>(workspace) : nullptr};
  }
};

// The limits come first.
inline constexpr int kLimits = 3;
inline std::vector<Case> every_case(const Sizes& sizes) {
  std::vector<Case> cases;
  Products<bf16> half(cases, sizes);
  Products<float> full(cases, sizes);
  half.add_limits(), full.add_limits(), full.add_copy();
  full.add_norms(), half.add_norms();
  full.add_pointwise(), half.add_pointwise();
  full.add_hidden(), half.add_hidden();
  half.add_casts(), full.add_optimizer(), full.add_ends();
  half.add_linear(), full.add_linear();
  half.add_attention(), full.add_naive_attention();
  return cases;
}

}  // namespace kernels::gpu_bench
