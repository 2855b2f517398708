// The engine: accumulation, order, errors, and what happens to memory and to the stack.
#include "autograd/var.h"

#include "autograd/ops.h"
#include "tensor/pool.h"
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

// Whoever sends gradients away while others are computed must not get one that is still to grow.
TEST(Var, SaysWhenALeafHasAllOfItsGradient) {
  const Var early = leaf({1, 2}), often = leaf({3, 4}), twice = leaf({5, 6}), fixed = leaf({7, 8}, false),
            none = leaf({9, 9});
  // `often` is used at both ends, so it comes last although an operation near the loss has it as well.
  const Var first = multiply(multiply(often, fixed), early), last = multiply(add(first, multiply(twice, twice)), often);
  const Var ignoring = Var::record("ignoring", last.value(), {last, none}, [](const Tensor& dy) {
    return Grads{dy, Tensor()};  // of the second input there is nothing
  });
  std::vector<Var> told;
  std::vector<Values> then;
  sum(ignoring).backward([&](const Var& var) {
    told.push_back(var);
    then.push_back(var.grad().defined() ? grad_of(var) : Values{});
  });
  ASSERT_EQ(told.size(), 4U) << "each once, and only those that want a gradient";
  const auto place = [&](const Var& wanted) {
    long at = 0;
    while (at < 4 && told[at].value().host<double>() != wanted.value().host<double>()) ++at;
    return at;
  };
  EXPECT_EQ((Values{double(place(none)), double(place(often)), double(place(fixed))}), (Values{0, 3, 4}));
  for (const Var& var : {early, often, twice}) EXPECT_EQ(then.at(place(var)), grad_of(var));
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

// -- Gradients in place
// y = x·factor, whose gradient is put where the engine says; `seen` gets what it said.
struct Seen {
  bool target, accumulate;
  bool operator==(const Seen&) const = default;
};
Var scale_into(const Var& x, double factor, std::vector<Seen>& seen) {
  Tensor y = x.value().clone();
  for (long i = 0; i < y.numel(); ++i) y.host<double>()[i] *= factor;
  return Var::record("scale_into", y, {x}, [=, &seen](const Tensor& dy, const GradTargets& into) {
    seen.push_back({into[0].tensor.defined(), into[0].accumulate});
    const Tensor dx = into[0].to_add(dy);
    for (long i = 0; i < dx.numel(); ++i)
      dx.host<double>()[i] = dy.host<double>()[i] * factor + (into[0].accumulate ? dx.host<double>()[i] : 0);
    return Grads{dx};
  });
}

TEST(Var, OperationsAddToInnerGradients) {
  const Var x = leaf({2, 3});
  std::vector<Seen> seen;
  const Var y = scale(x, 1);
  const Var early = scale_into(y, 5, seen);
  const Var late = multiply(y, y);  // goes back first
  sum(add(early, late)).backward();
  EXPECT_EQ(grad_of(x), (Values{9, 11}));
  EXPECT_EQ(seen, (std::vector<Seen>{{true, true}}));

  seen.clear();
  const Var a = leaf({2, 3});
  const Var b = scale(a, 1);
  const Var product = multiply(b, b);
  sum(add(product, scale_into(b, 5, seen))).backward();  // and here nothing is there yet
  EXPECT_EQ(grad_of(a), (Values{9, 11}));
  EXPECT_EQ(seen, (std::vector<Seen>{{false, false}}));
}

// add passes on one memory twice, so y's gradient is also that of z: it must not be added to.
TEST(Var, OperationsDoNotAddToSharedGradients) {
  const Var x = leaf({2, 3}), z = leaf({4, 5});
  std::vector<Seen> seen;
  const Var y = scale(x, 1);
  const Var w = scale(z, 1);
  const Var branch = scale_into(y, 5, seen);
  sum(add(branch, add(y, w))).backward();
  EXPECT_EQ(grad_of(x), (Values{6, 6}));
  EXPECT_EQ(grad_of(z), (Values{1, 1}));
  EXPECT_EQ(seen, (std::vector<Seen>{{false, false}}));
}

TEST(Var, LeavesCollectInTheirBuffer) {
  const Tensor arena = full({4}, NAN, Dtype::f64);  // what a buffer holds before does not matter
  Var x = leaf({2, 3});
  x.set_grad_buffer(arena.view(1, {2}));
  EXPECT_FALSE(x.grad().defined());
  std::vector<Seen> seen;
  for (int round = 0; round < 2; ++round) {
    seen.clear();
    sum(scale_into(x, 5, seen)).backward();
    EXPECT_EQ(x.grad().raw(), arena.raw() + 8);
    EXPECT_EQ(grad_of(x), (Values{5, 5}));
    sum(multiply(x, x)).backward();  // an operation that knows no targets, and an input used twice
    EXPECT_EQ(grad_of(x), (Values{9, 11}));
    sum(scale_into(x, -1, seen)).backward();
    EXPECT_EQ(grad_of(x), (Values{8, 10}));
    EXPECT_EQ(seen, (std::vector<Seen>{{true, false}, {true, true}}));
    EXPECT_EQ(x.grad().raw(), arena.raw() + 8);
    x.clear_grad();
    EXPECT_FALSE(x.grad().defined());
    arena.host<double>()[1] = NAN;
  }
  EXPECT_TRUE(std::isnan(arena.host<double>()[0]) && std::isnan(arena.host<double>()[3]));  // nothing beside it
  x.set_grad(from_vector<double>({7, 7}, {2}));
  EXPECT_EQ(arena.host<double>()[2], 7);
  sum(x).backward();
  EXPECT_EQ(grad_of(x), (Values{8, 8}));
  EXPECT_EQ(x.grad().raw(), arena.raw() + 8);

  Var late = leaf({2, 3});
  sum(scale(late, 5)).backward();
  late.set_grad_buffer(arena.view(0, {2}));  // takes over what there is
  EXPECT_EQ(arena.host<double>()[1], 5);
  sum(late).backward();
  EXPECT_EQ(grad_of(late), (Values{6, 6}));
  Var loss = leaf({2});
  loss.set_grad_buffer(arena.view(0, {1}));
  loss.backward();
  loss.backward();
  EXPECT_EQ(arena.host<double>()[0], 2);
  EXPECT_ERROR(loss.set_grad_buffer(zeros({3})), "set_grad_buffer: wanted shape [1], got [3]");
  EXPECT_ERROR(scale(loss, 1).set_grad_buffer(zeros({1})), "set_grad_buffer: only leaves keep their gradient");
}

// The second use must not take the first one's gradient for an older one, nor overwrite it.
TEST(Var, AnInputUsedTwiceHasOneTarget) {
  for (const bool buffered : {false, true}) {
    Var square(random({3, 3}, 1), true), x(square.value(), true), w(square.value(), true);
    if (buffered) square.set_grad_buffer(full({3, 3}, NAN, Dtype::f64));
    sum(linear(x, w)).backward();
    for (int uses = 1; uses <= 2; ++uses) {
      sum(linear(square, square)).backward();
      for (long i = 0; i < 9; ++i) EXPECT_NEAR(grad_of(square)[i], uses * (grad_of(x)[i] + grad_of(w)[i]), 1e-14) << i;
    }
  }
}

// The same gradients with buffers as without, from layers that write into them, and twice the sum from two passes.
TEST(Var, LayersGiveTheSameGradientsInPlace) {
  const std::vector<Tensor> values{random({2, 5, 6}, 1), random({6, 6}, 2), random({6}, 3),
                                   random({6}, 4),       random({6}, 5),    random({6}, 6)};
  const auto pass = [&](const std::vector<Var>& v) {
    const Var normed = layer_norm(v[0], v[2], v[3], 1e-6F);
    const Var branch = linear(normed, v[1], v[4]);
    sum(gelu(residual(linear(branch, v[1]), branch, v[5]))).backward();
  };
  std::vector<Var> plain, buffered;
  for (const Tensor& value : values) {
    plain.emplace_back(value, true), buffered.emplace_back(value, true);
    buffered.back().set_grad_buffer(full(value.shape(), NAN, Dtype::f64));
  }
  pass(plain), pass(buffered);
  for (std::size_t k = 0; k < values.size(); ++k)
    EXPECT_LE(max_relative_error(buffered[k].grad(), plain[k].grad()), 1e-13) << k;
  pass(buffered);
  for (std::size_t k = 0; k < values.size(); ++k)
    for (long i = 0; i < values[k].numel(); ++i)
      EXPECT_NEAR(grad_of(buffered[k])[i], 2 * grad_of(plain[k])[i], 1e-12) << k;
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
  const Tensor memory = x.value();
  x.set_value(from_vector<double>({5, 6}, {2}));
  EXPECT_EQ(to_vector<double>(x.value()), (Values{5, 6}));
  EXPECT_EQ(memory.raw(), x.value().raw());
  EXPECT_ERROR(x.set_value(zeros({3}, Dtype::f64)), "set_value: wanted f64 [2], got f64 [3]");
  EXPECT_ERROR(x.set_value(zeros({2})), "set_value: wanted f64 [2], got f32 [2]");
  const Tensor elsewhere = zeros({5}, Dtype::f64);
  x.move_value(elsewhere.view(2, {2}));
  EXPECT_EQ(to_vector<double>(elsewhere), (Values{0, 0, 5, 6, 0}));
  x.set_value(from_vector<double>({7, 8}, {2}));
  EXPECT_EQ(to_vector<double>(elsewhere), (Values{0, 0, 7, 8, 0}));
  EXPECT_EQ(to_vector<double>(memory), (Values{5, 6}));
  Var y = scale(x, 2);
  EXPECT_ERROR(y.set_value(zeros({2}, Dtype::f64)), "set_value: only leaves can be given a value");
  EXPECT_ERROR(y.move_value(zeros({2}, Dtype::f64)), "move_value: only leaves have memory of their own");
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
