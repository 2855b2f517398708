// Every CUDA kernel as it runs in a training step of ViT-B/16 at 224 px, 256 images; attention at more sizes.
#pragma once
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "kernels/activation/activation.h"
#include "kernels/adamw.h"
#include "kernels/attention/flash.h"
#include "kernels/attention/masked_softmax.h"
#include "kernels/bench/cuda/memory.h"
#include "kernels/bench/layouts.h"
#include "kernels/cast.h"
#include "kernels/cuda/product.h"
#include "kernels/layer_norm.h"
#include "kernels/layout.h"
#include "kernels/pointwise.h"
#include "kernels/rotary.h"
#include "kernels/softmax_loss.h"

namespace kernels::gpu_bench {

struct AttentionShape {
  long images, side;  // of the grid of patches; one more token
};
// A test has smaller ones.
struct Sizes {
  long images = 256, side = 14, patch = 16, channels = 3, heads = 12, head_dim = 64, hidden = 3072, classes = 1000;
  long weights = 86'567'656;   // ViT-B/16's
  long product = 8192;         // rows and columns of the limits' matrices
  long copied = 1L << 30;      // bytes
  long pixel_classes = 65536;  // rows of a loss that is bound by memory
  std::vector<AttentionShape> attention{{256, 14}, {64, 24}, {32, 32}, {8, 64}};
  AttentionShape naive{8, 14};

  long patches() const { return side * side; }
  long tokens() const { return patches() + 1; }
  long rows() const { return images * tokens(); }
  long cols() const { return heads * head_dim; }
};

// What bounds a kernel, each measured on the device itself.
enum class Limit { copy, bf16_product, f32_product };

// One line of the table. Work is bytes, the least that the kernel must read and write, or FLOPs.
using Run = std::function<void(Cuda)>;
struct Case {
  std::string kernel, shape;
  const char* dtype;
  Limit limit;
  double work;
  std::function<Run(Memory&)> prepare;
};

template <class T>
inline constexpr const char* kTypeName = "f32";
template <>
inline constexpr const char* kTypeName<bf16> = "bf16";

inline std::string by(long a, long b) { return std::to_string(a) + " x " + std::to_string(b); }

// Cases with values of type T between layers, what is summed in A.
template <class T>
class Cases {
 public:
  using A = Acc<T>;
  using Prepare = std::function<Run(Memory&)>;
  static constexpr long kValue = sizeof(T), kWide = sizeof(A);

  Cases(std::vector<Case>& cases, const Sizes& sizes) : cases_(cases), z_(sizes) {}

  void add_limits() {
    const long n = z_.product;
    flops("product by cuBLAS", by(n, n) + " x " + std::to_string(n), n * n * n, [=](Memory& m) {
      const cuda::Product<T, T> p{.c = m.result<T>(n * n),
                                  .a = m.random<T>(n * n),
                                  .b = m.random<T>(n * n),
                                  .m = n,
                                  .n = n,
                                  .k = n,
                                  .c_row = n,
                                  .a_row = n,
                                  .b_row = n};
      return [=](Cuda cuda) { cuda::product(cuda, p); };
    });
  }
  void add_copy() {
    const long n = z_.copied;
    bytes("copy on the device", std::to_string(n >> 20) + " MiB", 2 * n, [=](Memory& m) {
      auto *to = m.result<float>(n / 4), *from = m.random<float>(n / 4);
      return [=](Cuda) { cuda::copy_within_device(to, from, n); };
    });
  }

  void add_norms() {
    const long rows = z_.rows(), cols = z_.cols(), n = rows * cols;
    bytes("layer_norm", by(rows, cols), n * (kWide + kValue), [=](Memory& m) {
      const LayerNorm<T> p = norm(m, rows, cols);
      return [=](Cuda cuda) { layer_norm(cuda, p); };
    });
    bytes("layer_norm_backward", by(rows, cols), n * (3 * kWide + kValue), [=](Memory& m) {
      const LayerNorm<T> forward = norm(m, rows, cols);
      layer_norm(cuda::context(), forward);  // for mean and rstd
      const LayerNormBackward<T> p{.dx = m.result<A>(n),
                                   .dw = m.result<A>(cols),
                                   .db = m.result<A>(cols),
                                   .dy = m.random<T>(n),
                                   .x = forward.x,
                                   .mean = forward.mean,
                                   .rstd = forward.rstd,
                                   .w = forward.w,
                                   .dresidual = m.random<A>(n),
                                   .rows = rows,
                                   .cols = cols};
      return [=](Cuda cuda) { layer_norm_backward(cuda, p); };
    });
  }

