// One memory for all parameters: where each lies, who shares it, and what that leaves as it was.
#include "nn/arena.h"

#include <algorithm>

#include "nn/optim.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

std::vector<Parameter> parameters(Dtype dtype = Dtype::f32) {
  const std::pair<const char*, Shape> all[] = {
      {"cls_token", {1, 1, 5}}, {"head.weight", {3, 7}}, {"head.bias", {3}}, {"blocks.0.weight", {2, 16}}};
  std::vector<Parameter> result;
  for (const auto& [name, shape] : all) result.push_back({name, Var(random(shape, result.size() + 1).to(dtype), true)});
  return result;
}
std::vector<Tensor> copies_of(const std::vector<Parameter>& p) {
  std::vector<Tensor> copies;
  for (const Parameter& parameter : p) copies.push_back(parameter.var.value().clone());
  return copies;
}
void set_gradients(std::vector<Parameter>& p, double value) {
  for (Parameter& parameter : p)
    parameter.var.set_grad(full(parameter.var.shape(), value, parameter.var.value().dtype()));
}

TEST(ParameterArena, HoldsEveryParameterOnce) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    std::vector<Parameter> p = parameters(dtype);
    const std::vector<Tensor> before = copies_of(p);
    set_gradients(p, 3);
    const ParameterArena arena(p);
    ASSERT_EQ(arena.slots().size(), p.size());
    const std::vector<long> offsets{64, 0, 80, 32};  // weights that decay first, each on a cache line
    for (std::size_t k = 0; k < p.size(); ++k) {
      const ParameterArena::Slot& slot = arena.slots()[k];
      EXPECT_EQ(slot.parameter.name, p[k].name);
      EXPECT_EQ(slot.offset, offsets[k]);
      EXPECT_EQ(slot.decay, k % 2 == 1);
      EXPECT_TRUE(same_bits(p[k].var.value(), before[k])) << p[k].name;
      EXPECT_EQ(p[k].var.value().raw(), ParameterArena::part(arena.weights(), slot).raw());
      EXPECT_EQ(p[k].var.grad().raw(), ParameterArena::part(arena.gradients(), slot).raw());
      EXPECT_EQ(p[k].var.grad().to(Dtype::f64).host<double>()[2], 3);  // what was there stays
    }
    EXPECT_EQ(arena.weights().shape(), Shape{83});
    const std::vector<double> all = to_vector<double>(arena.weights().to(Dtype::f64));
    EXPECT_EQ(std::ranges::count(all, 0), 83 - 5 - 21 - 3 - 32);  // nothing in between
    EXPECT_EQ(arena.zeros().shape(), Shape{83});
  }
}

TEST(ParameterArena, OfTheSameParametersIsTheSameMemory) {
  const std::vector<Parameter> p = parameters();
  const ParameterArena first(p), second(p);
  EXPECT_EQ(first.weights().raw(), second.weights().raw());
  EXPECT_EQ(first.gradients().raw(), second.gradients().raw());
  // A replica shares the weights alone.
  std::vector<Parameter> replica;
  for (const Parameter& parameter : p) replica.push_back({parameter.name, Var(parameter.var.value(), true)});
  const ParameterArena third(replica);
  EXPECT_EQ(third.weights().raw(), first.weights().raw());
  EXPECT_NE(third.gradients().raw(), first.gradients().raw());
  // Other parameters do not, nor do these in another order.
  EXPECT_NE(ParameterArena(parameters()).weights().raw(), first.weights().raw());
  std::vector<Parameter> reversed(p.rbegin(), p.rend());
  const std::vector<Tensor> before = copies_of(reversed);
  EXPECT_NE(ParameterArena(reversed).weights().raw(), first.weights().raw());
  for (std::size_t k = 0; k < p.size(); ++k) EXPECT_TRUE(same_bits(reversed[k].var.value(), before[k]));
  EXPECT_EQ(ParameterArena({}).runs().size(), 0U);
}

TEST(ParameterArena, RunsSkipWhatHasNoGradient) {
  std::vector<Parameter> p = parameters();
  const ParameterArena arena(p);
  const auto runs = [&] {
    std::string text;
    for (const auto& [begin, end, decay, lr_scale] : arena.runs())
      text += concat(begin, "-", end, decay ? " decay " : " ");
    return text;
  };
  EXPECT_EQ(runs(), "");
  set_gradients(p, 1);
  EXPECT_EQ(runs(), "0-64 decay 64-83 ");
  p[1].var.clear_grad();
  EXPECT_EQ(runs(), "32-64 decay 64-83 ");
  p[0].var.clear_grad();
  EXPECT_EQ(runs(), "32-64 decay 80-83 ");
  set_gradients(p, 1);
  p[3].var.clear_grad();
  EXPECT_EQ(runs(), "0-21 decay 64-83 ");
}

TEST(ParameterArena, RunsEndWhereTheLearningRateChanges) {
  std::vector<Parameter> p = parameters();
  p[1].lr_scale = 0.5;
  set_gradients(p, 1);
  std::string text;
  for (const auto& run : ParameterArena(p).runs()) text += concat(run.begin, "-", run.end, " x ", run.lr_scale, " ");
  EXPECT_EQ(text, "0-21 x 0.5 32-64 x 1 64-83 x 1 ");
}

TEST(ParameterArena, TakesTheGradientsOfReplicas) {
  std::vector<Parameter> p = parameters();
  ParameterArena arena(p);
  std::vector<Parameter> q;
  for (const Parameter& parameter : p) q.push_back({parameter.name, Var(parameter.var.value(), true)});
  ParameterArena replica(q);
  const auto values = [&] {
    std::vector<float> first;
    for (const Parameter& parameter : p)
      first.push_back(parameter.var.grad().defined() ? parameter.var.grad().host<float>()[2] : NAN);
    return first;
  };
  std::fill_n(arena.gradients().host<float>(), arena.gradients().numel(), NAN);  // what a cleared buffer may hold
  set_gradients(q, 2);
  arena.take_gradients(replica);
  EXPECT_EQ(values(), (std::vector<float>{2, 2, 2, 2}));
  set_gradients(q, 5);
  q[1].var.clear_grad(), p[2].var.clear_grad();
  arena.take_gradients(replica);
  EXPECT_EQ(values(), (std::vector<float>{7, 2, 5, 7}));
  for (const Parameter& parameter : q) EXPECT_FALSE(parameter.var.grad().defined());
  arena.clear_gradients();
  arena.take_gradients(replica);
  for (const Parameter& parameter : p) EXPECT_FALSE(parameter.var.grad().defined());
}

// An optimizer whose parameters someone else moves later, or has moved before, is still theirs.
TEST(ParameterArena, OptimizersStayWithTheParameters) {
  std::vector<Parameter> p = parameters();
  AdamW first(p, {.ema_decay = 0.9});
  const std::byte* memory = p[0].var.value().raw();
  const ParameterArena arena(p);
  AdamW second(p, {});
  EXPECT_EQ(p[0].var.value().raw(), memory);
  const std::vector<Tensor> before = copies_of(p);
  set_gradients(p, 1);
  first.step(0.1);
  {
    const AdamW::UseEma averaged(first);  // the values change, not where they are
    EXPECT_EQ(p[0].var.value().raw(), memory);
  }
  set_gradients(p, 1);
  second.step(0.1);
  for (std::size_t k = 0; k < p.size(); ++k) EXPECT_FALSE(same_bits(p[k].var.value(), before[k]));
}

}  // namespace
}  // namespace lookhere
