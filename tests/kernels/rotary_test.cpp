// Rotary embedding: the formula pair by pair, what stays as it is, and turning back.
#include "kernels/rotary.h"

#include "tests/kernels/cuda/contexts.h"

namespace lookhere {
namespace {

struct Sizes {
  long images, tokens, patches, heads, head_dim;
  long values() const { return images * tokens * 3 * heads * head_dim; }
};
// A quarter of a head below, at and above the width of a vector.
const Sizes kSizes[] = {{1, 1, 1, 1, 4},  {2, 5, 4, 3, 8},   {1, 7, 6, 2, 20},
                        {2, 4, 4, 1, 64}, {1, 4, 2, 2, 132}, {1, 3, 0, 2, 8}};

template <class T>
struct Angles {
  std::vector<Acc<T>> cos, sin;
  explicit Angles(const Sizes& z) {
    for (const double angle : random_values<double>(z.patches * z.head_dim / 2, 9, -3, 3))
      cos.push_back(static_cast<Acc<T>>(std::cos(angle))), sin.push_back(static_cast<Acc<T>>(std::sin(angle)));
  }
};

template <class Context, class T>
void turn(Context context, const Sizes& z, T* y, const T* x, const Angles<T>& angles, bool inverse) {
  kernels::rotary<T>(context, {.y = y,
                               .x = x,
                               .cos = angles.cos.data(),
                               .sin = angles.sin.data(),
                               .images = z.images,
                               .tokens = z.tokens,
                               .patches = z.patches,
                               .heads = z.heads,
                               .head_dim = z.head_dim,
                               .inverse = inverse});
}
template <class Context, class T>
std::vector<T> turned(Context context, const Sizes& z, const std::vector<T>& x, const Angles<T>& angles, bool inverse) {
  std::vector<T> y(x.size());
  turn(context, z, y.data(), x.data(), angles, inverse);
  return y;
}

TEST(Rotary, TurnsPairsOfQueriesAndKeys) {
  for_each_context([](auto context) {
    for_each_type_and_bf16([&]<class T>(T) {
      for (const Sizes& z : kSizes) {
        const std::vector<T> x = random_values<T>(z.values(), 1);
        const Angles<T> angles(z);
        std::vector<double> want(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) want[i] = as_f64(x[i]);
        const long quarter = z.head_dim / 4;
        for (long row = 0; row < z.images * z.tokens; ++row)
          for (long head = 0; head < 2 * z.heads; ++head)  // of q, then of k
            for (long i = 0; i < 2 * quarter; ++i) {
              const long patch = row % z.tokens - (z.tokens - z.patches);
              if (patch < 0) continue;
              const long a = (row * 3 * z.heads + head) * z.head_dim + i / quarter * 2 * quarter + i % quarter;
              const double c = angles.cos[patch * 2 * quarter + i], s = angles.sin[patch * 2 * quarter + i];
              const double p = as_f64(x[a]), q = as_f64(x[a + quarter]);
              want[a] = p * c - q * s, want[a + quarter] = q * c + p * s;
            }
        EXPECT_LE(worst_error(turned(context, z, x, angles, false), want), tolerance<T>(2));
        std::vector<T> back = turned(context, z, turned(context, z, x, angles, false), angles, true);
        EXPECT_LE(worst_error(back, x), 3 * tolerance<T>(4));
      }
    });
  });
}

// Angles of each head's own: as one head after the other, by themselves; their gradient by the formula in f64.
TEST(Rotary, TurnsEachHeadByItsOwn) {
  for_each_context_and_type([]<class T>(auto context, T) {
    for (const Sizes& z : kSizes) {
      const long half = z.head_dim / 2, width = z.heads * z.head_dim;
      const std::vector<T> x = random_values<T>(z.values(), 1), dy = random_values<T>(z.values(), 2);
      const Angles<T> angles({z.images, z.tokens, z.patches, 1, width});  // (patches, heads, half)
      std::vector<T> y(x.size());
      kernels::rotary<T>(context, {.y = y.data(),
                                   .x = x.data(),
                                   .cos = angles.cos.data(),
                                   .sin = angles.sin.data(),
                                   .images = z.images,
                                   .tokens = z.tokens,
                                   .patches = z.patches,
                                   .heads = z.heads,
                                   .head_dim = z.head_dim,
                                   .by_head = true});
      std::vector<Acc<T>> dangles(z.patches * width / 2, kNaN<Acc<T>>);
      kernels::rotary_angles<T>(context, {.dangles = dangles.data(),
                                          .dy = dy.data(),
                                          .y = y.data(),
                                          .images = z.images,
                                          .tokens = z.tokens,
                                          .patches = z.patches,
                                          .heads = z.heads,
                                          .head_dim = z.head_dim});
      std::vector<double> want(x.size()), dwant(dangles.size());
      for (std::size_t i = 0; i < x.size(); ++i) want[i] = as_f64(x[i]);
      for (long row = 0; row < z.images * z.tokens; ++row)
        for (long part = 0; part < 2; ++part)
          for (long i = 0; i < width / 2; ++i) {
            const long patch = row % z.tokens - (z.tokens - z.patches), in_head = i % half, quarter = half / 2;
            if (patch < 0) continue;
            const long a =
                (row * 3 + part) * width + i / half * z.head_dim + in_head / quarter * half + in_head % quarter;
            const double c = angles.cos[patch * width / 2 + i], s = angles.sin[patch * width / 2 + i];
            const double p = as_f64(x[a]), q = as_f64(x[a + quarter]);
            want[a] = p * c - q * s, want[a + quarter] = q * c + p * s;
            dwant[patch * width / 2 + i] +=
                as_f64(dy[a + quarter]) * as_f64(y[a]) - as_f64(dy[a]) * as_f64(y[a + quarter]);
          }
      EXPECT_LE(worst_error(y, want), tolerance<T>(2));
      EXPECT_LE(worst_error(dangles, dwant), 8 * kEpsilon<Acc<T>>);
    }
  });
}

TEST(Rotary, WorksInPlace) {
  for_each_context([](auto context) {
    for_each_type_and_bf16([&]<class T>(T) {
      const Sizes z{2, 6, 5, 3, 24};
      const std::vector<T> x = random_values<T>(z.values(), 1);
      const Angles<T> angles(z);
      std::vector<T> y = x;
      turn(context, z, y.data(), y.data(), angles, false);
      EXPECT_TRUE(same_bits(y, turned(context, z, x, angles, false)));
    });
  });
}

TEST(Rotary, ThreadsChangeNothing) {
  const Sizes z{3, 50, 49, 4, 16};
  const std::vector<float> x = random_values<float>(z.values(), 1);
  const Angles<float> angles(z);
  expect_same_for_any_threads([&] { return turned(Cpu{}, z, x, angles, false); });
}

}  // namespace
}  // namespace lookhere
