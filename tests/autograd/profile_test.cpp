// What is counted, and what is not; times are compared only with each other's sums.
#include "autograd/profile.h"

#include <map>
#include <thread>

#include "autograd/ops.h"
#include "tensor/parallel.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

std::map<std::string, Profile::Entry> by_name(const Profile& profile) {
  std::map<std::string, Profile::Entry> entries;
  for (const Profile::Entry& entry : profile.entries()) entries[entry.op] = entry;
  return entries;
}
void wait(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }
Var slow(const Var& x, int forward, int backward) {
  wait(forward);
  return Var::record("slow", x.value().clone(), {x}, [=](const Tensor& dy) {
    wait(backward);
    return Grads{dy};
  });
}

TEST(Profile, CountsOperationsByName) {
  const Var x(random({3}, 1), true);
  sum(gelu(x)).backward();  // before there is a profile
  Profile profile;
  EXPECT_TRUE(profile.entries().empty());
  wait(20);
  profile::begin_forward();
  const Var y = slow(slow(x, 5, 20), 5, 20);
  sum(multiply(y, gelu(y))).backward();
  wait(20);
  const auto entries = by_name(profile);
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries.at("slow").calls, 2);
  EXPECT_EQ(entries.at("gelu").calls, 1);
  EXPECT_GE(entries.at("slow").forward, 0.01);
  EXPECT_GE(entries.at("slow").backward, 0.04);
  EXPECT_GT(entries.at("gelu").forward, 0);
  EXPECT_GT(entries.at("gelu").backward, 0);
  EXPECT_EQ(profile.entries()[0].op, "slow");
  { const profile::Span span("adamw", profile::Phase::backward); }
  EXPECT_EQ(by_name(profile).at("adamw").calls, 1);
  EXPECT_EQ(by_name(profile).at("adamw").forward, 0);
  EXPECT_ERROR(Profile(), "profile: there is one already");
  profile.clear();
  EXPECT_TRUE(profile.entries().empty());
}

// On a GPU by moments of its stream, which here is the emulator's.
TEST(Profile, TimesWorkOnAGpu) {
  const Profile profile(Device::cuda);
  profile::begin_forward();
  const Var x(random({300}, 1).to(Device::cuda), true);
  sum(multiply(x, gelu(x))).backward();
  const auto entries = by_name(profile);
  ASSERT_EQ(entries.size(), 3U);
  for (const auto& [op, entry] : entries) {
    EXPECT_EQ(entry.calls, 1) << op;
    EXPECT_GT(entry.forward, 0) << op;
    EXPECT_GT(entry.backward, 0) << op;
  }
  EXPECT_EQ(by_name(profile).at("gelu").calls, 1);  // each is counted once
}

TEST(Profile, NothingIsCountedTwice) {
  const NoGrad evaluation;
  const Var x(random({1000}, 1));
  Profile profile;
  const auto begin = profile::Clock::now();
  profile::begin_forward();
  for (int i = 0; i < 20; ++i) gelu(gelu(x));
  const double all = profile::since(begin);
  const auto entries = by_name(profile);
  EXPECT_EQ(entries.at("gelu").calls, 40);
  EXPECT_LE(entries.at("gelu").forward, all);
  EXPECT_EQ(entries.at("gelu").backward, 0);
}

// Two threads that take as long as one on its own count once.
TEST(Profile, AveragesThreads) {
  const Threads two(2);
  Profile profile;
  const auto begin = profile::Clock::now();
  parallel_tasks(2, [&](long) {
    profile::begin_forward();
    slow(Var(random({3}, 1)), 30, 0);
  });
  const double all = profile::since(begin);
  EXPECT_GE(by_name(profile).at("slow").forward, 0.03);
  EXPECT_LE(by_name(profile).at("slow").forward, all);
  EXPECT_EQ(by_name(profile).at("slow").calls, 2);
}

TEST(Profile, LeavesNothingOn) {
  { const Profile profile; }
  gelu(Var(random({3}, 1)));
  const Profile profile;
  EXPECT_TRUE(profile.entries().empty());
}

}  // namespace
}  // namespace lookhere
