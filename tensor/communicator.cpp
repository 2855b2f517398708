// Waiting is asking again and again, ever less often: a transport moves on only while it is asked.
#include "tensor/communicator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <thread>

#include "tensor/error.h"
#include "tensor/hash.h"
#include "tensor/text.h"
#include "tensor/waiting.h"
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

int gpu_of_rank(const char* listed, int gpus, long rank, long ranks) {
  if (ranks == 1 || (listed && std::ssize(split(listed, ',')) < ranks)) return 0;
  check(ranks <= gpus, "device cuda: ", ranks, " ranks on this machine and ", gpus, gpus == 1 ? " GPU" : " GPUs",
        ": wanted one for each (CUDA_VISIBLE_DEVICES=0 makes all use that one)");
  return static_cast<int>(rank);
}

std::string note_of_binding(int bound, int processors, int wanted) {
  if (bound >= wanted) return "";
  return concat("bound to ", bound, " of ", processors, " processors: mpirun --bind-to none");
}

Communicator& alone() {
  static Alone one;
  return one;
}

bool Communicator::all_arrived(std::vector<Transfer>& transfers) {
  std::erase_if(transfers, [&](const Transfer& transfer) { return arrived(transfer); });
  return transfers.empty();
}

void Communicator::wait(std::vector<Transfer>& transfers) { wait(transfers, patience_); }

void Communicator::wait(std::vector<Transfer>& transfers, double patience) {
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  Waiting waiting(patience, now());
  std::size_t before = transfers.size();
  for (long asked = 0; !all_arrived(transfers); ++asked) {
    const bool too_long = waiting.too_long(now(), transfers.size() < before);
    before = transfers.size();
    if (asked < 1000) {
      std::this_thread::yield();
      continue;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(asked - 999, 200L)));
    if (!too_long) continue;
    const Transfer& missing = transfers.front();
    throw Error(concat("rank ", missing.peer, missing.sent ? " has taken" : " has sent", " nothing for ", patience,
                       " s: it, or its machine, is gone or stands still"),
                Exit::io);
  }
}

void Communicator::share(void* all, long count, long row_bytes) { share(all, count, row_bytes, patience_); }

void Communicator::share(void* all, long count, long row_bytes, double patience) {
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
  wait(transfers, patience);
}

std::vector<std::string> Communicator::texts(const std::string& mine) {
  std::vector<long> lengths(size());
  lengths[rank()] = std::ssize(mine);
  share(lengths);
  const long longest = std::ranges::max(lengths);
  std::string rows(size() * longest, ' ');
  mine.copy(rows.data() + rank() * longest, mine.size());
  share(rows.data(), size(), longest);
  std::vector<std::string> all;
  for (long r = 0; r < size(); ++r) all.push_back(rows.substr(r * longest, lengths[r]));
  return all;
}

void Communicator::meet() {
  std::vector<char> all(size());
  share(all.data(), size(), 1, std::numeric_limits<double>::infinity());
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
