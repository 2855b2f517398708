// PaPE and PaPE-RI, parabolic position encoding (Ohrstrom et al. 2026, arXiv 2602.01418): the hook `by_query`. Each
// token x_i draws a parabola of the offset Δ = (x, y) of i minus that of j, s = 1 / √head size:
//   PaPE:    bias(i, j) = s·Σ_m[-α_m·(w_m·Δ)² + β_m·w_m·Δ],  α = softplus(Wα·x_i + bα),  β = Wβ·x_i + bβ
//   PaPE-RI: bias(i, j) = -s·softplus(u·x_i + b)·c²·|Δ|²,  c of each head fixed, at random from U(±1/√2)
// with 50 learned directions w_m for each head of each layer. The sum over m is A = Σ α_m·w_m·w_mᵀ and B = Σ β_m·w_m:
// five numbers for each token and head (kernels/parabola.h), computed in f32 or f64 also where the rest is bf16. Tokens
// before the patches lie at (0, 0), patches at 1, 2, ..., on other grids too. x_i is what queries are made of. First
// values: of w_m as c; of Wα, Wβ and u as of other linear layers.
#include <nlohmann/json.hpp>
#include <numbers>

#include "vit/model/position/scaled.h"

namespace lookhere {
namespace {

constexpr long kDirections = 50;  // of each head
constexpr double kBound = 1 / std::numbers::sqrt2;

Var zero(Init& init, const Shape& shape) { return init.constant(shape, 0); }
Var linear_weight(Init& init, const Shape& shape) { return init.truncated_normal(shape); }
Var directions(Init& init, const Shape& shape) { return init.uniform(shape, kBound); }

// (x, y) of all tokens, from the middle of the grid: what counts is how far two lie apart, times the scale.
Tensor coordinates(const PositionSizes& z, Grid grid, double scale, Dtype dtype) {
  std::vector<double> at;
  const auto add = [&](long x, long y) {
    at.push_back(scale * (static_cast<double>(x) - static_cast<double>(grid.x + 1) / 2));
    at.push_back(scale * (static_cast<double>(y) - static_cast<double>(grid.y + 1) / 2));
  };
  for (long i = 0; i < z.prefix; ++i) add(0, 0);
  for (long patch = 0; patch < grid.patches(); ++patch) add(patch % grid.x + 1, patch / grid.x + 1);
  return from_vector(at, {z.prefix + grid.patches(), 2}, Device::cpu).to(dtype);
}

// [rows, cols] with value(row, col) there
template <class F>
Tensor matrix(long rows, long cols, Dtype dtype, F value) {
  std::vector<double> values;
  for (long r = 0; r < rows; ++r)
    for (long c = 0; c < cols; ++c) values.push_back(static_cast<double>(value(r, c)));
  return from_vector(values, {rows, cols}, Device::cpu).to(dtype);
}

Var in_full(const Var& x) { return cast(x, acc_of(x.value().dtype())); }

void check_room(const char* name, const PositionSizes& z) {
  check(z.head_dim() <= 250, name, ": the head size (dim / heads) must be at most 250, got ", z.head_dim());
}

class Pape : public ScaledPosition {
 public:
  Pape() : ScaledPosition("pape") {}
  void check_fits(const PositionSizes& z) const override { check_room("pape", z); }
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    const long all_directions = kDirections * z.heads;
    std::vector<PositionParameter> all;
    for (long layer = 0; layer < z.depth; ++layer) {
      const std::string name = concat("blocks.", layer, ".attn.pape.");
      all.push_back({name + "directions", {all_directions, 2}, directions});
      for (const char* part : {"alpha", "beta"}) {
        all.push_back({name + part + ".weight", {all_directions, z.dim}, linear_weight});
        all.push_back({name + part + ".bias", {all_directions}, zero});
      }
    }
    return all;
  }
  // Coordinates, then what makes A and B: which of (x, y) each factor of (xx, xy, yy) is, the three and the two
  // repeated for every head, and 1 where a direction is that head's.
  std::vector<Tensor> constants(const PositionSizes& z, Grid grid, Dtype dtype) const override {
    const auto own = [&](long each) {
      return matrix(each * z.heads, kDirections * z.heads, dtype,
                    [=](long row, long col) { return row / each == col / kDirections; });
    };
    const auto repeated = [&](long each) {
      return matrix(each * z.heads, each, dtype, [=](long row, long col) { return row % each == col; });
    };
    return {coordinates(z, grid, scaled(1), dtype),
            matrix(3, 2, dtype, [](long row, long col) { return (row == 2) == (col == 1); }),
            matrix(3, 2, dtype, [](long row, long col) { return (row > 0) == (col == 1); }),
            repeated(3),
            own(3),
            repeated(2),
            own(2)};
  }
  std::function<QueryBias(const Var&)> by_query(const PositionSizes& z, std::span<const Var> inputs, Grid,
                                                long layer) const override {
    const std::vector<Var> in(inputs.begin() + 5 * layer, inputs.begin() + 5 * layer + 5);
    const std::vector<Var> constant(inputs.begin() + 5 * z.depth, inputs.end());
    return [in, constant](const Var& tokens) {
      const Var squares = multiply(linear(in[0], constant[1]), linear(in[0], constant[2]));  // [all directions, 3]
      const Var to_a = multiply(linear(constant[3], squares), constant[4]);
      const Var to_b = multiply(linear(constant[5], in[0]), constant[6]);
      const Var alpha = activate(in_full(linear(tokens, in[1], in[2])), Activation::softplus);
      const Var beta = in_full(linear(tokens, in[3], in[4]));
      return QueryBias{.a = linear(alpha, to_a), .b = linear(beta, to_b), .at = constant[0].value()};
    };
  }
};

class PapeRi : public ScaledPosition {
 public:
  PapeRi() : ScaledPosition("pape-ri") {}
  void check_fits(const PositionSizes& z) const override { check_room("pape-ri", z); }
  std::vector<PositionParameter> parameters(const PositionSizes& z) const override {
    std::vector<PositionParameter> all;
    for (long layer = 0; layer < z.depth; ++layer) {
      const std::string name = concat("blocks.", layer, ".attn.pape.");
      all.push_back({name + "alpha.weight", {z.heads, z.dim}, linear_weight});
      all.push_back({name + "alpha.bias", {z.heads}, zero});
    }
    return all;
  }
  // Coordinates, then for each layer what spreads a head's number to (xx, xy, yy): c², 0, c². The same in every model.
  std::vector<Tensor> constants(const PositionSizes& z, Grid grid, Dtype dtype) const override {
    std::vector<Tensor> all{coordinates(z, grid, scaled(1), dtype)};
    for (long layer = 0; layer < z.depth; ++layer) {
      Rng rng(0, Purpose::init, static_cast<std::uint32_t>(layer));
      std::vector<double> squares;
      for (long head = 0; head < z.heads; ++head) {
        const double c = (2.0 * rng.uniform() - 1) * kBound;
        squares.push_back(c * c);
      }
      all.push_back(matrix(3 * z.heads, z.heads, dtype,
                           [&](long row, long col) { return row / 3 == col && row % 3 != 1 ? squares[col] : 0; }));
    }
    return all;
  }
  std::function<QueryBias(const Var&)> by_query(const PositionSizes& z, std::span<const Var> inputs, Grid,
                                                long layer) const override {
    const Var &weight = inputs[2 * layer], &bias = inputs[2 * layer + 1], &at = inputs[2 * z.depth];
    const Var& spread = inputs[2 * z.depth + 1 + layer];
    return [=](const Var& tokens) {
      const Var alpha = activate(in_full(linear(tokens, weight, bias)), Activation::softplus);
      return QueryBias{.a = linear(alpha, spread), .b = {}, .at = at.value()};
    };
  }
};

}  // namespace

PositionType pape_type() { return type_with_scale<Pape>("pape"); }
PositionType pape_ri_type() { return type_with_scale<PapeRi>("pape-ri"); }

}  // namespace lookhere
