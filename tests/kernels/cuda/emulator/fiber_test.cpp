// Fibers: stopping, going on, being abandoned.
#include "kernels/cuda/emulator/fiber.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

using kernels::emulator::Fiber;

TEST(Fiber, StopsAndGoesOn) {
  std::string seen;
  Fiber* self = nullptr;
  Fiber fiber([&] {
    const double kept = 1.5;  // on its own stack
    for (const char letter : {'a', 'b', 'c'}) {
      seen += letter;
      self->stop();
    }
    EXPECT_EQ(kept, 1.5);
    seen += '.';
  });
  self = &fiber;
  for (const char* want : {"a", "ab", "abc"}) {
    EXPECT_FALSE(fiber.ended());
    fiber.resume();
    EXPECT_EQ(seen, want);
  }
  fiber.resume();
  EXPECT_EQ(seen, "abc.");
  EXPECT_TRUE(fiber.ended());
}

TEST(Fiber, ManyTakeTurns) {
  constexpr long kFibers = 1000;
  std::vector<std::unique_ptr<Fiber>> fibers(kFibers);
  std::vector<long> turns;
  for (long i = 0; i < kFibers; ++i)
    fibers[i] = std::make_unique<Fiber>([&, i] {
      for (long turn = 0; turn < 3; ++turn) turns.push_back(turn * kFibers + i), fibers[i]->stop();
    });
  for (long turn = 0; turn < 4; ++turn)
    for (const auto& fiber : fibers) fiber->resume();
  ASSERT_EQ(turns.size(), 3U * kFibers);
  for (long i = 0; i < 3 * kFibers; ++i) EXPECT_EQ(turns[i], i);
  for (const auto& fiber : fibers) EXPECT_TRUE(fiber->ended());
}

TEST(Fiber, ExceptionsStayWithin) {
  bool caught = false;
  Fiber fiber([&] {
    try {
      fail("within");
    } catch (const Error&) {
      caught = true;
    }
  });
  fiber.resume();
  EXPECT_TRUE(caught && fiber.ended());
}

TEST(Fiber, MayBeAbandoned) {
  for (int i = 0; i < 100; ++i) {  // the next one has its stack
    Fiber* self = nullptr;
    Fiber fiber([&] { self->stop(); });
    self = &fiber;
    fiber.resume();
    EXPECT_FALSE(fiber.ended());
  }
}

}  // namespace
}  // namespace lookhere
