// What ends allocates nothing: a destructor that needs memory ends the program where there is none.
#include <gtest/gtest.h>

#include <sstream>

#include "autograd/ops.h"
#include "autograd/profile.h"
#include "tensor/large_blocks.h"
#include "tensor/pool.h"
#include "tests/allocations.h"
#include "tests/testing.h"
#include "vit/data/loader.h"
#include "vit/data/shapes.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

TEST(Destructors, TheCounterCounts) {
#ifdef SANITIZED
  GTEST_SKIP() << "not with sanitizers";
#endif
  std::vector<int> v;
  EXPECT_EQ(allocations_during([&] { v.resize(100); }), 1);
}

TEST(Destructors, BlocksOfThePool) {
  std::vector<Tensor> tensors;
  for (long i = 0; i < 200; ++i) tensors.push_back(empty({1 + i * i * 10}));  // small ones and large ones
  EXPECT_EQ(allocations_during([&] { tensors.clear(); }), 0);
  EXPECT_EQ(allocations_during([] { Pool::of(Device::cpu).release_kept(); }), 0);
}

TEST(Destructors, HolesBetweenLargeBlocks) {
  LargeBlocks blocks;
  std::vector<std::byte*> taken;
  for (int i = 0; i < 40; ++i) taken.push_back(blocks.take(LargeBlocks::kUnit));
  EXPECT_EQ(allocations_during([&] {
              for (std::size_t i = 0; i < taken.size(); i += 2) blocks.give_back(taken[i]);
              for (std::size_t i = 1; i < taken.size(); i += 2) blocks.give_back(taken[i]);
            }),
            0);
}

TEST(Destructors, Graphs) {
  const Var x(random({3}, 1), true);
  Var chain = x, diamonds = x, twice = x;
  for (int i = 0; i < 100; ++i) {
    chain = scale(chain, 1);
    diamonds = add(gelu(diamonds), scale(diamonds, 2));
    twice = multiply(twice, twice);
  }
  const long before = Pool::of(Device::cpu).stats().in_use;
  EXPECT_EQ(allocations_during([&] { chain = diamonds = twice = Var(); }), 0);
  EXPECT_LT(Pool::of(Device::cpu).stats().in_use, before);
}

TEST(Destructors, TimesOfOperations) {
  const Profile profile;
  std::optional<profile::Span> span;
  span.emplace("an operation of which nothing is known yet", profile::Phase::backward);
  EXPECT_EQ(allocations_during([&] { span.reset(); }), 0);
  EXPECT_EQ(profile.entries().size(), 1U);
}

TEST(Destructors, LoadersAndProgress) {
  const Dataset shapes = make_shapes(false, {.shapes_size = 16, .shapes_train = 8, .shapes_test = 50, .seed = 1});
  auto loader = std::make_unique<Loader>(shapes, LoaderOptions{.batch_size = 8, .workers = 2});
  Batch batch;
  loader->start(0);
  loader->next(batch);
  std::ostringstream out;
  auto progress = std::make_unique<Progress>(
      "label", 3,
      ProgressOptions{.out = &out, .terminal = true, .width = [] { return 80; }, .now = [] { return 0.0; }});
  progress->update(1);
  EXPECT_EQ(allocations_during([&] { loader.reset(), progress.reset(); }), 0);
}

}  // namespace
}  // namespace lookhere
