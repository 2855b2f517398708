// Linear layers and their gradients against sums in f64: every back end, every type, everything that is fused.
#include "kernels/gemm/own.h"

#include "tests/kernels/activation/oracle.h"
#include "tests/kernels/gemm/kinds.h"

namespace lookhere {
namespace {

using kernels::Acc;
using kernels::Activation;
using kernels::bf16;
using kernels::GemmBackend;

struct Sizes {
  long rows, in, out;
};
const Sizes kSizes[] = {{1, 1, 1},    {7, 3, 5},     {12, 64, 16},   {50, 33, 70},  {33, 1, 7},
                        {6, 0, 20},   {65, 48, 96},  {100, 700, 33}, {9, 601, 130}, {58, 5001, 20},
                        {1, 96, 500}, {2, 1600, 48}, {64, 40, 10}};

template <class T>
double number(T x) {
  return static_cast<double>(static_cast<Acc<T>>(x));
}
// As the kernel sees a weight.
template <class T>
double weight(Acc<T> w) {
  return number(static_cast<T>(w));
}
template <class T>
std::vector<T> values(long n, std::uint64_t seed) {
  std::vector<T> result;
  for (const auto x : random_values<Acc<T>>(n, seed)) result.push_back(static_cast<T>(x));
  return result;
}
template <class T>
std::vector<double> numbers(const std::vector<T>& v) {
  std::vector<double> result;
  for (const T x : v) result.push_back(number(x));
  return result;
}
// For results that are stored as R out of sums of n products of T.
template <class T, class R>
double tolerance(long n) {
  const double stored = std::is_same_v<R, bf16> ? 0x1p-8 : kEpsilon<Acc<R>>;
  return 4 * stored + 8 * kEpsilon<Acc<T>> * static_cast<double>(n + 1);
}

enum Wanted { kY = 1, kActivated = 2, kSum = 4, kSumInPlace = 8 };

template <class T>
struct LinearCase {
  Sizes sizes;
  bool bias, gamma, keep;
  Activation activation;
  long tokens() const { return sizes.rows % 3 == 0 ? 3 : 1; }  // rows per image
  std::vector<T> x = values<T>(sizes.rows * sizes.in, 1);
  std::vector<Acc<T>> w = values<Acc<T>>(sizes.out * sizes.in, 2), b = values<Acc<T>>(sizes.out, 3),
                      residual = values<Acc<T>>(sizes.rows * sizes.out, 4), g = values<Acc<T>>(sizes.out, 5),
                      k = values<Acc<T>>(sizes.rows / tokens(), 6);

