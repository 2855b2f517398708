// Activations in f64, as their formulas have them.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/activation/activation.h"

namespace kernels {

inline constexpr Activation kEveryActivation[] = {Activation::gelu, Activation::silu, Activation::gelu_tanh,
                                                  Activation::quick_gelu, Activation::softplus};

struct ActivationOracle {
  double (*value)(double);
  double (*slope)(double);
};
inline ActivationOracle oracle_of(Activation function) {
  static constexpr auto cdf = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.)); };
  static constexpr auto density = [](double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); };
  static constexpr auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  if (function == Activation::gelu)
    return {[](double x) { return x * cdf(x); }, [](double x) { return cdf(x) + x * density(x); }};
  if (function == Activation::quick_gelu)
    return {[](double x) { return x * sigmoid(1.702 * x); },
            [](double x) {
              const double s = sigmoid(1.702 * x);
              return s + 1.702 * x * s * (1 - s);
            }};
  if (function == Activation::softplus)
    return {[](double x) { return std::max(x, 0.) + std::log1p(std::exp(-std::abs(x))); }, sigmoid};
  static constexpr auto inner = [](double x) { return std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); };
  if (function == Activation::gelu_tanh)
    return {[](double x) { return 0.5 * x * (1 + std::tanh(inner(x))); },
            [](double x) {
              const double cosh = std::cosh(inner(x)), d = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
              return 0.5 * (1 + std::tanh(inner(x))) + 0.5 * x / (cosh * cosh) * d;
            }};
  return {[](double x) { return x * sigmoid(x); },
          [](double x) { return sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x)); }};
}

}  // namespace kernels
