// NaN and infinities are found where they are.
#include "tensor/finite.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Finite, FindsTheFirst) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (const Dtype dtype : {Dtype::f32, Dtype::f64})
      for (const long at : {0, 5, 11}) {
        Tensor t = random({3, 4}, 1, Dtype::f64);
        for (long i = at; i < 12; i += 3) t.host<double>()[i] = bad;
        t = t.to(dtype);
        EXPECT_EQ(first_not_finite(t), at);
        EXPECT_ERROR(check_finite(t, "image ", 7), concat("image 7 is not finite at element ", at));
      }
  EXPECT_EQ(first_not_finite(zeros({0})), -1);
  EXPECT_EQ(first_not_finite(full({3}, 3e38)), -1);
  EXPECT_EQ(first_not_finite(full({3}, 1e39, Dtype::f64).to(Dtype::f32)), 0);
  EXPECT_ERROR(first_not_finite(zeros({1}, Dtype::i64)), "got i64");
}

}  // namespace
}  // namespace lookhere
