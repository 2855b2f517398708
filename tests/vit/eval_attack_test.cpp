// Attacks: a step by hand, the gradient by differences, limits that hold, and that they mislead.
#include "vit/eval/attack.h"

#include "tests/vit/model_cases.h"
#include "vit/eval/accuracy.h"

namespace lookhere {
namespace {

const Preprocessing kTwo{.mean = {0.5F, 0.4F}, .std = {0.25F, 0.3F}};

ViT filled(Dtype dtype = Dtype::f32) {
  ViTConfig config = small_config(position_preset("lh90"));
  config.head = HeadType::linear;
  ViT model(config, std::nullopt, dtype);
  fill_by_rule(model);
  return model;
}

// Normalised, of pixels in [0, 1].
Tensor some_images(long count) {
  Tensor images = empty({count, 2, 4, 6});
  Rng rng(5, Purpose::test);
  for (long i = 0; i < images.numel(); ++i) {
    const long c = i / 24 % 2;
    images.host<float>()[i] = (rng.uniform() - kTwo.mean[c]) / kTwo.std[c];
  }
  return images;
}

TEST(Attack, OneStepByHand) {
  const Preprocessing p{.mean = {0.5F}, .std = {0.25F}};
  // Pixels 0.5, 0.5, 0.5, 0.02, 0.99; already 0.03 away from the original: the third.
  const Tensor from = from_vector<float>({0, 0, 0, -1.92F, 1.96F}, {1, 1, 1, 5});
  const Tensor images = from_vector<float>({0, 0, 0.12F, -1.92F, 1.96F}, {1, 1, 1, 5});
  const Tensor gradient = from_vector<float>({3, 0, 1e-9F, -2, 1}, {1, 1, 1, 5});
  const Tensor got = moved(images, from, gradient, 0.03, 0.04, p);
  const float want[]{0.53F, 0.5F, 0.54F, 0, 1};
  for (long i = 0; i < 5; ++i) EXPECT_NEAR(got.host<float>()[i] * 0.25F + 0.5F, want[i], 1e-6) << i;
  EXPECT_ERROR(moved(images, from, gradient, 1, 1, kTwo), "attack: wanted images, originals and gradient [batch, 2,");
}

TEST(Attack, GradientIsThatOfTheImages) {
  const Tensor labels = from_vector<i64>({0, 2}, {2});
  for (const bool binary : {false, true}) {
    ViT model = filled(Dtype::f64);
    const auto loss = [&](const std::vector<Var>& v) {
      const Var logits = model(v[0]);
      return binary ? binary_cross_entropy(logits, labels) : softmax_cross_entropy(logits, labels);
    };
    expect_gradients(loss, {some_images(2).to(Dtype::f64)});

    ViT in_f32 = filled();
    Attack attack(in_f32, kTwo, binary);
    const Var images(some_images(2).to(Dtype::f64), true);
    loss({images}).backward();
    for (const int threads : {1, 2}) {
      const Threads some(threads);
      EXPECT_LE(max_relative_error(attack.gradient(some_images(2), labels), images.grad(), 1e-2), 1e-3);
    }
    for (const Parameter& p : parameters_of(in_f32)) EXPECT_FALSE(p.var.grad().defined()) << p.name;
  }
}

TEST(Attack, StaysWithinEpsilonAndMisleads) {
  ViT model = filled();
  const Tensor images = some_images(32);
  const Tensor first = logits_of(model, images);
  Tensor labels = empty({32}, Dtype::i64);  // what the model answers: it is always right
  for (long i = 0; i < 32; ++i) {
    const float* row = first.host<float>() + i * 3;
    labels.host<i64>()[i] = std::max_element(row, row + 3) - row;
  }
  Attack attack(model, kTwo, false);
  const auto loss_of = [&](const Tensor& shown) {
    return softmax_cross_entropy(Var(logits_of(model, shown)), labels).value().item();
  };
  const double plain = loss_of(images), epsilon = 8.0 / 255;
  EXPECT_LE(max_relative_error(attack(images, labels, {}), images, 1), 1e-6) << "epsilon 0 changes nothing";
  const Tensor fgsm = attack(images, labels, {.epsilon = epsilon});
  const Tensor pgd = attack(images, labels, {.epsilon = epsilon, .steps = 10});
  EXPECT_TRUE(same_bits(attack(images, labels, {.epsilon = epsilon, .steps = 10}), pgd));
  for (const Tensor& changed : {fgsm, pgd}) {
    double most = 0;
    for (long i = 0; i < images.numel(); ++i) {
      const long c = i / 24 % 2;
      const float pixel = changed.host<float>()[i] * kTwo.std[c] + kTwo.mean[c];
      EXPECT_GE(pixel, -1e-6);
      EXPECT_LE(pixel, 1 + 1e-6);
      most = std::max<double>(most, std::abs(changed.host<float>()[i] - images.host<float>()[i]) * kTwo.std[c]);
    }
    EXPECT_NEAR(most, epsilon, 1e-6);
  }
  EXPECT_GT(loss_of(fgsm), plain + 1e-3);
  EXPECT_GE(loss_of(pgd), loss_of(fgsm) - 1e-3);
  EXPECT_ERROR(attack(images, labels, {.epsilon = -1}), "attack: wanted epsilon");
  EXPECT_ERROR(attack(images, labels, {.steps = 0}), "and 0");
}

}  // namespace
}  // namespace lookhere
