// Ranks that are threads: what they tell each other arrives, and none waits for one that has failed.
#include "tensor/thread_team.h"

#include <atomic>

#include "tests/exit_code.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(ThreadTeam, SharesWhatEachHas) {
  for (const long ranks : {1, 2, 5})
    for (const long count : {0, 1, 4, 21}) {
      ThreadTeam team(ranks);
      team.run([&](Communicator& own) {
        EXPECT_EQ(own.size(), ranks);
        std::vector<int> all(count, -1);
        for (int round = 0; round < 20; ++round) {
          const auto [begin, end] = shard_range(count, own.rank(), ranks);
          for (long i = begin; i < end; ++i) all[i] = static_cast<int>(100 * round + i);
          own.share(all);
          for (long i = 0; i < count; ++i) EXPECT_EQ(all[i], 100 * round + i) << "rank " << own.rank();
          EXPECT_EQ(own.any(own.rank() == round % 7), round % 7 < ranks);
        }
      });
    }
}

// Those of one tag in the order in which they were sent, in whatever order they are asked for.
TEST(ThreadTeam, MessagesOfATagKeepTheirOrder) {
  ThreadTeam team(2);
  team.run([](Communicator& own) {
    std::vector<int> values{10, 11, 12, 20, 21, 22};
    std::vector<Communicator::Transfer> transfers;
    std::vector<int> got(6, -1);
    for (long i = 0; i < 6; ++i)
      transfers.push_back(own.rank() == 0 ? own.send(1, i / 3, &values[i], sizeof(int))
                                          : own.receive(0, i / 3, &got[i], sizeof(int)));
    if (own.rank() == 0) std::ranges::fill(values, 0);  // what is sent has been taken
    std::ranges::reverse(transfers);
    own.wait(transfers);
    if (own.rank() == 0) return;
    EXPECT_EQ(got, (std::vector<int>{10, 11, 12, 20, 21, 22}));
  });
}

TEST(ThreadTeam, OneThatFailsEndsTheOthers) {
  for (const long who : {0, 2}) {
    ThreadTeam team(4);
    std::atomic<int> ended = 0;
    const auto run = [&] {
      team.run([&](Communicator& own) {
        own.any(false);
        if (own.rank() == who) throw Error("no more room", Exit::memory);
        own.any(false);  // never comes
        ++ended;
      });
    };
    EXPECT_ERROR(run(), who == 0 ? "no more room" : "rank 2: no more room");
    EXPECT_EQ(code_of(run), Exit::memory);
    EXPECT_EQ(ended, 0);
    team.run([](Communicator& own) { EXPECT_FALSE(own.any(false)); });  // it works again
  }
}

// What all find out the first one says.
TEST(ThreadTeam, TheLowestRankSaysIt) {
  ThreadTeam team(3);
  EXPECT_ERROR(team.run([](Communicator& own) { own.require_same(own.rank() == 1 ? "a" : "b", "words"); }),
               "rank 1 has other words than rank 0");
  EXPECT_THROW(team.run([](Communicator& own) {
    if (own.rank() == 1) throw std::bad_alloc();
    own.any(true);
  }),
               std::bad_alloc);
  EXPECT_ERROR(team.run([](Communicator& own) {
    int x = 0;
    std::vector<Communicator::Transfer> one{own.rank() == 0 ? own.send(1, 0, &x, 4)
                                                            : own.receive(own.rank() - 1, 0, &x, 2)};
    own.wait(one);
  }),
               "rank 1: rank 0 has sent 4 bytes, wanted 2");
  EXPECT_ERROR(ThreadTeam(0), "team: wanted at least one rank, got 0");
}

}  // namespace
}  // namespace lookhere
