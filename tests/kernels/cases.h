// What kernel tests share: random values, loops over both floating types, and LookHere heads of every kind.
#pragma once
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/attention/field_of_view.h"
#include "kernels/context.h"
#include "tests/testing.h"

namespace lookhere {

using kernels::Acc;
using kernels::bf16;
using kernels::Cpu;
using kernels::DistanceFrom;
using kernels::DistancePower;
using kernels::FieldOfView;
using kernels::Grid;
using kernels::LookHereHead;
using kernels::MaskFill;

template <class T>
constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr double kEpsilon = std::numeric_limits<T>::epsilon();
template <>
inline constexpr bf16 kNaN<bf16> = std::bit_cast<bf16>(std::uint16_t{0x7fc0});
template <>
inline constexpr double kEpsilon<bf16> = 0x1p-7;

// Also of bf16, which converts to float alone.
template <class T>
double as_f64(T value) {
  return static_cast<double>(static_cast<Acc<T>>(value));
}

// `rounding_errors` of the type that is summed in, and for bf16 the rounding of the result, half of kEpsilon.
template <class T>
double tolerance(double rounding_errors) {
  return rounding_errors * kEpsilon<Acc<T>> + (std::is_same_v<T, bf16> ? kEpsilon<bf16> / 2 : 0);
}

// f(T{}) for both types that the CPU kernels are compiled for.
template <class F>
void for_each_type(F f) {
  f(float{});
  f(double{});
}
// The same and bf16, for kernels of mixed precision.
template <class F>
void for_each_type_and_bf16(F f) {
  for_each_type(f);
  f(bf16{});
}

template <class T>
std::vector<T> random_values(long n, std::uint64_t seed, double low = -1, double high = 1) {
  Rng rng(seed, Purpose::test);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(static_cast<Acc<T>>(low + (high - low) * rng.uniform()));
  return values;
}

// max |got - want| / max(|want|, floor); NaN counts as infinite.
template <class A, class B>
double worst_error(const std::vector<A>& got, const std::vector<B>& want, double floor = 1) {
  EXPECT_EQ(got.size(), want.size());
  double worst = 0;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    const double w = as_f64(want[i]), error = std::abs(as_f64(got[i]) - w);
    worst = worse(worst, error / std::max(std::abs(w), floor));
  }
  return worst;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// The bytes of f()'s vector must not depend on the number of threads.
template <class F>
void expect_same_for_any_threads(F f) {
  const auto run = [&](int threads) {
    const Threads scope(threads);
    return f();
  };
  const auto one = run(1);
  EXPECT_TRUE(same_bits(one, run(2)));
  EXPECT_TRUE(same_bits(one, run(3)));
}

// Every direction as half-planes, and what it should see by its definition (Fuller et al. 2024, section 3).
struct Direction {
  const char* name;
  FieldOfView view;
  bool (*sees)(long dy, long dx);
};
inline const std::vector<Direction>& directions() {
  static const std::vector<Direction> all{
      {"all", {}, [](long, long) { return true; }},
      {"up", {{-1, 0}, {}}, [](long dy, long) { return dy <= 0; }},
      {"down", {{1, 0}, {}}, [](long dy, long) { return dy >= 0; }},
      {"left", {{0, -1}, {}}, [](long, long dx) { return dx <= 0; }},
      {"right", {{0, 1}, {}}, [](long, long dx) { return dx >= 0; }},
      {"diag_up_right", {{-1, 1}, {}}, [](long dy, long dx) { return dx >= dy; }},
      {"diag_up_left", {{-1, -1}, {}}, [](long dy, long dx) { return dx <= -dy; }},
      {"diag_down_right", {{1, 1}, {}}, [](long dy, long dx) { return dx >= -dy; }},
      {"diag_down_left", {{1, -1}, {}}, [](long dy, long dx) { return dx <= dy; }},
      {"tri_up", {{-1, -1}, {-1, 1}}, [](long dy, long dx) { return std::abs(dx) <= -dy; }},
      {"tri_down", {{1, -1}, {1, 1}}, [](long dy, long dx) { return std::abs(dx) <= dy; }},
      {"tri_left", {{-1, -1}, {1, -1}}, [](long dy, long dx) { return std::abs(dy) <= -dx; }},
      {"tri_right", {{-1, 1}, {1, 1}}, [](long dy, long dx) { return std::abs(dy) <= dx; }},
      {"up & left", {{-1, 0}, {0, -1}}, [](long dy, long dx) { return dy <= 0 && dx <= 0; }},
      {"up & right", {{-1, 0}, {0, 1}}, [](long dy, long dx) { return dy <= 0 && dx >= 0; }},
      {"down & left", {{1, 0}, {0, -1}}, [](long dy, long dx) { return dy >= 0 && dx <= 0; }},
      {"down & right", {{1, 0}, {0, 1}}, [](long dy, long dx) { return dy >= 0 && dx >= 0; }},
      {"tri_up & left", {{0, -1}, {-1, 1}}, [](long dy, long dx) { return std::abs(dx) <= -dy && dx <= 0; }},
      {"tri_up & right", {{0, 1}, {-1, -1}}, [](long dy, long dx) { return std::abs(dx) <= -dy && dx >= 0; }},
      {"tri_down & left", {{0, -1}, {1, 1}}, [](long dy, long dx) { return std::abs(dx) <= dy && dx <= 0; }},
      {"tri_down & right", {{0, 1}, {1, -1}}, [](long dy, long dx) { return std::abs(dx) <= dy && dx >= 0; }},
      {"tri_left & up", {{-1, 0}, {1, -1}}, [](long dy, long dx) { return std::abs(dy) <= -dx && dy <= 0; }},
      {"tri_left & down", {{1, 0}, {-1, -1}}, [](long dy, long dx) { return std::abs(dy) <= -dx && dy >= 0; }},
      {"tri_right & up", {{-1, 0}, {1, 1}}, [](long dy, long dx) { return std::abs(dy) <= dx && dy <= 0; }},
      {"tri_right & down", {{1, 0}, {-1, 1}}, [](long dy, long dx) { return std::abs(dy) <= dx && dy >= 0; }},
  };
  return all;
}
inline FieldOfView view_of(const std::string& name) {
  for (const Direction& direction : directions())
    if (direction.name == name) return direction.view;
  ADD_FAILURE() << "no direction " << name;
  return {};
}

// Every direction with the default distance, then every other choice of distance, power, fill and slope.
inline std::vector<LookHereHead> every_head() {
  std::vector<LookHereHead> heads;
  for (const Direction& direction : directions()) heads.push_back({.view = direction.view, .slope = 0.5});
  for (const FieldOfView& view : {FieldOfView{}, view_of("right"), view_of("tri_up & left")})
    for (const MaskFill fill : {MaskFill::inf, MaskFill::zero, MaskFill::max}) {
      heads.push_back({.view = view, .fill = fill, .slope = 0.25, .layer_slope = 1.5});
      heads.push_back({.view = view, .power = DistancePower::sqrt, .fill = fill, .slope = 0.25});
      heads.push_back({.view = view, .power = DistancePower::square, .fill = fill, .slope = 0.01});
      heads.push_back({.view = view, .power = DistancePower::manhattan, .fill = fill, .slope = 0.25});
      heads.push_back({.view = view, .from = DistanceFrom::nothing, .fill = fill, .slope = 0.25});
      heads.push_back({.view = view, .fill = fill, .slope = 0});  // a slope of 0 removes the mask, as the authors' does
    }
  for (const DistancePower power : {DistancePower::linear, DistancePower::sqrt, DistancePower::square})
    for (const FieldOfView& view : {FieldOfView{}, view_of("left"), view_of("tri_down")})
      heads.push_back({.view = view, .from = DistanceFrom::grid_center, .power = power, .slope = 0.25});
  heads.push_back({.view = view_of("up"), .slope = 0.3, .round_to_bf16 = false});
  return heads;
}

}  // namespace lookhere
