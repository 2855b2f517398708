// Ranks that are threads of a test. Their messages arrive in an order that a seed has drawn: late, and before others
// that were sent earlier, as far as a transport is allowed that.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>

#include "tensor/communicator.h"
#include "tests/testing.h"

namespace lookhere {

class Post {
 public:
  explicit Post(std::uint64_t seed) : rng_(seed, Purpose::test) {}
  using Way = std::tuple<long, long, long>;  // from, to, tag
  using Bytes = std::vector<char>;

  void put(const Way& way, const void* data, long bytes) {
    const std::lock_guard lock(mutex_);
    const char* first = static_cast<const char*>(data);
    waiting_[way].push_back({Bytes(first, first + bytes), static_cast<long>(rng_.below(20))});
    ++messages_;
  }
  // The oldest message of a way once it has been asked for often enough.
  bool take(const Way& way, void* data, long bytes) {
    const std::lock_guard lock(mutex_);
    std::deque<Message>& queue = waiting_[way];
    if (queue.empty() || queue.front().delay-- > 0) return false;
    check(static_cast<long>(queue.front().bytes.size()) == bytes, "a message of ", queue.front().bytes.size(),
          " bytes, wanted ", bytes);
    std::memcpy(data, queue.front().bytes.data(), bytes);
    queue.pop_front();
    return true;
  }
  long messages() const { return messages_; }
  std::atomic<long> questions = 0;  // whether something has arrived
  std::atomic<long> lost = -1;      // a rank
  bool all_taken() const {
    return std::ranges::all_of(waiting_, [](const auto& way) { return way.second.empty(); });
  }

 private:
  struct Message {
    Bytes bytes;
    long delay;  // times that it is not there yet
  };
  std::mutex mutex_;
  Rng rng_;
  std::map<Way, std::deque<Message>> waiting_;
  std::atomic<long> messages_ = 0;
};

class TestRank : public Communicator {
 public:
  TestRank(Post& post, long rank, long size, double patience)
      : Communicator(patience), post_(post), rank_(rank), size_(size) {}
  long rank() const override { return rank_; }
  long size() const override { return size_; }
  // What is sent is read when the sender asks whether it has arrived, not before: whoever changes it is found out.
  Transfer send(long to, long tag, const void* data, long bytes) override {
    return add({.way = {rank_, to, tag}, .read = data, .bytes = bytes}, to, true);
  }
  Transfer receive(long from, long tag, void* data, long bytes) override {
    std::memset(data, 0x7f, bytes);  // not to be read before it has arrived
    return add({.way = {from, rank_, tag}, .write = data, .bytes = bytes}, from, false);
  }
  // Told, after each transfer has arrived, how many have.
  std::function<void(long)> on_arrival = {};
  // Until all ranks have sent so many messages.
  void wait_for_messages(long count) const {
    while (post_.messages() < count) std::this_thread::yield();
  }
  long questions() const { return post_.questions; }  // of all ranks
  // This one is gone: nothing more comes of it, which the transport tells whoever waits for it.
  [[noreturn]] void be_lost() const {
    post_.lost = rank_;
    throw Error(concat("rank ", rank_, " is gone"), Exit::io);
  }
  bool arrived(const Transfer& transfer) override {
    ++post_.questions;
    const auto found = open_.find(transfer.id);
    check(found != open_.end(), "asked for a transfer that is done");
    // Those of a way take their turns.
    for (auto it = open_.begin(); it != found; ++it)
      if (it->second.way == found->second.way && !!it->second.read == !!found->second.read) return false;
    const Open& open = found->second;
    if (open.read)
      post_.put(open.way, open.read, open.bytes);
    else if (!post_.take(open.way, open.write, open.bytes)) {
      if (post_.lost >= 0) throw Error(concat("rank ", post_.lost, " is gone"), Exit::io);
      return false;
    }
    open_.erase(found);
    ++arrived_;
    if (on_arrival) on_arrival(arrived_);
    return true;
  }

 private:
  struct Open {
    Post::Way way;
    const void* read = nullptr;
    void* write = nullptr;
    long bytes = 0;
  };
  Transfer add(const Open& open, long peer, bool sent) {
    open_[next_] = open;
    return {.id = next_++, .peer = peer, .sent = sent};
  }
  Post& post_;
  const long rank_, size_;
  std::map<long, Open> open_;
  long next_ = 0, arrived_ = 0;
};

// f(communicator) on every rank at the same time. What a rank throws is thrown here, the lowest rank's first. Returns
// the number of messages.
template <class F>
long in_team(long ranks, std::uint64_t seed, F f, double patience = 60) {
  Post post(seed);
  std::vector<std::exception_ptr> errors(ranks);
  {
    std::vector<std::jthread> threads;
    for (long rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          TestRank communicator(post, rank, ranks, patience);
          f(communicator);
        } catch (...) {
          errors[rank] = std::current_exception();
        }
      });
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  EXPECT_TRUE(patience < 60 || post.all_taken()) << "messages that nobody wanted";
  return post.messages();
}

// f on two ranks, of which the second is lost at its k-th transfer, for every k: all ends, in one line.
template <class F>
void expect_every_loss_is_told(F f) {
  long transfers = 0;
  in_team(2, 1, [&](Communicator& team) {
    if (team.rank() == 1) static_cast<TestRank&>(team).on_arrival = [&](long arrived) { transfers = arrived; };
    f(team);
  });
  EXPECT_GE(transfers, 4);
  for (long k = 1; k <= transfers; ++k) {
    SCOPED_TRACE(concat("transfer ", k, " of ", transfers));
    const auto with_loss = [&](Communicator& team) {
      TestRank& rank = static_cast<TestRank&>(team);
      if (rank.rank() == 1)
        rank.on_arrival = [&](long arrived) {
          if (arrived == k) rank.be_lost();
        };
      f(team);
    };
    EXPECT_ERROR(in_team(2, k, with_loss), "rank 1 is gone");
  }
}

}  // namespace lookhere
