// The engine: accumulation, order, errors, and what happens to memory and to the stack.
#include "autograd/var.h"

#include "autograd/ops.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

Var leaf(const std::vector<double>& values, bool requires_grad = true) {
  return Var(from_vector(values, {static_cast<long>(values.size())}), requires_grad);
}
std::vector<double> grad_of(const Var& var) { return to_vector<double>(var.grad()); }
using Values = std::vector<double>;

TEST(Var, LeafAndResult) {
  const Var x = leaf({1, 2}), c = leaf({3, 4}, false);
  EXPECT_TRUE(x.requires_grad());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_STREQ(x.op(), "leaf");
  const Var y = multiply(x, c);
  EXPECT_STREQ(y.op(), "multiply");
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE(multiply(c, c).requires_grad());
  EXPECT_STREQ(Var().op(), "undefined");
  EXPECT_FALSE(Var().requires_grad());
  EXPECT_ERROR(Var().value(), "variable: read before it was given a value");
}

TEST(Var, Diamond) {
  const Var x = leaf({2, 3});
  const Var left = scale(x, 5), right = multiply(x, x);
  sum(multiply(left, right)).backward();  // 5x³
  EXPECT_EQ(grad_of(x), (Values{15 * 4, 15 * 9}));
}

// The longer path of the diamond must be finished before the node where both begin.
TEST(Var, UnevenDiamond) {
  const Var x = leaf({2});
  const Var y = scale(x, 3);
  Var longer = y;
  for (int i = 0; i < 5; ++i) longer = scale(longer, 2);
  add(longer, y).backward();
  EXPECT_EQ(grad_of(x), Values{3 * 33});
}

TEST(Var, InputUsedTwice) {
  const Var x = leaf({2, 3});
  sum(add(x, x)).backward();
  EXPECT_EQ(grad_of(x), (Values{2, 2}));
  const Var y = leaf({2, 3});
  sum(multiply(y, y)).backward();
  EXPECT_EQ(grad_of(y), (Values{4, 6}));
}

TEST(Var, SumsABroadcastGradient) {
  const Var x(random({2, 3, 4}, 1), true), b = leaf({1, 2, 3, 4}), scalar(full({}, 1, Dtype::f64), true);
  sum(add(add(x, b), scalar)).backward();
  EXPECT_EQ(grad_of(b), Values(4, 6));
  EXPECT_EQ(b.grad().shape(), (Shape{4}));
  EXPECT_EQ(grad_of(scalar), Values{24});
  EXPECT_EQ(scalar.grad().shape(), Shape{});
}

TEST(Var, OnlyWhatRequiresItGetsAGradient) {
  const Var x = leaf({1, 2}), c = leaf({3, 4}, false);
  const Var y = multiply(x, c);
  sum(y).backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(c.grad().defined());
  EXPECT_FALSE(y.grad().defined());  // not a leaf
}

TEST(Var, AccumulatesOverBackwardCalls) {
  const Var x = leaf({2, 3});
  sum(scale(x, 5)).backward();
  const Tensor first = x.grad();
  sum(multiply(x, x)).backward();
  EXPECT_EQ(grad_of(x), (Values{9, 11}));
  EXPECT_EQ(to_vector<double>(first), (Values{5, 5}));  // what someone else still holds is not added to
  Var handle = x;
  handle.clear_grad();
  EXPECT_FALSE(x.grad().defined());
  sum(x).backward();
  EXPECT_EQ(grad_of(x), (Values{1, 1}));
}

// add and residual pass dy on as it is: both gradients are one memory, and adding to one must not change the other.
TEST(Var, SharedGradientsStayApart) {
  const Var a = leaf({1, 2}), b = leaf({3, 4});
  sum(add(a, b)).backward();
  EXPECT_EQ(a.grad().raw(), b.grad().raw());
  sum(scale(a, 10)).backward();
  EXPECT_EQ(grad_of(a), (Values{11, 11}));
  EXPECT_EQ(grad_of(b), (Values{1, 1}));

  const Var x(random({1, 2, 3}, 1), true);
  const Var inner = scale(x, 1);
  const Var y = residual(inner, scale(inner, 2));  // inner gets dy itself, then more from the branch
  sum(add(y, x)).backward();                       // and x gets the same dy
  EXPECT_EQ(grad_of(x), Values(6, 4));
}

TEST(Var, ReshapeSharesMemorySafely) {
  const Var x = leaf({1, 2, 3, 4});
  const Var r = reshape(x, {2, 2});
  EXPECT_EQ(r.value().raw(), x.value().raw());
  sum(add(multiply(r, r), reshape(scale(x, 3), {2, 2}))).backward();
  EXPECT_EQ(grad_of(x), (Values{5, 7, 9, 11}));
}

TEST(Var, GraphIsUsedOnce) {
  const Var x = leaf({2});
  const Var y = scale(x, 3), loss = multiply(y, y);
  loss.backward();
  EXPECT_ERROR(loss.backward(), "backward: this graph has been used already");
  EXPECT_ERROR(scale(y, 2).backward(), "backward: the graph behind scale has been used already");
}