  struct Result {
    std::vector<T> y, activated;
    std::vector<Acc<T>> sum;
  };
  Result run(int wanted, Engine engine) const {
    const long n = sizes.rows * sizes.out;
    const T nan = static_cast<T>(kNaN<Acc<T>>);
    Result r{std::vector<T>(n, nan), std::vector<T>(n, nan), std::vector<Acc<T>>(n, kNaN<Acc<T>>)};
    if (wanted & kSumInPlace) r.sum = residual;
    const bool sum = wanted & (kSum | kSumInPlace);
    engine(kernels::Linear<T>{.y = wanted & kY ? r.y.data() : nullptr,
                              .activated = wanted & kActivated ? r.activated.data() : nullptr,
                              .sum = sum ? r.sum.data() : nullptr,
                              .x = x.data(),
                              .w = w.data(),
                              .b = bias ? b.data() : nullptr,
                              .residual = !sum                   ? nullptr
                                          : wanted & kSumInPlace ? r.sum.data()
                                                                 : residual.data(),
                              .gamma = gamma ? g.data() : nullptr,
                              .keep = keep ? k.data() : nullptr,
                              .rows = sizes.rows,
                              .in = sizes.in,
                              .out = sizes.out,
                              .tokens = tokens(),
                              .activation = activation});
    return r;
  }
  // In f64: y, its activation and the sum.
  std::vector<double> want[3] = {};
  void compute() {
    for (long r = 0; r < sizes.rows; ++r)
      for (long o = 0; o < sizes.out; ++o) {
        double y = bias ? number(b[o]) : 0;
        for (long i = 0; i < sizes.in; ++i) y += number(x[r * sizes.in + i]) * weight<T>(w[o * sizes.in + i]);
        want[0].push_back(y);
        want[1].push_back(kernels::oracle_of(activation).value(y));
        want[2].push_back(number(residual[r * sizes.out + o]) +
                          (gamma ? number(g[o]) : 1) * y * (keep ? number(k[r / tokens()]) : 1));
      }
  }
};

TEST(Linear, WritesWhateverIsWanted) {
  for_each_kind_and_bf16([]<class T>(T, Engine engine) {
    for (const Sizes& sizes : kSizes)
      for (const int wanted : {int{kY}, int{kActivated}, int{kSum}, int{kSumInPlace}, kY | kActivated, kY | kSum,
                               kActivated | kSum, kY | kActivated | kSumInPlace}) {
        const bool odd = (sizes.in + wanted) % 2 == 1;
        LinearCase<T> c{.sizes = sizes,
                        .bias = odd,
                        .gamma = wanted >= kSum && odd,
                        .keep = wanted >= kSum && !odd,
                        .activation = odd ? Activation::silu : Activation::gelu};
        c.compute();
        const auto got = c.run(wanted, engine);
        const auto name = std::string(engine.name()) + " " + std::to_string(sizes.rows) + " " +
                          std::to_string(sizes.in) + " " + std::to_string(sizes.out) + " wanted " +
                          std::to_string(wanted) + " of " + std::to_string(sizeof(T)) + " bytes";
        if (wanted & kY) {
          EXPECT_LT(worst_error(numbers(got.y), c.want[0]), (tolerance<T, T>(sizes.in))) << name;
        }
        if (wanted & kActivated) {
          EXPECT_LT(worst_error(numbers(got.activated), c.want[1]), (tolerance<T, T>(sizes.in))) << name;
        }
        if (wanted >= kSum) {
          EXPECT_LT(worst_error(numbers(got.sum), c.want[2]), (tolerance<T, Acc<T>>(sizes.in))) << name;
        }
      }
  });
}

TEST(Linear, OwnGivesTheSameBitsForAnyThreads) {
  const auto check = []<class T>(T) {
    for (const Sizes& sizes : {Sizes{201, 70, 333}, {66, 5001, 75}})
      for (const int wanted : {int{kY}, int{kSumInPlace}, kY | kActivated | kSum}) {
        const LinearCase<T> c{
            .sizes = sizes, .bias = true, .gamma = true, .keep = true, .activation = Activation::gelu};
        expect_same_for_any_threads([&] { return c.run(wanted, Engine{GemmBackend::own}).y; });
        expect_same_for_any_threads([&] { return c.run(wanted, Engine{GemmBackend::own}).activated; });
        expect_same_for_any_threads([&] { return c.run(wanted, Engine{GemmBackend::own}).sum; });
      }
  };
  check(float{});
  check(bf16{});
}

TEST(Linear, InputGradient) {
  for_each_kind_and_bf16([]<class T>(T, Engine engine) {
    for (const auto& [rows, out, in] : kSizes)  // the sums are over `out`, which is the long one here
      for (const std::optional<Activation> activation :
           {std::optional<Activation>(), {Activation::gelu}, {Activation::silu}}) {
        const std::vector<T> dy = values<T>(rows * out, 1), pre = values<T>(rows * in, 2);
        const std::vector<Acc<T>> w = values<Acc<T>>(out * in, 3);
        std::vector<double> want;
        for (long r = 0; r < rows; ++r)
          for (long i = 0; i < in; ++i) {
            double dx = 0;
            for (long o = 0; o < out; ++o) dx += number(dy[r * out + o]) * weight<T>(w[o * in + i]);
            want.push_back(activation ? dx * kernels::oracle_of(*activation).slope(number(pre[r * in + i])) : dx);
          }
        const auto run = [&, rows = rows, in = in, out = out] {
          std::vector<T> dx(rows * in, static_cast<T>(kNaN<Acc<T>>));
          engine(kernels::LinearInputGradient<T>{.dx = dx.data(),
                                                 .dy = dy.data(),
                                                 .w = w.data(),
                                                 .pre = activation ? pre.data() : nullptr,
                                                 .rows = rows,
                                                 .in = in,
                                                 .out = out,
                                                 .activation = activation.value_or(Activation{})});
          return dx;
        };
        EXPECT_LT(worst_error(numbers(run()), want), (tolerance<T, T>(out)))
            << engine.name() << " " << rows << " " << in << " " << out << " "
            << (activation ? name_of(*activation) : "none");
        if (engine.is_own()) expect_same_for_any_threads(run);
      }
  });
}

TEST(Linear, WeightGradient) {
  for_each_kind_and_bf16([]<class T>(T, Engine engine) {
    for (const auto& [out, rows, in] : kSizes)  // the sums are over the rows
      for (const bool accumulate : {false, true})
        for (const bool with_db : {false, true}) {
          const std::vector<T> dy = values<T>(rows * out, 1), x = values<T>(rows * in, 2);
          const std::vector<Acc<T>> dw0 = values<Acc<T>>(out * in, 3), db0 = values<Acc<T>>(out, 4);
          std::vector<double> want(out * in), want_db(out);
          for (long o = 0; o < out; ++o) {
            for (long i = 0; i < in; ++i) {
              double& sum = want[o * in + i] = accumulate ? number(dw0[o * in + i]) : 0;
              for (long r = 0; r < rows; ++r) sum += number(dy[r * out + o]) * number(x[r * in + i]);
            }
            want_db[o] = accumulate || !with_db ? number(db0[o]) : 0;
            for (long r = 0; r < rows && with_db; ++r) want_db[o] += number(dy[r * out + o]);
          }
          std::vector<Acc<T>> db;
          const auto run = [&, rows = rows, in = in, out = out] {
            std::vector<Acc<T>> dw = accumulate ? dw0 : std::vector<Acc<T>>(out * in, kNaN<Acc<T>>);
            db = db0;
            engine(kernels::LinearWeightGradient<T>{.dw = dw.data(),
                                                    .db = with_db ? db.data() : nullptr,
                                                    .dy = dy.data(),
                                                    .x = x.data(),
                                                    .rows = rows,
                                                    .in = in,
                                                    .out = out,
                                                    .accumulate = accumulate});
            return dw;
          };
          const auto name = std::string(engine.name()) + " " + std::to_string(rows) + " " + std::to_string(in) + " " +
                            std::to_string(out) + " accumulate " + std::to_string(accumulate);
          EXPECT_LT(worst_error(numbers(run()), want), (tolerance<T, Acc<T>>(rows))) << name;
          EXPECT_LT(worst_error(numbers(db), want_db), (tolerance<T, Acc<T>>(rows))) << name;
          if (engine.is_own()) {
            expect_same_for_any_threads(run);
            expect_same_for_any_threads([&] { return run(), db; });
          }
        }
  });
}

}  // namespace
}  // namespace lookhere
