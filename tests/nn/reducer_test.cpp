// Gradients of shards add up to the same bits however shards are divided among ranks, in whatever order messages
// arrive, and each bucket leaves as soon as it is complete.
#include "nn/reducer.h"

#include <algorithm>
#include <set>

#include "tests/team.h"

namespace lookhere {
namespace {

TEST(ShardTree, AddsEveryShardOnce) {
  for (long shards = 1; shards < 40; ++shards) {
    std::vector<std::set<long>> sums(shards);
    for (long i = 0; i < shards; ++i) sums[i] = {i};
    for_each_pair(shards, [&](long to, long from) {
      for (const long shard : sums[from]) EXPECT_TRUE(sums[to].insert(shard).second);
      sums[from].clear();
    });
    EXPECT_EQ(static_cast<long>(sums[0].size()), shards);
  }
}

TEST(ShardTree, WhatARankCanAddAlone) {
  using Roots = std::vector<long>;
  EXPECT_EQ(roots_within({0, 8}, 8), Roots{0});
  EXPECT_EQ(roots_within({4, 8}, 8), Roots{4});
  EXPECT_EQ(roots_within({2, 4}, 8), Roots{2});
  EXPECT_EQ(roots_within({0, 3}, 6), (Roots{0, 2}));
  EXPECT_EQ(roots_within({3, 6}, 6), (Roots{3, 4}));
  EXPECT_EQ(roots_within({4, 5}, 5), Roots{4});
  EXPECT_EQ(roots_within({1, 7}, 8), (Roots{1, 2, 4, 6}));
}

constexpr long kParameters = 7;
std::vector<Parameter> parameters(Dtype dtype) {
  const Shape shapes[kParameters] = {{1, 1, 5}, {3, 7}, {3}, {2, 160}, {40, 3}, {3}, {1}};
  std::vector<Parameter> all;
  for (long k = 0; k < kParameters; ++k)
    all.push_back({concat("p", k), Var(random(shapes[k], k + 1).to(dtype), k != 4)});  // one is frozen
  return all;
}
Tensor gradient_of(long shard, long step, const Parameter& p) {
  const long number = p.name[1] - '0';
  return random(p.var.shape(), 1000 * step + 10 * shard + number).to(p.var.value().dtype());
}

struct Replicas {
  Replicas(long own, Dtype dtype) {
    for (long i = 0; i < own; ++i) arenas.emplace_back(parameters(dtype));
  }
  // All gradients of an own shard, in the order of a backward pass.
  void fill(GradientReducer& reducer, long i, long shard, long step) {
    const auto& slots = arenas[i].slots();
    for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
      Var var = slot->parameter.var;
      if (!var.requires_grad()) continue;
      const Tensor more = gradient_of(shard, step, slot->parameter);
      if (var.grad().defined()) {
        Tensor sum = var.grad().clone();
        for (long k = 0; k < sum.numel(); ++k)
          if (sum.dtype() == Dtype::f32)
            sum.host<float>()[k] += more.host<float>()[k];
          else
            sum.host<double>()[k] += more.host<double>()[k];
        var.set_grad(sum);
      } else {
        var.set_grad(more);
      }
      reducer.ready(i, var);
    }
  }
  std::vector<ParameterArena> arenas;
};

// The sums after `steps` batches that add to each other, of one rank.
std::vector<Tensor> sums(Communicator& team, long shards, Dtype dtype, long bucket_bytes, long steps = 2) {
  const ShardRange own = shard_range(shards, team.rank(), team.size());
  Replicas replicas(own.size(), dtype);
  GradientReducer reducer(replicas.arenas, shards, team, bucket_bytes);
  for (long step = 0; step < steps; ++step) {
    reducer.begin();
    for (long i = 0; i < own.size(); ++i) replicas.fill(reducer, i, own.begin + i, step);
    EXPECT_EQ(reducer.early_buckets(), reducer.buckets()) << "all were complete before the end";
    reducer.finish();
    for (long i = 1; i < own.size(); ++i)
      for (const auto& slot : replicas.arenas[i].slots()) EXPECT_FALSE(slot.parameter.var.grad().defined());
  }
  std::vector<Tensor> result;
  for (const auto& slot : replicas.arenas[0].slots()) {
    EXPECT_EQ(slot.parameter.var.grad().defined(), slot.parameter.var.requires_grad());
    if (slot.parameter.var.requires_grad()) result.push_back(slot.parameter.var.grad().clone());
  }
  return result;
}

TEST(GradientReducer, AnyNumberOfRanksGivesTheSameBits) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64})
    for (const long shards : {1, 2, 3, 4, 6, 8, 11}) {
      const std::vector<Tensor> one = sums(alone(), shards, dtype, 1);
      for (const long ranks : {2, 3, 4, 5, 8}) {
        if (ranks > shards) continue;
        for (const long bucket_bytes : {1, 100, 1000, 1 << 20}) {
          SCOPED_TRACE(concat(shards, " shards, ", ranks, " ranks, buckets of ", bucket_bytes));
          in_team(ranks, shards * ranks + bucket_bytes, [&](Communicator& team) {
            const std::vector<Tensor> got = sums(team, shards, dtype, bucket_bytes);
            EXPECT_TRUE(std::ranges::equal(got, one, same_bits)) << "rank " << team.rank();
          });
        }
      }
    }
}