  void add_pointwise() {
    const long rows = z_.rows(), cols = z_.cols(), n = rows * cols, images = z_.images, tokens = z_.tokens();
    for (const long period : {n, tokens * cols, cols})
      bytes("add", by(rows, cols) + (period == n ? "" : " + " + std::to_string(period)),
            (period == n ? 3 : 2) * n * kValue, [=](Memory& m) {
              const Add<T> p{
                  .y = m.result<T>(n), .a = m.random<T>(n), .b = m.random<T>(period), .n = n, .period = period};
              return [=](Cuda cuda) { add(cuda, p); };
            });
    bytes("residual", by(rows, cols), n * (2 * kWide + kValue), [=](Memory& m) {
      const Residual<T> p{.y = m.result<A>(n),
                          .x = m.random<A>(n),
                          .branch = m.random<T>(n),
                          .gamma = m.random<A>(cols),
                          .keep = m.random<A>(images),
                          .images = images,
                          .tokens = tokens,
                          .cols = cols};
      return [=](Cuda cuda) { residual(cuda, p); };
    });
    bytes("residual_backward", by(rows, cols), n * (kWide + 2 * kValue), [=](Memory& m) {
      const ResidualBackward<T> p{.dbranch = m.result<T>(n),
                                  .dgamma = m.result<A>(cols),
                                  .dy = m.random<A>(n),
                                  .branch = m.random<T>(n),
                                  .gamma = m.random<A>(cols),
                                  .keep = m.random<A>(images),
                                  .images = images,
                                  .tokens = tokens,
                                  .cols = cols};
      return [=](Cuda cuda) { residual_backward(cuda, p); };
    });
    bytes("dropout", by(rows, cols), 2 * n * kValue, [=](Memory& m) {
      const Dropout<T> p{.y = m.result<T>(n), .x = m.random<T>(n), .n = n, .keep = 0.9F, .seed = 1, .a = 0, .b = 0};
      return [=](Cuda cuda) { dropout(cuda, p); };
    });
    bytes("rotary", by(rows, 3 * cols), 6 * n * kValue, [=, z = z_](Memory& m) {
      const long angles = z.patches() * z.head_dim / 2;
      const Rotary<T> p{.y = m.result<T>(3 * n),
                        .x = m.random<T>(3 * n),
                        .cos = m.random<A>(angles),
                        .sin = m.random<A>(angles),
                        .images = images,
                        .tokens = tokens,
                        .patches = z.patches(),
                        .heads = z.heads,
                        .head_dim = z.head_dim};
      return [=](Cuda cuda) { rotary(cuda, p); };
    });
  }

  // Between the MLP's layers, and the gradient of its bias.
  void add_hidden() {
    const long rows = z_.rows(), cols = z_.hidden, n = rows * cols;
    const std::string shape = by(rows, cols);
    for (const auto& [name, function] : {std::pair("gelu", Activation::gelu), std::pair("silu", Activation::silu)}) {
      bytes(name, shape, 2 * n * kValue, [=, f = function](Memory& m) {
        const Activate<T> p{.y = m.result<T>(n), .x = m.random<T>(n), .n = n, .function = f};
        return [=](Cuda cuda) { activate(cuda, p); };
      });
      bytes(std::string(name) + "_backward", shape, 3 * n * kValue, [=, f = function](Memory& m) {
        const ActivateBackward<T> p{
            .dx = m.result<T>(n), .dy = m.random<T>(n), .x = m.random<T>(n), .n = n, .function = f};
        return [=](Cuda cuda) { activate_backward(cuda, p); };
      });
    }
    bytes("gate", shape, 3 * n * kValue, [=](Memory& m) {
      const Gate<T> p{
          .y = m.result<T>(n), .x = m.random<T>(2 * n), .rows = rows, .cols = cols, .function = Activation::silu};
      return [=](Cuda cuda) { gate(cuda, p); };
    });
    bytes("gate_backward", shape, 5 * n * kValue, [=](Memory& m) {
      const GateBackward<T> p{.dx = m.result<T>(2 * n),
                              .dy = m.random<T>(n),
                              .x = m.random<T>(2 * n),
                              .rows = rows,
                              .cols = cols,
                              .function = Activation::silu};
      return [=](Cuda cuda) { gate_backward(cuda, p); };
    });
    bytes("column_sum", shape, n * kValue, [=](Memory& m) {
      const ColumnSum<T> p{.out = m.result<A>(cols), .x = m.random<T>(n), .rows = rows, .cols = cols};
      return [=](Cuda cuda) { column_sum(cuda, p); };
    });
  }

