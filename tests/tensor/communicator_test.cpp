// What is made of messages is the same on all ranks, in whatever order they arrive.
#include "tensor/communicator.h"

#include "tensor/waiting.h"
#include "tensor/world.h"
#include "tests/team.h"

namespace lookhere {
namespace {

TEST(Communicator, SharesWhatEachHas) {
  for (const long ranks : {1, 2, 3, 4, 7})
    for (const long count : {0, 1, 3, 8, 21})
      in_team(ranks, ranks * 100 + count, [&](Communicator& team) {
        std::vector<int> all(count, -1);
        for (int round = 0; round < 3; ++round) {  // one after another, faster ranks ahead
          const auto [begin, end] = shard_range(count, team.rank(), ranks);
          for (long i = begin; i < end; ++i) all[i] = static_cast<int>(100 * round + i);
          team.share(all);
          for (long i = 0; i < count; ++i) EXPECT_EQ(all[i], 100 * round + i) << "rank " << team.rank();
        }
      });
}

TEST(Communicator, AnyIsTheSameForAll) {
  for (long who = -1; who < 4; ++who)
    in_team(4, 5, [&](Communicator& team) { EXPECT_EQ(team.any(team.rank() == who), who >= 0); });
  EXPECT_TRUE(alone().any(true));
  EXPECT_FALSE(alone().any(false));
}

TEST(Communicator, GathersTexts) {
  for (const long ranks : {1, 2, 5})
    in_team(ranks, 8, [&](Communicator& team) {
      const auto text = [](long rank) { return std::string(rank % 3 * 5, static_cast<char>('a' + rank)); };
      const std::vector<std::string> all = team.texts(text(team.rank()));
      ASSERT_EQ(std::ssize(all), ranks);
      for (long r = 0; r < ranks; ++r) EXPECT_EQ(all[r], text(r));
      EXPECT_THAT(team.texts(""), testing::Each(""));
    });
}

// What a process has missed that was stopped, or whose laptop slept, is not waiting.
TEST(Waiting, IsMeasuredBetweenQuestions) {
  constexpr double kStep = 0.125;  // exact
  Waiting waiting(10, 100);
  double now = 100;
  for (int i = 1; i < 80; ++i) EXPECT_FALSE(waiting.too_long(now += kStep, false)) << i;
  EXPECT_TRUE(waiting.too_long(now += kStep, false));
  EXPECT_TRUE(waiting.too_long(now += kStep, false));
  EXPECT_FALSE(waiting.too_long(now += kStep, true)) << "what comes begins it anew";
  for (int hours = 1; hours < 10; ++hours) EXPECT_FALSE(waiting.too_long(now += 3600, false)) << hours;
  EXPECT_TRUE(waiting.too_long(now += 3600, false)) << "the tenth second";
}

TEST(World, WhichGpuIsARanks) {
  EXPECT_EQ(gpu_of_rank(nullptr, 4, 2, 4), 2);
  EXPECT_EQ(gpu_of_rank(nullptr, 8, 2, 4), 2);
  EXPECT_EQ(gpu_of_rank("4,5,6", 3, 2, 3), 2) << "the process sees 4, 5 and 6 as 0, 1 and 2";
  EXPECT_EQ(gpu_of_rank("GPU-8932f937,GPU-1d3e5a77", 2, 1, 2), 1);
  EXPECT_EQ(gpu_of_rank("0", 1, 1, 2), 0) << "chosen before";
  EXPECT_EQ(gpu_of_rank("", 0, 1, 2), 0) << "none, which whoever wants one says";
  EXPECT_EQ(gpu_of_rank(nullptr, 1, 0, 1), 0);
  EXPECT_ERROR(gpu_of_rank(nullptr, 2, 0, 4), "device cuda: 4 ranks on this machine and 2 GPUs: wanted one for each");
  EXPECT_ERROR(gpu_of_rank("0,1,9", 1, 2, 3), "3 ranks on this machine and 1 GPU: ");  // CUDA stops at the 9
}

TEST(World, NotesABindingToTooFewProcessors) {
  EXPECT_EQ(note_of_binding(1, 2, 2), "bound to 1 of 2 processors: mpirun --bind-to none");
  EXPECT_EQ(note_of_binding(1, 2, 1), "");  // of two ranks
  EXPECT_EQ(note_of_binding(16, 16, 4), "");
}

TEST(Communicator, NamesARankThatDiffers) {
  in_team(3, 6, [&](Communicator& team) {
    team.require_same("the same", "words");
    EXPECT_ERROR(team.require_same(team.rank() == 2 ? "b" : "a", "words"), "rank 2 has other words than rank 0");
  });
}

TEST(Communicator, NamesARankThatIsGone) {
  const auto one_leaves = [](Communicator& team) {
    if (team.rank() == 2) return;
    EXPECT_ERROR(team.any(false), "rank 2 has sent nothing for 0.2 s: it, or its machine, is gone or stands still");
  };
  in_team(4, 7, one_leaves, 0.2);
}

}  // namespace
}  // namespace lookhere