// To rounding they are the sums, in double precision.
TEST(GradientReducer, AddsUp) {
  const std::vector<Tensor> got = sums(alone(), 5, Dtype::f64, 1, 1);
  const std::vector<Parameter> all = parameters(Dtype::f64);
  std::size_t next = 0;
  for (const Parameter& p : all) {
    if (!p.var.requires_grad()) continue;
    Tensor want = zeros(p.var.shape(), Dtype::f64);
    for (long shard = 0; shard < 5; ++shard) {
      const Tensor more = gradient_of(shard, 0, p);
      for (long k = 0; k < want.numel(); ++k) want.host<double>()[k] += more.host<double>()[k];
    }
    EXPECT_LE(max_relative_error(got[next++], want), 1e-12) << p.name;
  }
}

// Each rank sends what others add up and what it has added up itself: twice the gradients, less its own parts.
TEST(GradientReducer, SendsTwiceTheGradients) {
  const long bytes = [] {
    long sum = 0;
    for (const Parameter& p : parameters(Dtype::f32)) sum += p.var.requires_grad() ? p.var.value().bytes() : 0;
    return sum;
  }();
  for (const long ranks : {2, 4}) {
    std::vector<long> sent(ranks);
    in_team(ranks, 3, [&](Communicator& team) {
      Replicas replicas(8 / ranks, Dtype::f32);
      GradientReducer reducer(replicas.arenas, 8, team, 1 << 20);
      reducer.begin();
      for (long i = 0; i < 8 / ranks; ++i) replicas.fill(reducer, i, i, 0);
      reducer.finish();
      sent[team.rank()] = reducer.bytes_sent();
    });
    long all = 0;
    for (const long one : sent) all += one;
    const long gaps = 6 * 64;  // parameters begin on cache lines, and the frozen one lies between two
    EXPECT_GE(all, 2 * (ranks - 1) * bytes);
    EXPECT_LE(all, 2 * (ranks - 1) * (bytes + gaps + 480));
  }
}