  void add_casts() {
    const long n = z_.weights;
    bytes("narrow", std::to_string(n), n * (kWide + kValue), [=](Memory& m) {
      const Narrow<T> p{.y = m.result<T>(n), .x = m.random<A>(n), .n = n};
      return [=](Cuda cuda) { narrow(cuda, p); };
    });
    bytes("widen", std::to_string(n), n * (kWide + kValue), [=](Memory& m) {
      const Widen<T> p{.y = m.result<A>(n), .x = m.random<T>(n), .n = n};
      return [=](Cuda cuda) { widen(cuda, p); };
    });
  }

  // Before the first layer and after the last.
  void add_ends() {
    const long images = z_.images, pixels = z_.patches() * z_.patch * z_.patch * z_.channels, classes = z_.classes;
    bytes("patchify", by(images, pixels), 2 * images * pixels * kValue, [=, z = z_](Memory& m) {
      const Patchify<T> p{.patches = m.result<T>(images * pixels),
                          .image = m.random<T>(images * pixels),
                          .images = images,
                          .channels = z.channels,
                          .patch = z.patch,
                          .grid = {z.side, z.side}};
      return [=](Cuda cuda) { patchify(cuda, p); };
    });
    for (const long rows : {images, z_.pixel_classes})
      bytes("softmax_cross_entropy", by(rows, classes), 2 * rows * classes * kValue, [=](Memory& m) {
        std::vector<std::int64_t> labels(rows);
        for (long r = 0; r < rows; ++r) labels[r] = 7919 * r % classes;
        const ClassLoss<T> p{.loss = m.result<T>(rows),
                             .dlogits = m.result<T>(rows * classes),
                             .logits = m.random<T>(rows * classes),
                             .targets = {.labels = m.copy_of(labels), .smoothing = T(0.1)},
                             .rows = rows,
                             .classes = classes,
                             .gradient_scale = T(1) / static_cast<T>(rows)};
        return [=](Cuda cuda) { softmax_cross_entropy(cuda, p); };
      });
  }

  void add_optimizer() {
    const long n = z_.weights;
    bytes("sum_of_squares", std::to_string(n), n * kValue, [=](Memory& m) {
      const SumOfSquares<T> p{.sum = m.result<double>(1), .x = m.random<T>(n), .n = n};
      return [=](Cuda cuda) { sum_of_squares(cuda, p); };
    });
    for (const bool averaged : {false, true})
      bytes(averaged ? "adamw with ema" : "adamw", std::to_string(n), (averaged ? 9 : 7) * n * kValue, [=](Memory& m) {
        const AdamW<T> p{.w = m.random<T>(n),
                         .m = m.zeros<T>(n),
                         .v = m.zeros<T>(n),
                         .ema = averaged ? m.zeros<T>(n) : nullptr,
                         .g = m.random<T>(n),
                         .n = n,
                         .lr = 1e-4,
                         .beta1 = 0.9,
                         .beta2 = 0.999,
                         .eps = 1e-8,
                         .decay = 0.05,
                         .ema_decay = 0.998,
                         .bias1 = 0.1,
                         .bias2 = 0.001};
        return [=](Cuda cuda) { adamw(cuda, p); };
      });
  }

 protected:
  void bytes(const std::string& kernel, const std::string& shape, long count, Prepare prepare) {
    cases_.push_back({kernel, shape, kTypeName<T>, Limit::copy, static_cast<double>(count), std::move(prepare)});
  }
  // Of `products` multiply-adds.
  void flops(const std::string& kernel, const std::string& shape, long products, Prepare prepare) {
    constexpr Limit kLimit = std::is_same_v<T, bf16> ? Limit::bf16_product : Limit::f32_product;
    cases_.push_back({kernel, shape, kTypeName<T>, kLimit, 2.0 * static_cast<double>(products), std::move(prepare)});
  }
  const Sizes& sizes() const { return z_; }

 private:
  static LayerNorm<T> norm(Memory& m, long rows, long cols) {
    return {.y = m.result<T>(rows * cols),
            .mean = m.result<A>(rows),
            .rstd = m.result<A>(rows),
            .x = m.random<A>(rows * cols),
            .w = m.random<A>(cols),
            .b = m.random<A>(cols),
            .rows = rows,
            .cols = cols,
            .eps = 1e-6};
  }

  std::vector<Case>& cases_;
  Sizes z_;
};

}  // namespace kernels::gpu_bench
