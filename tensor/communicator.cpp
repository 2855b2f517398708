// Waiting is asking again and again, ever less often: a transport moves on only while it is asked.
#include "tensor/communicator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tensor/error.h"
#include "tensor/hash.h"
#include "tensor/world.h"

namespace lookhere {
namespace {

constexpr long kShareTag = 32767;  // the last one: others are whose messages may be under way at the same time

class Alone : public Communicator {
 public:
  long rank() const override { return 0; }
  long size() const override { return 1; }
  Transfer send(long to, long, const void*, long) override { fail("rank ", to, ": there is only one"); }
  Transfer receive(long from, long, void*, long) override { fail("rank ", from, ": there is only one"); }
  bool arrived(const Transfer&) override { return true; }
};

}  // namespace

const char* started_together() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const char* size = std::getenv(name)) return size;
  return nullptr;
}

Communicator& alone() {
  static Alone one;
  return one;
}

bool Communicator::all_arrived(std::vector<Transfer>& transfers) {
  std::erase_if(transfers, [&](const Transfer& transfer) { return arrived(transfer); });
  return transfers.empty();
}

void Communicator::wait(std::vector<Transfer>& transfers) {
  using Clock = std::chrono::steady_clock;
  std::size_t before = transfers.size();
  double waited = 0;  // since something arrived; what a process that was stopped has missed is not waiting
  auto last = Clock::now();
  for (long asked = 0; !all_arrived(transfers); ++asked) {
    const auto now = Clock::now();
    waited += std::min(std::chrono::duration<double>(now - last).count(), 1.0), last = now;
    if (transfers.size() < before) before = transfers.size(), waited = 0;
    if (asked < 1000) {
      std::this_thread::yield();
      continue;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(asked - 999, 200L)));
    if (waited < patience_) continue;
    const Transfer& missing = transfers.front();
    throw Error(concat("rank ", missing.peer, missing.sent ? " has taken" : " has sent", " nothing for ", patience_,
                       " s: it, or its machine, is gone or stands still"),
                Exit::io);
  }
}

void Communicator::share(void* all, long count, long row_bytes) {
  if (alone()) return;
  const auto part = [&](long of) {
    const auto [begin, end] = shard_range(count, of, size());
    return std::pair(static_cast<char*>(all) + begin * row_bytes, (end - begin) * row_bytes);
  };
  const auto [mine, bytes] = part(rank());
  std::vector<Transfer> transfers;
  // Everybody begins with another one.
  for (long k = 1; k < size(); ++k) {
    const long from = (rank() + size() - k) % size(), to = (rank() + k) % size();
    if (const auto [theirs, wanted] = part(from); wanted > 0)
      transfers.push_back(receive(from, kShareTag, theirs, wanted));
    if (bytes > 0) transfers.push_back(send(to, kShareTag, mine, bytes));
  }
  wait(transfers);
}

bool Communicator::any(bool mine) {
  if (alone()) return mine;
  std::vector<char> all(size(), 0);
  all[rank()] = mine;
  share(all);
  return std::ranges::find(all, char{1}) != all.end();
}

void Communicator::require_same(const std::string& text, const std::string& what) {
  std::vector<std::uint64_t> hashes(size());
  hashes[rank()] = hash_of(text.data(), static_cast<long>(text.size()));
  share(hashes);
  for (long r = 1; r < size(); ++r) check(hashes[r] == hashes[0], "rank ", r, " has other ", what, " than rank 0");
}

}  // namespace lookhere
