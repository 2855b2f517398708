// Parabolas as features: their products are the formula by offsets, what is not a feature stays, and the gradient is
// that of the formula.
#include "kernels/parabola.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

using kernels::kParabolaFeatures;

struct Sizes {
  long images, tokens, heads, head_dim;
  long packed() const { return images * tokens * 3 * heads; }
};
const Sizes kSizes[] = {{1, 1, 1, 1}, {2, 5, 3, 4}, {1, 9, 2, 33}};

template <class T>
struct Inputs {
  std::vector<T> x, a, b, at;
  explicit Inputs(const Sizes& z)
      : x(random_values<T>(z.packed() * z.head_dim, 1)),
        a(random_values<T>(z.images * z.tokens * z.heads * 3, 2)),
        b(random_values<T>(z.images * z.tokens * z.heads * 2, 3)),
        at(random_values<T>(2 * z.tokens, 4, -8, 8)) {}
  template <class Context>
  std::vector<T> wide(Context context, const Sizes& z, bool with_b) const {
    std::vector<T> y(z.packed() * (z.head_dim + kParabolaFeatures), kNaN<T>);
    kernels::parabola<T>(context, {.y = y.data(),
                                   .x = x.data(),
                                   .a = a.data(),
                                   .b = with_b ? b.data() : nullptr,
                                   .at = at.data(),
                                   .images = z.images,
                                   .tokens = z.tokens,
                                   .heads = z.heads,
                                   .head_dim = z.head_dim});
    return y;
  }
};

TEST(Parabola, LogitsAreTheFormula) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const Sizes& z : kSizes)
        for (const bool with_b : {true, false}) {
          const Inputs<T> in(z);
          const std::vector<T> y = in.wide(context, z, with_b);
          const long wide = z.head_dim + kParabolaFeatures, row = 3 * z.heads;
          for (long i = 0; i < z.images * z.tokens; ++i)
            for (long j = i / z.tokens * z.tokens; j < (i / z.tokens + 1) * z.tokens; ++j)
              for (long h = 0; h < z.heads; ++h) {
                const T *q = &y[(i * row + h) * wide], *k = &y[(j * row + z.heads + h) * wide];
                double got = 0, product = 0;
                for (long d = 0; d < wide; ++d) got += as_f64(q[d]) * as_f64(k[d]);
                for (long d = 0; d < z.head_dim; ++d)
                  product += as_f64(in.x[(i * row + h) * z.head_dim + d]) *
                             as_f64(in.x[(j * row + z.heads + h) * z.head_dim + d]);
                const double x = as_f64(in.at[i % z.tokens * 2]) - as_f64(in.at[j % z.tokens * 2]);
                const double yy = as_f64(in.at[i % z.tokens * 2 + 1]) - as_f64(in.at[j % z.tokens * 2 + 1]);
                const T *a = &in.a[(i * z.heads + h) * 3], *b = &in.b[(i * z.heads + h) * 2];
                double bias = -(as_f64(a[0]) * x * x + 2 * as_f64(a[1]) * x * yy + as_f64(a[2]) * yy * yy);
                if (with_b) bias += as_f64(b[0]) * x + as_f64(b[1]) * yy;
                const double dim = static_cast<double>(z.head_dim);
                EXPECT_NEAR(got / std::sqrt(dim + 6), (product + bias) / std::sqrt(dim), 2000 * kEpsilon<T>);
              }
          for (long i = 0; i < z.images * z.tokens; ++i)
            for (long h = 0; h < z.heads; ++h)
              for (long d = 0; d < wide; ++d)
                EXPECT_EQ(y[(i * row + 2 * z.heads + h) * wide + d],
                          d < z.head_dim ? in.x[(i * row + 2 * z.heads + h) * z.head_dim + d] : 0);
        }
    });
  });
}

// It is linear in x, a and b together, but for the keys' features: the gradient is its transpose.
TEST(Parabola, GradientIsTheTranspose) {
  for_each_context([](auto context) {
    for_each_type([&]<class T>(T) {
      for (const Sizes& z : kSizes)
        for (const bool with_b : {true, false}) {
          const Inputs<T> in(z);
          const long wide = z.head_dim + kParabolaFeatures;
          std::vector<T> dy = random_values<T>(z.packed() * wide, 5);
          std::vector<T> dx(in.x.size(), kNaN<T>), da(in.a.size(), kNaN<T>), db(in.b.size(), kNaN<T>);
          kernels::parabola_backward<T>(context, {.dx = dx.data(),
                                                  .da = da.data(),
                                                  .db = with_b ? db.data() : nullptr,
                                                  .dy = dy.data(),
                                                  .at = in.at.data(),
                                                  .images = z.images,
                                                  .tokens = z.tokens,
                                                  .heads = z.heads,
                                                  .head_dim = z.head_dim});
          const std::vector<T> y = in.wide(context, z, with_b);
          double forward = 0, backward = 0;
          for (long i = 0; i < z.packed(); ++i)
            for (long d = 0; d < wide; ++d)
              if (d < z.head_dim || i / z.heads % 3 == 0) forward += as_f64(y[i * wide + d]) * as_f64(dy[i * wide + d]);
          const auto add = [&](const std::vector<T>& v, const std::vector<T>& dv) {
            for (std::size_t i = 0; i < v.size(); ++i) backward += as_f64(v[i]) * as_f64(dv[i]);
          };
          add(in.x, dx), add(in.a, da);
          if (with_b) add(in.b, db);
          EXPECT_NEAR(backward, forward, 1e4 * kEpsilon<T>);
        }
    });
  });
}

TEST(Parabola, ThreadsChangeNothing) {
  const Sizes z{3, 50, 4, 16};
  const Inputs<float> in(z);
  expect_same_for_any_threads([&] { return in.wide(Cpu{}, z, true); });
}

}  // namespace
}  // namespace lookhere
