// Buckets go through two exchanges: parts of own sums to those who add them up, then the sums to all.
#include "nn/reducer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "autograd/profile.h"
#include "tensor/sum.h"

namespace lookhere {
namespace {

void add_to(const Tensor& sum, const Tensor& more) { set_sum(sum, sum, more); }

bool holds(const ShardRange& range, long shard) { return range.begin <= shard && shard < range.end; }

// Does the tree add these two where one has `own` alone? Then all leaves below them are there: `to` has those up to
// `from`, and `from` as many, as far as there are any.
bool adds_within(const ShardRange& own, long to, long from, long shards) {
  return own.begin <= to && std::min(2 * from - to, shards) <= own.end;
}

}  // namespace

std::vector<long> roots_within(const ShardRange& own, long shards) {
  std::vector<bool> left(shards, false);
  for (long i = own.begin; i < own.end; ++i) left[i] = true;
  for_each_pair(shards, [&](long to, long from) {
    if (adds_within(own, to, from, shards)) left[from] = false;
  });
  std::vector<long> roots;
  for (long i = own.begin; i < own.end; ++i)
    if (left[i]) roots.push_back(i);
  return roots;
}

// Elements [begin, end) of the arenas.
struct GradientReducer::Bucket {
  long begin = 0, end = 0, number = 0;
  long parameters = 0;  // in it
  long missing = 0;     // gradients that are yet to come, of all own shards
  bool gathering = false, done = false;
  std::vector<Communicator::Transfer> transfers = {};
  std::map<long, Tensor> received = {};  // others' sums, by their root: of the part that this rank adds up
};

GradientReducer::GradientReducer(std::vector<ParameterArena>& arenas, long shards, Communicator& team,
                                 long bucket_bytes, DeviceSum device_sum)
    : arenas_(arenas), shards_(shards), team_(team), device_sum_(std::move(device_sum)) {
  check(team.size() <= shards, "shards: ", shards, " are too few for ", team.size(), " ranks: wanted one for each");
  for (long r = 0; r < team.size(); ++r) roots_.push_back(roots_within(shard_range(shards, r, team.size()), shards));
  if (team_.alone() || device_sum_) return;
  for (const ParameterArena& arena : arenas_)
    sums_.push_back(arena.gradients().device() == Device::cpu
                        ? arena.gradients()
                        : zeros(arena.gradients().shape(), arena.gradients().dtype(), Device::cpu));
  make_buckets(bucket_bytes);
}

GradientReducer::~GradientReducer() = default;

// The last parameters of a model have their gradients first. A bucket is as late as its first parameter: those without
// weight decay, which lie together, are the last of all.
void GradientReducer::make_buckets(long bucket_bytes) {
  std::vector<ParameterArena::Slot> slots = arenas_[0].slots();
  std::erase_if(slots, [](const auto& slot) { return !slot.parameter.var.requires_grad(); });
  std::ranges::reverse(slots);
  std::ranges::stable_sort(slots, [](const auto& a, const auto& b) { return a.decay > b.decay; });
  long room = 0;
  for (std::size_t k = 0; k < slots.size(); ++k) {
    const long elements = slots[k].parameter.var.value().numel(), end = slots[k].offset + elements;
    const long bytes = elements * size_of(sums_[0].dtype());
    if (room < bytes || (k > 0 && slots[k].decay != slots[k - 1].decay)) {
      buckets_.push_back(std::make_unique<Bucket>(Bucket{.end = end, .number = buckets()}));
      room = bucket_bytes;
    }
    Bucket& bucket = *buckets_.back();
    bucket.begin = slots[k].offset;
    ++bucket.parameters;
    room -= bytes;
  }
  for (const auto& bucket : buckets_)
    for (long r = 0; r < team_.size(); ++r)
      for (const long root : roots_[r])
        if (r != team_.rank()) bucket->received[root] = part(sums_[0], *bucket, team_.rank()).clone();
}

// What a rank adds up of a bucket.
Tensor GradientReducer::part(const Tensor& of, const Bucket& bucket, long rank) const {
  constexpr long kCacheLine = 16;  // elements of f32
  const auto [first, last] = shard_range((bucket.end - bucket.begin + kCacheLine - 1) / kCacheLine, rank, team_.size());
  const auto place = [&](long line) { return std::min(bucket.begin + line * kCacheLine, bucket.end); };
  return of.view(place(first), {place(last) - place(first)});
}

void GradientReducer::begin() {
  early_ = bytes_sent_ = 0, started_ = 0;
  // What earlier batches have left is the same on all ranks. The first one adds to it, the others begin anew.
  if (team_.rank() > 0) arenas_[0].clear_gradients();
  for (const auto& bucket : buckets_) {
    bucket->missing = bucket->parameters * static_cast<long>(arenas_.size());
    bucket->gathering = bucket->done = false;
  }
}

bool GradientReducer::overlaps() const { return !sums_.empty() && arenas_[0].gradients().device() == Device::cpu; }

void GradientReducer::ready(long shard, const Var& parameter) {
  if (!overlaps()) return;
  const long offset = arenas_[shard].offset_of(parameter);
  const std::lock_guard lock(mutex_);
  for (const auto& bucket : buckets_)
    if (bucket->begin <= offset && offset < bucket->end) --bucket->missing;
  start_those_ready(false);
}

// In the same order on every rank, whichever is complete first.
void GradientReducer::start_those_ready(bool all) {
  for (std::size_t k = 0; k < started_; ++k) go_on(*buckets_[k]);
  for (; started_ < buckets_.size() && (all || buckets_[started_]->missing == 0); ++started_) {
    early_ += !all;
    start(*buckets_[started_]);
  }
}

void GradientReducer::add_own(const Bucket& bucket) {
  const ShardRange own = shard_range(shards_, team_.rank(), team_.size());
  const auto gradients = [&](long shard) {
    return sums_[shard - own.begin].view(bucket.begin, {bucket.end - bucket.begin});
  };
  for_each_pair(shards_, [&](long to, long from) {
    if (adds_within(own, to, from, shards_)) add_to(gradients(to), gradients(from));
  });
}

void GradientReducer::send(Bucket& bucket, long to, long tag, const Tensor& what) {
  if (what.numel() == 0) return;
  bucket.transfers.push_back(team_.send(to, tag, what.host<std::byte>(), what.bytes()));
  bytes_sent_ += what.bytes();
}
void GradientReducer::receive(Bucket& bucket, long from, long tag, const Tensor& into) {
  if (into.numel() > 0) bucket.transfers.push_back(team_.receive(from, tag, into.host<std::byte>(), into.bytes()));
}

void GradientReducer::start(Bucket& bucket) {
  add_own(bucket);
  const long me = team_.rank(), first = shard_range(shards_, me, team_.size()).begin, tag = bucket.number * 2;
  for (long k = 1; k < team_.size(); ++k) {
    const long to = (me + k) % team_.size(), from = (me + team_.size() - k) % team_.size();
    for (const long root : roots_[from]) receive(bucket, from, tag, bucket.received.at(root));
    for (const long root : roots_[me]) send(bucket, to, tag, part(sums_[root - first], bucket, to));
  }
}

void GradientReducer::add_exchanged(Bucket& bucket) {
  const long me = team_.rank(), ranks = team_.size();
  const ShardRange own = shard_range(shards_, me, ranks);
  const auto sum = [&](long root) {
    return holds(own, root) ? part(sums_[root - own.begin], bucket, me) : bucket.received.at(root);
  };
  for_each_pair(shards_, [&](long to, long from) {
    for (long r = 0; r < ranks; ++r)
      if (adds_within(shard_range(shards_, r, ranks), to, from, shards_)) return;  // done before
    add_to(sum(to), sum(from));
  });
  if (me > 0) part(sums_[0], bucket, me).copy_from(sum(0));
}

bool GradientReducer::go_on(Bucket& bucket) {
  if (bucket.done || !team_.all_arrived(bucket.transfers)) return bucket.done;
  if (bucket.gathering) return bucket.done = true;
  bucket.gathering = true;
  add_exchanged(bucket);
  const long tag = bucket.number * 2 + 1;
  for (long k = 1; k < team_.size(); ++k) {
    const long to = (team_.rank() + k) % team_.size(), from = (team_.rank() + team_.size() - k) % team_.size();
    receive(bucket, from, tag, part(sums_[0], bucket, from));
    send(bucket, to, tag, part(sums_[0], bucket, team_.rank()));
  }
  return go_on(bucket);
}

void GradientReducer::finish() {
  if (sums_.empty()) {
    const profile::Span span("sum over shards", profile::Phase::backward);
    const auto own = static_cast<long>(arenas_.size());
    for_each_pair(own, [&](long to, long from) { arenas_[to].take_gradients(arenas_[from]); });
    if (device_sum_) device_sum_(arenas_[0].gradients());
    return;
  }
  const profile::Span span("sum over ranks", profile::Phase::backward);
  const bool elsewhere = sums_[0].device() != arenas_[0].gradients().device();
  for (std::size_t i = 0; elsewhere && i < arenas_.size(); ++i) sums_[i].copy_from(arenas_[i].gradients());
  start_those_ready(true);
  for (const auto& bucket : buckets_)
    while (!go_on(*bucket)) {
      team_.wait(bucket->transfers);
      start_those_ready(true);
    }
  if (elsewhere) arenas_[0].gradients().copy_from(sums_[0]);
  for (std::size_t i = 1; i < arenas_.size(); ++i) arenas_[i].clear_gradients();
}

}  // namespace lookhere