TEST(Var, LeafAsLoss) {
  const Var x = leaf({2});
  x.backward();
  scale(x, 3).backward();
  x.backward();
  EXPECT_EQ(grad_of(x), Values{5});
}

TEST(Var, BackwardErrors) {
  EXPECT_ERROR(leaf({1, 2}).backward(), "backward: wanted one element to differentiate, got shape [2]");
  EXPECT_ERROR(sum(leaf({1, 2}, false)).backward(), "nothing that leads to this value requires a gradient");
  EXPECT_ERROR(Var().backward(), "variable: read before it was given a value");
  const auto wrong = [](Grads grads) {
    const Var x = leaf({1, 2});
    Var::record("odd", full({1}, 0, Dtype::f64), {x}, [grads](const Tensor&) { return grads; }).backward();
  };
  EXPECT_ERROR(wrong({}), "odd: 1 inputs but 0 gradients");
  EXPECT_ERROR(wrong({random({3}, 1)}), "odd: gradient of shape [3] for an input of shape [2]");
}

TEST(Var, SetValue) {
  Var x = leaf({1, 2});
  x.set_value(from_vector<double>({5, 6}, {2}));
  EXPECT_EQ(to_vector<double>(x.value()), (Values{5, 6}));
  EXPECT_ERROR(x.set_value(zeros({3}, Dtype::f64)), "set_value: wanted shape [2], got [3]");
  Var y = scale(x, 2);
  EXPECT_ERROR(y.set_value(zeros({2}, Dtype::f64)), "set_value: only leaves can be given a value");
}

TEST(Var, NoGradRecordsNothing) {
  const Var x = leaf({2});
  {
    const NoGrad outer;
    const Tensor big = random({1000}, 1);
    const long before = Pool::of(Device::cpu).stats().in_use;
    Var y(big, true);
    for (int i = 0; i < 10; ++i) y = gelu(y);
    EXPECT_FALSE(y.requires_grad());
    EXPECT_EQ(Pool::of(Device::cpu).stats().in_use, before + 8192);  // the last result; nothing is kept for backward
    { const NoGrad inner; }
    EXPECT_FALSE(scale(x, 2).requires_grad());  // still off: the inner one restored what it found
  }
  EXPECT_TRUE(scale(x, 2).requires_grad());
}

constexpr long kChain = 100000;
Var chain(const Var& x, long length) {
  Var y = x;
  for (long i = 0; i < length; ++i) y = scale(y, 1);
  return y;
}

TEST(Var, LongChainDoesNotOverflowTheStack) {
  const Var x = leaf({3});
  chain(x, kChain).backward();
  EXPECT_EQ(grad_of(x), Values{1});
}
TEST(Var, LongChainIsDestroyedWithoutBackward) {
  const long before = Pool::of(Device::cpu).stats().in_use;
  {
    const Var y = chain(leaf({3}), kChain);
    const Var two_ends = add(chain(y, kChain / 10), chain(y, kChain / 10));
  }
  EXPECT_EQ(Pool::of(Device::cpu).stats().in_use, before);
}
TEST(Var, LongChainWhoseEndIsKept) {
  Var middle;
  {
    const Var x = leaf({3});
    middle = chain(x, kChain / 2);
    const Var end = chain(middle, kChain / 2);
  }
  middle.backward();  // destroying the end left the part that is still held alone
  EXPECT_ERROR(middle.backward(), "used already");
}

// A node's memory returns to the pool as soon as it has been used, not at the end of backward.
TEST(Var, BackwardFreesAsItGoes) {
  constexpr long kLength = 20, kBytes = 80 * 1024;
  Pool& pool = Pool::of(Device::cpu);
  const Var x(random({kBytes / 8}, 1), true);
  const long before = pool.stats().in_use;
  std::vector<long> in_use;
  Var y = x;
  for (long i = 0; i < kLength; ++i) {
    y = gelu(y);
    y = Var::record("probe", y.value(), {y}, [&](const Tensor& dy) {
      in_use.push_back(pool.stats().in_use - before);
      return Grads{dy};
    });
  }
  const Var loss = sum(std::exchange(y, Var()));
  EXPECT_GE(pool.stats().in_use - before, kLength * kBytes);
  pool.reset_peak();
  loss.backward();
  ASSERT_EQ(in_use.size(), static_cast<std::size_t>(kLength));
  for (long i = 1; i < kLength; ++i) EXPECT_EQ(in_use[i], in_use[i - 1] - kBytes) << i;
  EXPECT_LE(pool.stats().peak - before, (kLength + 3) * kBytes);
  EXPECT_LE(pool.stats().in_use - before, kBytes + 1024);  // x's gradient, and the loss
}

TEST(Var, SecondStepAllocatesNothing) {
  const Var x(random({3, 50, 20}, 1), true), w(random({40, 20}, 2), true);
  const auto step = [&] {
    Var(x).clear_grad(), Var(w).clear_grad();
    sum(gelu(linear(x, w))).backward();
  };
  step();
  step();  // here the gradients of the first step are still held when backward begins
  const long allocations = Pool::of(Device::cpu).stats().allocations;
  step();
  EXPECT_EQ(Pool::of(Device::cpu).stats().allocations, allocations);
}

}  // namespace
}  // namespace lookhere
