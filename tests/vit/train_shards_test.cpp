// A batch in shards has the gradient of the batch, to rounding, however it is divided.
#include "vit/train/shards.h"

#include <algorithm>

#include "tests/testing.h"

namespace lookhere {
namespace {

ViTConfig small_config() {
  ViTConfig c;
  c.height = c.width = 16, c.patch = 4, c.channels = 2, c.classes = 5, c.dim = 24, c.depth = 2, c.heads = 3;
  c.position = position_preset("lh90");
  return c;
}

struct Example {
  Tensor images, labels;
};
Example example(long count) {
  Example e{.images = random({count, 2, 16, 16}, 3, Dtype::f32), .labels = empty({count}, Dtype::i64)};
  for (long i = 0; i < count; ++i) e.labels.host<i64>()[i] = i * 2 % 5;
  return e;
}

Var loss_of(const Var& logits, const Tensor& labels) { return softmax_cross_entropy(logits, labels, 0.1); }

std::vector<Tensor> take_gradients(ViT& model) {
  std::vector<Tensor> gradients;
  for (Parameter& p : parameters_of(model)) {
    gradients.push_back(p.var.grad().clone());
    p.var.clear_grad();
  }
  return gradients;
}
void expect_close(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance = 2e-5) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    double largest = 1e-6;  // relative to the tensor's largest element
    for (const float value : to_vector<float>(b[k])) largest = std::max<double>(largest, std::abs(value));
    EXPECT_LE(max_relative_error(a[k], b[k], largest), tolerance) << "parameter " << k;
  }
}

TEST(Shards, RangesCoverEverythingOnce) {
  for (const long size : {1, 2, 7, 8, 100})
    for (const long n : {1, 2, 3, 8, 11}) {
      long next = 0, longest = 0, shortest = size;
      for (long i = 0; i < n; ++i) {
        const auto [begin, end] = shard_range(size, i, n);
        EXPECT_EQ(begin, next);
        next = end, longest = std::max(longest, end - begin), shortest = std::min(shortest, end - begin);
      }
      EXPECT_EQ(next, size);
      EXPECT_LE(longest - shortest, 1) << size << " in " << n;
    }
}

TEST(Shards, GradientsAreThoseOfTheWholeBatch) {
  for (const long count : {1, 2, 7, 8}) {  // with 7 and 8 images uneven shards, with few images empty ones
    const Example e = example(count);
    ViT model(small_config(), 5);
    const Var loss = loss_of(model(Var(e.images)), e.labels);
    loss.backward();
    const double plain = softmax_cross_entropy(model(Var(e.images)), e.labels).value().item();
    EXPECT_GT(std::abs(plain - loss.value().item()), 1e-4) << "smoothing makes a difference";
    const std::vector<Tensor> whole = take_gradients(model);
    for (const long shards : {1, 2, 3, 5, 9}) {
      SCOPED_TRACE(concat(count, " images in ", shards, " shards"));
      ShardedModel sharded(model, shards);
      EXPECT_EQ(sharded.shards(), shards);
      const auto losses = sharded.accumulate_gradients(e.images, e.labels, {}, 1, loss_of);
      EXPECT_NEAR(losses.trained, loss.value().item(), 1e-5);
      EXPECT_NEAR(losses.cross_entropy, plain, 1e-5);
      const std::vector<Tensor> parts = take_gradients(model);
      expect_close(parts, whole);
      // Two halves of weight add up to the whole, and a second time gives the same bits.
      sharded.accumulate_gradients(e.images, e.labels, {}, 0.5, loss_of);
      sharded.accumulate_gradients(e.images, e.labels, {}, 0.5, loss_of);
      expect_close(take_gradients(model), whole);
      sharded.accumulate_gradients(e.images, e.labels, {}, 1, loss_of);
      EXPECT_TRUE(std::ranges::equal(take_gradients(model), parts, same_bits));
    }
  }
}

// Loading a checkpoint gives the model new tensors: the replicas must not go on with the old ones.
TEST(Shards, FollowTheModelsWeights) {
  const Example e = example(6);
  ViT model(small_config(), 5), other(small_config(), 6);
  ShardedModel sharded(model, 2);
  sharded.accumulate_gradients(e.images, e.labels, {}, 1, loss_of);
  take_gradients(model);
  std::vector<Parameter> to = parameters_of(model), from = parameters_of(other);
  for (std::size_t k = 0; k < to.size(); ++k) to[k].var.set_value(from[k].var.value().clone());
  const auto got = sharded.accumulate_gradients(e.images, e.labels, {}, 1, loss_of);
  const auto want = ShardedModel(other, 2).accumulate_gradients(e.images, e.labels, {}, 1, loss_of);
  EXPECT_EQ(got.trained, want.trained);
  EXPECT_EQ(got.cross_entropy, want.cross_entropy);
  EXPECT_TRUE(std::ranges::equal(take_gradients(model), take_gradients(other), same_bits));
}

TEST(Shards, ALossThatIsNotFiniteLeavesNoGradient) {
  Example e = example(6);
  e.images.host<float>()[5 * 2 * 16 * 16] = NAN;  // in the last shard alone
  ViT model(small_config(), 5);
  ShardedModel sharded(model, 3);
  EXPECT_TRUE(std::isnan(sharded.accumulate_gradients(e.images, e.labels, {}, 1, loss_of).trained));
  for (const Parameter& p : parameters_of(model)) EXPECT_FALSE(p.var.grad().defined()) << p.name;
}

TEST(Shards, ErrorsOfAShardAreThrown) {
  Example e = example(6);
  e.labels.host<i64>()[4] = 5;
  ViT model(small_config(), 5);
  EXPECT_ERROR(ShardedModel(model, 0), "shards: wanted at least 1, got 0");
  ShardedModel sharded(model, 2);
  EXPECT_ERROR(sharded.accumulate_gradients(e.images, e.labels, {}, 1, loss_of), "label");
}

}  // namespace
}  // namespace lookhere
