// Every operation on devices whose memory the host may not touch: on the guarded one the bits are those of the
// processor, as CUDA (in the emulator) the values but for rounding.
#include "autograd/ops.h"

#include "tests/kernels/cases.h"

namespace lookhere {
namespace {

using Inputs = std::vector<Var>;
using Operation = std::function<Var(const Inputs&)>;

struct Case {
  const char* name;
  Operation operation;
  std::vector<Shape> shapes;
};

AttentionHeads heads_like(const Var& qkv, std::vector<LookHereHead> heads) {
  return make_attention_heads(std::move(heads), {2, 3}, qkv.value().dtype(), qkv.value().device());
}
Tensor like(const std::vector<float>& values, const Var& v) {
  return from_vector(values, {std::ssize(values)}).to(acc_of(v.value().dtype())).to(v.value().device());
}
const std::vector<LookHereHead> kHeads{{.view = view_of("tri_up"), .slope = 0.5}, {.view = {}, .slope = 0.25}};

std::vector<Case> pointwise() {
  return {
      {"add", [](const Inputs& v) { return add(v[0], v[1]); }, {{2, 3, 4}, {3, 4}}},
      {"twice", [](const Inputs& v) { return multiply(add(v[0], v[0]), v[0]); }, {{5}}},
      {"scale", [](const Inputs& v) { return scale(v[0], -1.5); }, {{5}}},
      {"gelu", [](const Inputs& v) { return gelu(v[0]); }, {{5}}},
      {"gate", [](const Inputs& v) { return gate(v[0], Activation::silu); }, {{3, 8}}},
      {"tanh", [](const Inputs& v) { return tanh(v[0]); }, {{5}}},
      {"waves", [](const Inputs& v) { return waves(v[0]); }, {{3, 5}}},
      {"dropout", [](const Inputs& v) { return dropout(v[0], 0.5, {.seed = 1, .a = 2, .b = 3}); }, {{50}}},
  };
}

std::vector<Case> tokens() {
  return {
      {"sum", [](const Inputs& v) { return sum(v[0]); }, {{5}}},
      {"reshape",
       [](const Inputs& v) {
         return reshape(v[0], {3, 2});
       },
       {{2, 3}}},
      {"patchify", [](const Inputs& v) { return patchify(v[0], 2); }, {{2, 3, 4, 6}}},
      {"prepend_token", [](const Inputs& v) { return prepend_token(v[0], v[1]); }, {{1, 1, 3}, {2, 4, 3}}},
      {"prepend_token", [](const Inputs& v) { return prepend_token(v[0], v[1]); }, {{1, 2, 3}, {2, 4, 3}}},
      {"drop_tokens", [](const Inputs& v) { return drop_tokens(v[0], 1); }, {{2, 4, 3}}},
      {"take_features", [](const Inputs& v) { return take_features(v[0], 1, 3); }, {{2, 4, 6}}},
      {"join_features",
       [](const Inputs& v) {
         return join_features({v[0], v[1]});
       },
       {{2, 4, 3}, {2, 4, 3}}},
      {"select_token", [](const Inputs& v) { return select_token(v[0], 1); }, {{2, 4, 3}}},
      {"mean_tokens", [](const Inputs& v) { return mean_tokens(v[0], 1); }, {{2, 4, 3}}},
      {"resize_grid",
       [](const Inputs& v) {
         return resize_grid(v[0], {2, 3}, {4, 5});
       },
       {{1, 6, 3}}},
      {"softplus", [](const Inputs& v) { return activate(v[0], Activation::softplus); }, {{7}}},
      {"log_distance",
       [](const Inputs& v) {
         return log_distance(like({0, 1, 2, 3}, v[0]).reshape({4, 1}), v[0], 1.5, 3);
       },
       {{2}}},
      {"with_parabola",
       [](const Inputs& v) {
         return with_parabola(v[0], 2, v[1], v[2], like({0, 1, 2, 3, 5, 8}, v[0]).reshape({3, 2}));
       },
       {{2, 3, 24}, {2, 3, 6}, {2, 3, 4}}},
      {"attention_naive",
       [](const Inputs& v) { return attention_naive(v[0], 2, heads_like(v[0], kHeads)); },
       {{2, 7, 24}}},
  };
}

std::vector<Case> layers() {
  return {
      {"linear", [](const Inputs& v) { return linear(v[0], v[1], v[2]); }, {{2, 3, 4}, {5, 4}, {5}}},
      {"mlp", [](const Inputs& v) { return mlp(v[0], v[1], v[2], v[3], v[4]); }, {{2, 3, 4}, {8, 4}, {8}, {4, 8}, {4}}},
      {"gated mlp",
       [](const Inputs& v) { return mlp(v[0], v[1], v[2], v[3], v[4], {.function = Activation::silu, .gated = true}); },
       {{2, 3, 4}, {8, 4}, {8}, {4, 4}, {4}}},
      {"rotate",
       [](const Inputs& v) {
         const Tensor angles = random({6, 4}, 5).to(acc_of(v[0].value().dtype())).to(v[0].value().device());
         return rotate(v[0], 1, {.cos = angles, .sin = angles});
       },
       {{2, 7, 24}}},
      {"rotate_by", [](const Inputs& v) { return rotate_by(v[0], 2, v[1]); }, {{2, 7, 24}, {6, 4}}},
      {"attention", [](const Inputs& v) { return attention(v[0], 2, heads_like(v[0], kHeads)); }, {{2, 7, 24}}},
      {"attention in windows",
       [](const Inputs& v) {
         const LookHereHead window{.view = {.first = {}, .second = {}, .window = 2}, .slope = 0.5};
         return attention(v[0], 2, heads_like(v[0], {window, window}));
       },
       {{2, 7, 24}}},
      {"sigmoid attention",
       [](const Inputs& v) {
         AttentionHeads heads = heads_like(v[0], kHeads);
         heads.shift = like({-0.5F, -1}, v[0]);
         return attention(v[0], 2, heads);
       },
       {{2, 7, 24}}},
      {"attention by key",
       [](const Inputs& v) {
         return attention(v[0], 1,
                          heads_like(v[0], {{.view = {}, .from = kernels::DistanceFrom::grid_center, .slope = 1}}));
       },
       {{2, 7, 12}}},
      {"attention_learned",
       [](const Inputs& v) { return attention_learned(v[0], 2, heads_like(v[0], {}), v[1]); },
       {{2, 7, 24}, {2, 3, 5}}},
      {"attention_learned of directed heads",
       [](const Inputs& v) {
         const AttentionHeads heads = heads_like(v[0], kHeads);
         const std::vector<double> seen = to_vector<double>(heads.relative.to(Device::cpu).to(Dtype::f64));
         std::vector<float> unseen;
         for (const double value : seen) unseen.push_back(std::isinf(value) ? -kInf<float> : 0);
         return attention_learned(v[0], 2, heads, add(v[1], Var(like(unseen, v[0]).reshape({2, 3, 5}))));
       },
       {{2, 7, 24}, {2, 3, 5}}},
      {"attention_learned with a prefix",
       [](const Inputs& v) { return attention_learned(v[0], 2, heads_like(v[0], {}), v[1], v[2]); },
       {{2, 7, 24}, {2, 3, 5}, {2, 2}}},
  };
}

std::vector<Case> losses() {
  const Tensor labels = from_vector<i64>({2, 0}, {2});
  const auto targets = [](const Inputs& v) { return like({0, 0.5, 0.5, 1, 0, 0}, v[0]).reshape({2, 3}); };
  return {
      {"softmax", [=](const Inputs& v) { return softmax_cross_entropy(v[0], labels, 0.1); }, {{2, 3}}},
      {"binary", [=](const Inputs& v) { return binary_cross_entropy(v[0], labels, 0.1); }, {{2, 3}}},
      {"softmax, soft", [=](const Inputs& v) { return softmax_cross_entropy_soft(v[0], targets(v)); }, {{2, 3}}},
      {"binary, soft", [=](const Inputs& v) { return binary_cross_entropy_soft(v[0], targets(v)); }, {{2, 3}}},
  };
}

// The value and every input's gradient. The first input has this dtype, weights have that of its sums.
std::vector<Tensor> results_of(const Case& c, Dtype dtype, Device device) {
  Inputs inputs;
  for (const Shape& shape : c.shapes) {
    const Dtype own = inputs.empty() || c.name == std::string("add") ? dtype : acc_of(dtype);
    inputs.emplace_back(random(shape, inputs.size() + 1).to(own).to(device), true);
  }
  const Var y = c.operation(inputs), wide = cast(y, acc_of(y.value().dtype()));
  const Tensor weights = random(y.shape(), 77).to(wide.value().dtype()).to(device);
  sum(multiply(wide, Var(weights))).backward();
  std::vector<Tensor> results{y.value()};
  for (const Var& input : inputs) results.push_back(input.grad());
  return results;
}

// bf16 may be rounded to its other neighbour, once for each operation.
double tolerance_of(Dtype dtype) { return dtype == Dtype::f64 ? 1e-13 : dtype == Dtype::f32 ? 5e-6 : 0.02; }

void expect_same_on_both(const std::vector<Case>& cases, const std::vector<Dtype>& dtypes) {
  for (const Case& c : cases)
    for (const Dtype dtype : dtypes) {
      const auto here = results_of(c, dtype, Device::cpu), guarded = results_of(c, dtype, Device::guarded),
                 cuda = results_of(c, dtype, Device::cuda);
      for (std::size_t i = 0; i < here.size(); ++i) {
        SCOPED_TRACE(concat(c.name, " in ", dtype, ", result ", i));
        EXPECT_EQ(guarded[i].device(), Device::guarded);
        EXPECT_EQ(cuda[i].device(), Device::cuda);
        EXPECT_TRUE(same_bits(guarded[i].to(Device::cpu), here[i]));
        const Tensor got = cuda[i].to(Dtype::f64), want = here[i].to(Dtype::f64);
        EXPECT_LT(worst_error(to_vector<double>(got), to_vector<double>(want)), tolerance_of(dtype));
      }
    }
}

TEST(OpsOnADevice, GiveTheSameBits) {
  const std::vector<Dtype> all{Dtype::f32, Dtype::f64, Dtype::bf16}, no_bf16{Dtype::f32, Dtype::f64};
  expect_same_on_both(pointwise(), all), expect_same_on_both(layers(), all);
  expect_same_on_both(tokens(), no_bf16), expect_same_on_both(losses(), no_bf16);
}

TEST(OpsOnADevice, MixedPrecision) {
  const Case norm{"layer_norm into bf16",
                  [](const Inputs& v) { return layer_norm(v[0], v[1], v[2], 1e-6F, Dtype::bf16); },
                  {{2, 3, 4}, {4}, {4}}};
  const auto branch = [](const Inputs& v) { return residual(v[0], cast(v[1], Dtype::bf16), v[2], like({0, 2}, v[0])); };
  const Case residual{"residual", branch, {{2, 3, 4}, {2, 3, 4}, {4}}};
  expect_same_on_both({norm, residual}, {Dtype::f32});
}

TEST(OpsOnADevice, InputsAreOnOneDevice) {
  const Var here(random({2, 3}, 1, Dtype::f32)), there(random({2, 3}, 1, Dtype::f32).to(Device::guarded));
  EXPECT_ERROR(multiply(there, here), "tensor: f32 [2, 3] is on cpu, where no operation runs");
  EXPECT_ERROR(multiply(here, there), "tensor: f32 [2, 3] is on guarded-for-tests, where no operation runs");
  EXPECT_ERROR(softmax_cross_entropy_soft(there, here.value()), "is on cpu, where no operation runs");
  const Var gpu(random({2, 3}, 1, Dtype::f32).to(Device::cuda));
  EXPECT_ERROR(multiply(gpu, here), "tensor: f32 [2, 3] is on cpu, where no operation runs");
  EXPECT_ERROR(multiply(here, gpu), "tensor: f32 [2, 3] is on cuda, where no operation runs");
}

}  // namespace
}  // namespace lookhere
