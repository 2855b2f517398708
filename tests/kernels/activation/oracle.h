// Activations in f64, as their formulas have them.
#pragma once
#include <cmath>

#include "kernels/activation/activation.h"

namespace kernels {

inline constexpr Activation kEveryActivation[] = {Activation::gelu, Activation::silu};

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
  return {[](double x) { return x * sigmoid(x); },
          [](double x) { return sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x)); }};
}

}  // namespace kernels
