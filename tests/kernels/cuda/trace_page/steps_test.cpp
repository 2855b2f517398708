// Which lanes' events are one access of their warp, and what lines cost, on traces small enough to count by hand.
#include "kernels/cuda/trace_page/steps.h"

#include <gtest/gtest.h>

namespace kernels::trace_page {
namespace {

// A trace of some threads with an array of floats, 0, and one of doubles, 1, written event by event.
struct Written {
  Trace trace;
  explicit Written(int threads) {
    trace.threads = threads;
    trace.arrays = {{"a", 0, 4, 2048}, {"b", 8192, 8, 64}};
    trace.words = {"k.cu:1", "k.cu:2", "k.cu:3", "__syncwarp"};
  }
  void access(Kind kind, int thread, int line, std::int64_t element, int array = 0, std::int64_t count = 1) {
    trace.events.push_back(
        {.kind = kind, .thread = thread, .place = line, .what = array, .value = element, .count = count});
  }
  void meet(int thread, std::uint32_t mask, Kind kind = Kind::exchange) {
    trace.events.push_back({.kind = kind, .thread = thread, .place = 2, .what = 3, .value = mask});
  }
  void release() { trace.events.push_back({.kind = Kind::release, .place = 2}); }
  void done(int thread) { trace.events.push_back({.kind = Kind::done, .thread = thread}); }
  std::vector<Step> steps() const { return steps_of(trace); }
};

TEST(Steps, EndAtBarriers) {
  EXPECT_EQ(Written(32).steps().size(), 1U);
  Written w(64);
  for (int thread = 0; thread < 64; ++thread) w.access(Kind::write, thread, 0, 2 * thread);
  w.release();
  w.release();
  for (int thread = 63; thread >= 0; --thread) w.access(Kind::read, thread, 1, 32 * (thread % 32)), w.done(thread);
  const std::vector<Step> steps = w.steps();
  ASSERT_EQ(steps.size(), 3U);
  ASSERT_EQ(steps[0].acts.size(), 2U);
  for (int warp : {0, 1}) {
    const Act& act = steps[0].acts[warp];
    EXPECT_EQ(act.kind, Kind::write);
    EXPECT_EQ(act.warp, warp);
    EXPECT_EQ(act.lanes, ~0U);
    EXPECT_EQ(act.elements[31], 2 * (32 * warp + 31));
    EXPECT_EQ(act.conflicts.degree, 2);
    EXPECT_EQ(steps[2].acts[warp].warp, warp);
    EXPECT_EQ(steps[2].acts[warp].conflicts.degree, 32);
  }
  EXPECT_EQ(steps[0].barrier, 2);
  EXPECT_EQ(steps[1].barrier, 2);
  EXPECT_EQ(steps[2].barrier, -1);
  EXPECT_TRUE(steps[1].acts.empty());
  EXPECT_EQ(steps[0].ended, 0);
  EXPECT_EQ(steps[2].ended, 64);
}

// Lane by lane, as the emulator runs them: two times round a loop over two arrays, lane 1 a third time.
TEST(Steps, TheSameLineTheSameTimeIsOneAccess) {
  Written w(2);
  for (int lane : {0, 1})
    for (int time = 0; time < 2 + lane; ++time) {
      w.access(Kind::read, lane, 0, 10 * time + lane);
      w.access(Kind::read, lane, 0, time, 1);
      w.access(Kind::write, lane, 0, 10 * time + lane);
    }
  const std::vector<Act> acts = w.steps()[0].acts;
  ASSERT_EQ(acts.size(), 9U);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(acts[i].lanes, i < 6 ? 3U : 2U) << i;
    EXPECT_EQ(acts[i].kind, i % 3 == 2 ? Kind::write : Kind::read) << i;
    EXPECT_EQ(acts[i].what, i % 3 == 1) << i;
    EXPECT_EQ(acts[i].elements[1], i % 3 == 1 ? i / 3 : i / 3 * 10 + 1) << i;
  }
}

// Lane 0 is at the line once before and once after the warp met, lane 1 only after.
TEST(Steps, AccessesAreBetweenTwoMeetingsOfTheWarp) {
  for (const Kind kind : {Kind::exchange, Kind::instruction}) {
    Written w(2);
    w.access(Kind::read, 0, 0, 1), w.meet(0, ~0U, kind), w.meet(1, ~0U, kind);
    w.access(Kind::read, 0, 0, 2), w.access(Kind::read, 1, 0, 3);
    const std::vector<Act> acts = w.steps()[0].acts;
    ASSERT_EQ(acts.size(), 3U);
    EXPECT_EQ(acts[0].lanes, 1U);
    EXPECT_EQ(acts[1].kind, kind);
    EXPECT_EQ(acts[1].lanes, 3U);  // those that there are
    EXPECT_EQ(acts[2].lanes, 3U);
  }
}

// 16 bytes of each lane are one access, served to 8 lanes at a time; of atomics each lane has its turn.
TEST(Steps, CostWhatTheirKindAndSizeDo) {
  Written w(32);
  for (int lane = 0; lane < 32; ++lane) {
    w.access(Kind::copy, lane, 0, 4 * lane, 0, 4);
    w.access(Kind::copy, lane, 0, 32 * lane, 0, 2);
    w.access(Kind::update, lane, 0, 1);
    w.access(Kind::read, lane, 0, 1);
  }
  const std::vector<Act> acts = w.steps()[0].acts;
  ASSERT_EQ(acts.size(), 4U);
  const int degrees[] = {1, 16, 32, 1};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(acts[i].lanes, ~0U) << i;
    EXPECT_EQ(acts[i].count, i == 0 ? 4 : i == 1 ? 2 : 1);
    EXPECT_EQ(acts[i].conflicts.degree, degrees[i]) << i;
  }
}