// A bucket leaves while later gradients are still to come, and not before all shards have it.
TEST(GradientReducer, BucketsLeaveEarly) {
  in_team(2, 9, [&](Communicator& team) {
    Replicas replicas(2, Dtype::f32);
    GradientReducer reducer(replicas.arenas, 4, team, 1);  // a bucket for each parameter
    EXPECT_EQ(reducer.buckets(), kParameters - 1);
    reducer.begin();
    replicas.fill(reducer, 0, 0, 0);
    EXPECT_EQ(reducer.early_buckets(), 0) << "the other shard has none yet";
    Var last = replicas.arenas[1].slots()[3].parameter.var;  // of those with weight decay the last that is trained
    last.set_grad(gradient_of(1, 0, replicas.arenas[1].slots()[3].parameter));
    reducer.ready(1, last);
    EXPECT_EQ(reducer.early_buckets(), 1);
    for (const auto& slot : replicas.arenas[1].slots())
      if (slot.parameter.var.requires_grad()) Var(slot.parameter.var).set_grad(gradient_of(1, 0, slot.parameter));
    reducer.finish();
    EXPECT_EQ(reducer.early_buckets(), 1) << "the others were not said to be ready";
  });
}

// What GPUs add up among themselves, here by the team in the order of ranks: every rank has the same sum, the same to
// rounding as that of the tree, and what earlier batches left counts once.
TEST(GradientReducer, ADeviceSumAddsTheRanksSums) {
  const std::vector<Tensor> want = sums(alone(), 6, Dtype::f64, 1);
  std::vector<std::vector<Tensor>> got(3);
  in_team(3, 8, [&](Communicator& team) {
    const DeviceSum add_up = [&](const Tensor& gradients) {
      Tensor all = zeros({3, gradients.numel()}, Dtype::f64);
      all.rows(team.rank(), team.rank() + 1).copy_from(gradients.reshape({1, gradients.numel()}));
      team.share(all.host<std::byte>(), 3, all.bytes() / 3);
      for (long k = 0; k < gradients.numel(); ++k) {
        double sum = 0;
        for (long r = 0; r < 3; ++r) sum += all.host<double>()[r * gradients.numel() + k];
        gradients.host<double>()[k] = sum;
      }
    };
    Replicas replicas(2, Dtype::f64);
    GradientReducer reducer(replicas.arenas, 6, team, 1000, add_up);
    for (long step = 0; step < 2; ++step) {
      reducer.begin();
      for (long i = 0; i < 2; ++i) replicas.fill(reducer, i, 2 * team.rank() + i, step);
      reducer.finish();
    }
    EXPECT_EQ(reducer.bytes_sent(), 0);
    for (const auto& slot : replicas.arenas[0].slots())
      if (slot.parameter.var.requires_grad()) got[team.rank()].push_back(slot.parameter.var.grad().clone());
  });
  for (const auto& rank : got) {
    EXPECT_TRUE(std::ranges::equal(rank, got[0], same_bits));
    ASSERT_EQ(rank.size(), want.size());
    for (std::size_t k = 0; k < want.size(); ++k) EXPECT_LE(max_relative_error(rank[k], want[k]), 1e-12);
  }
}

TEST(GradientReducer, NeedsAShardForEachRank) {
  in_team(3, 9, [&](Communicator& team) {
    Replicas replicas(1, Dtype::f32);
    EXPECT_ERROR(GradientReducer(replicas.arenas, 2, team, 1), "shards: 2 are too few for 3 ranks");
  });
}

TEST(GradientReducer, EndsWhenARankIsLost) {
  expect_every_loss_is_told([](Communicator& team) { sums(team, 3, Dtype::f32, 1, 1); });
}

TEST(GradientReducer, NamesARankThatIsGone) {
  const auto one_leaves = [](Communicator& team) {
    Replicas replicas(1, Dtype::f32);
    GradientReducer reducer(replicas.arenas, 3, team, 1000);
    if (team.rank() == 1) return;
    reducer.begin();
    replicas.fill(reducer, 0, team.rank(), 0);
    EXPECT_ERROR(reducer.finish(), "rank 1 has sent nothing for 0.2 s");
  };
  in_team(3, 7, one_leaves, 0.2);
}

}  // namespace
}  // namespace lookhere
