// What is made of messages is the same on all ranks, in whatever order they arrive.
#include "tensor/communicator.h"

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
