// The sum of all shards' gradients, over threads and over ranks, always in the same order: that of a tree of pairs.
//
// Shard i takes shard i + 1's for every even i, then i + 2's for every i that 4 divides, and so on. Which rank has
// which shards changes nothing about who is added to whom, so that any number of ranks gives the same bits.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "nn/arena.h"
#include "tensor/communicator.h"

namespace lookhere {

// add(to, from) for every pair of the tree over `shards` leaves, in an order in which sums come before they are used.
template <class F>
void for_each_pair(long shards, F add) {
  for (long step = 1; step < shards; step *= 2)
    for (long to = 0; to + step < shards; to += 2 * step) add(to, to + step);
}

// What of the tree over `shards` leaves can be added where one has the leaves [begin, end) alone: the sums that are
// left to add to others', by their first leaf.
std::vector<long> roots_within(const ShardRange& own, long shards);

// What adds up the gradients of all ranks where they lie, on their GPUs, in an order of its own.
using DeviceSum = std::function<void(const Tensor& gradients)>;

// Where there are many ranks a small bucket's parts are messages too small to be worth sending.
inline long bucket_bytes_for(long ranks) { return std::max(4L << 20, ranks << 16); }

// Of this rank's shards, one arena each. Gradients are sent in buckets of neighbouring parameters, as soon as each has
// all of them, while backward goes on: ranks exchange parts of a bucket, so that each adds up one part, and then
// collect the sums. Each rank sends and receives twice the gradients, whatever the number of ranks, if every rank has
// as many shards as others and their number is a power of two; up to log2 of that number times as much if not.
class GradientReducer {
 public:
  // The arenas must outlive it. All ranks have the same parameters and the same bucket_bytes.
  // With a device_sum own shards are added as ever, and the ranks' sums by that.
  GradientReducer(std::vector<ParameterArena>& arenas, long shards, Communicator& team, long bucket_bytes,
                  DeviceSum device_sum = {});
  ~GradientReducer();

  // Begins a step: gradients that are there already, of earlier batches, are counted once.
  void begin();
  // Do buckets leave while gradients are still to come? Then ready() must be told of each.
  bool overlaps() const;
  // An own shard (0 ... arenas - 1) has the gradient of this parameter: from any thread, each once.
  void ready(long shard, const Var& parameter);
  // Adds what is left: the first arena has the sum over the shards of all ranks, the others nothing. Throws Error
  // (Exit::io) where another rank is gone.
  void finish();

  long buckets() const { return static_cast<long>(buckets_.size()); }
  // Of the latest step: those of which sending began before finish(), and the bytes sent.
  long early_buckets() const { return early_; }
  long bytes_sent() const { return bytes_sent_; }

 private:
  struct Bucket;
  void make_buckets(long bucket_bytes);
  void start_those_ready(bool all);
  void start(Bucket& bucket);
  bool go_on(Bucket& bucket);  // true once it is done
  void add_own(const Bucket& bucket);
  void add_exchanged(Bucket& bucket);
  Tensor part(const Tensor& of, const Bucket& bucket, long rank) const;
  void send(Bucket& bucket, long to, long tag, const Tensor& what);
  void receive(Bucket& bucket, long from, long tag, const Tensor& into);

  std::vector<ParameterArena>& arenas_;
  const long shards_;
  Communicator& team_;
  const DeviceSum device_sum_;
  std::vector<std::vector<long>> roots_;  // by rank
  std::vector<Tensor> sums_;              // of own shards, in host memory: the arenas' gradients, or copies of a GPU's
  std::vector<std::unique_ptr<Bucket>> buckets_;  // in the order in which they are sent
  std::mutex mutex_;                              // guards all below, and the transport
  std::size_t started_ = 0;
  long early_ = 0, bytes_sent_ = 0;
};

}  // namespace lookhere