// What some lanes do among themselves does not set them apart from the others.
TEST(Steps, SomeLanesAloneAreNoMeeting) {
  Written w(32);
  for (int lane = 0; lane < 8; ++lane) w.meet(lane, 0xffU);
  for (int lane = 0; lane < 32; ++lane) w.access(Kind::read, lane, 0, lane);
  const std::vector<Act> acts = w.steps()[0].acts;
  ASSERT_EQ(acts.size(), 2U);
  EXPECT_EQ(acts[0].lanes, 0xffU);
  EXPECT_EQ(acts[1].lanes, ~0U);
}

TEST(Steps, AccessesOfSeveralSizesAreSeveral) {
  Written w(32);
  for (int lane = 0; lane < 32; ++lane) w.access(Kind::copy, lane, 0, 4 * lane, 0, lane % 2 ? 4 : 2);
  const std::vector<Act> acts = w.steps()[0].acts;
  ASSERT_EQ(acts.size(), 2U);
  EXPECT_EQ(acts[0].lanes, 0x55555555U);
  EXPECT_EQ(acts[1].lanes, 0xaaaaaaaaU);
  EXPECT_EQ(acts[1].count, 4);
}

TEST(Steps, OrderIsThatOfEachWarp) {
  Written w(64);
  w.access(Kind::read, 32, 1, 0), w.access(Kind::read, 0, 1, 0), w.access(Kind::read, 32, 0, 0);
  w.access(Kind::read, 0, 0, 0);
  const std::vector<Act> acts = w.steps()[0].acts;
  ASSERT_EQ(acts.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(acts[i].warp, i / 2);
    EXPECT_EQ(acts[i].place, i % 2 == 0);
  }
}

TEST(Steps, LinesAreSummedUp) {
  Written w(32);
  for (const int stride : {1, 2, 32})
    for (int lane = 0; lane < 32; ++lane) w.access(Kind::read, lane, 0, stride * lane);
  w.release();
  w.access(Kind::read, 7, 0, 7);
  for (int lane = 0; lane < 32; ++lane) w.access(Kind::write, lane, 1, lane, 1), w.access(Kind::read, lane, 1, 0, 1);
  w.meet(0, ~0U);
  const std::vector<LineSummary> lines = summaries_of(w.steps());
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].place, 0);
  EXPECT_EQ(lines[0].kind, Kind::read);
  EXPECT_EQ(lines[0].accesses, 97);
  EXPECT_EQ(lines[0].warp_accesses, 4);
  EXPECT_EQ(lines[0].worst, 32);
  EXPECT_DOUBLE_EQ(lines[0].mean(), (1 + 2 + 32 + 1) / 4.0);
  for (const int i : {1, 2}) {
    EXPECT_EQ(lines[i].kind, i == 1 ? Kind::write : Kind::read);
    EXPECT_EQ(lines[i].place, 1);
    EXPECT_EQ(lines[i].array, 1);
    EXPECT_EQ(lines[i].accesses, 32);
    EXPECT_EQ(lines[i].warp_accesses, 1);
    EXPECT_EQ(lines[i].worst, 1);
  }
}

}  // namespace
}  // namespace kernels::trace_page
