// A ring of batches: workers claim the next one in order while its slot is free, and next() hands them out in order.
#include "vit/data/loader.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <system_error>
#include <utility>

#include "tensor/out_of_memory.h"
#include "tensor/random.h"

namespace lookhere {
namespace {

void check_options(const Dataset& dataset, const LoaderOptions& o) {
  check(1 <= o.batch_size && o.batch_size <= 1 << 24, "loader: batch_size must lie in [1, 16777216], got ",
        o.batch_size);
  check(!o.drop_last || o.batch_size <= dataset.size(), o.batch_option, ": wanted at most the ", dataset.size(),
        " images of ", dataset.name, ", got ", o.batch_size);
  check(0 <= o.crop_padding && o.crop_padding <= 1 << 16, "loader: crop_padding must lie in [0, 65536], got ",
        o.crop_padding);
  for (long side : {o.image_height, o.image_width})
    check(0 <= side && side <= 1 << 16, "loader: image height and width must lie in [0, 65536], got ", side);
  check(1 <= o.workers && o.workers <= 256, "loader: workers must lie in [1, 256], got ", o.workers);
  check(1 <= o.repeats && o.repeats <= 64, "loader: repeats must lie in [1, 64], got ", o.repeats);
  check(0 <= o.shards.begin && o.shards.begin < o.shards.end && o.shards.end <= o.shards_in_all, "loader: no shards ",
        o.shards.begin, " to ", o.shards.end, " of ", o.shards_in_all);
  check(0 <= o.prefetch && o.prefetch <= 1024, "loader: prefetch must lie in [0, 1024], got ", o.prefetch);
  const double mirrored = o.augment ? o.augment->hflip : o.hflip;
  check(mirrored == 0 || dataset.mirror_keeps_label, "loader: hflip would falsify the labels of ", dataset.name);
  check(dataset.size() <= std::numeric_limits<std::uint32_t>::max(), "loader: more than 2^32 images");
}

}  // namespace

void shuffle_order(std::vector<std::uint32_t>& order, std::uint64_t seed, long epoch) {
  std::iota(order.begin(), order.end(), 0U);
  Rng rng(seed, Purpose::shuffle, static_cast<std::uint32_t>(epoch));
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[rng.below(static_cast<std::uint32_t>(left))]);
}

Loader::Loader(const Dataset& dataset, LoaderOptions options) : dataset_(dataset), options_(std::move(options)) {
  check_consistent(dataset);
  check_options(dataset, options_);
  const long height = options_.image_height ? options_.image_height : dataset.height;
  const long width = options_.image_width ? options_.image_width : dataset.width;
  check(height > 0 && width > 0, "loader: the images of ", dataset.name,
        " differ in size: wanted a height and a width");
  order_.resize(dataset.size());
  std::iota(order_.begin(), order_.end(), 0U);
  take_slots(height, width);
  start_workers(height, width);
}

void Loader::take_slots(long height, long width) {
  try {
    // One more than are prepared ahead: the one in use. Fewer than one per worker would leave workers idle.
    const int slots = std::max(options_.prefetch, options_.workers) + 1;
    const long rows = std::min(options_.batch_size, dataset_.size());
    // Whoever mixes images needs room for the others, too.
    const Shape shape{mixes() ? rows : own_rows(rows).size(), dataset_.channels, height, width};
    const Shape own{own_rows(rows).size(), dataset_.channels, height, width};
    for (int i = 0; i < slots; ++i) {
      const Tensor images = empty(shape, Dtype::f32, Device::cpu), labels = empty({rows}, Dtype::i64, Device::cpu);
      const bool elsewhere = options_.device != Device::cpu;
      slots_.push_back({.images = images,
                        .labels = labels,
                        .targets = mixes() ? empty({rows, dataset_.classes}, Dtype::f32, Device::cpu) : Tensor(),
                        .there = elsewhere ? empty(own, Dtype::f32, options_.device) : Tensor(),
                        .in_use = Fence(options_.device)});
    }
  } catch (OutOfMemory& error) {
    error.advise("; this is for batches: lower ");
    error.advise(options_.batch_option);
    throw;
  }
}

// With fewer threads than wanted batches are the same, only later.
void Loader::start_workers(long height, long width) {
  try {
    for (int i = 0; i < options_.workers; ++i)
      workers_.emplace_back(
          [this, gpu = SameGpu(), images = ImageLoader(dataset_, height, width)](const std::stop_token& stop) mutable {
            gpu.use();
            work(images, stop);
          });
  } catch (const std::system_error& error) {
    if (!workers_.empty()) return;
    throw Error(concat("cannot start a thread: ", error.code().message()), Exit::memory);
  }
}

ShardRange Loader::own_rows(long batch) const { return shard_range(batch, options_.shards, options_.shards_in_all); }

// Where the images of own rows lie in a slot.
Tensor Loader::own_images(const Slot& slot) const {
  const auto [begin, end] = own_rows(slot.rows);
  return mixes() ? slot.images.rows(begin, end) : slot.images.rows(0, end - begin);
}

long Loader::batches_from(long first_image) const {
  return (dataset_.size() - first_image + (options_.drop_last ? 0 : options_.batch_size - 1)) / options_.batch_size;
}

void Loader::start(long epoch, long first_image) {
  check(0 <= epoch && epoch <= std::numeric_limits<std::uint32_t>::max() / options_.repeats, "loader: no epoch ",
        epoch);
  check(0 <= first_image && first_image <= dataset_.size(), "loader: cannot start at image ", first_image, " of ",
        dataset_.size());
  std::unique_lock lock(mutex_);
  end_ = claimed_;  // nothing more to claim
  filled_.wait(lock, [&] { return busy_ == 0; });
  release();
  for (Slot& slot : slots_) {
    slot.ready = false;
    slot.error = nullptr;
  }
  if (options_.shuffle) shuffle_order(order_, options_.seed, epoch);
  epoch_ = epoch;
  first_image_ = first_image, end_ = batches_from(first_image);
  claimed_ = given_ = released_ = 0;
  claimable_.notify_all();
}

// What has been handed out may be filled again, once the device has done what it was asked to do with it.
void Loader::release() {
  for (; released_ < given_; ++released_) slots_[released_ % slots_.size()].in_use.set();
}

bool Loader::next(Batch& batch) {
  std::unique_lock lock(mutex_);
  check(epoch_ >= 0, "loader: next before start");
  release();
  claimable_.notify_all();
  if (given_ == end_) return false;
  Slot& slot = slots_[given_ % slots_.size()];
  filled_.wait(lock, [&] { return slot.ready; });
  slot.ready = false;
  batch.index = given_++;
  if (slot.error) std::rethrow_exception(std::exchange(slot.error, nullptr));
  const Tensor images = own_images(slot);
  batch.images = slot.there.defined() ? slot.there.rows(0, images.shape()[0]) : images;
  batch.labels = slot.labels.rows(0, slot.rows);
  batch.targets = mixes() ? slot.targets.rows(0, slot.rows) : Tensor();
  return true;
}

void Loader::work(ImageLoader& images, const std::stop_token& stop) {
  const auto slots = static_cast<long>(slots_.size());
  std::unique_lock lock(mutex_);
  while (claimable_.wait(lock, stop, [&] { return epoch_ >= 0 && claimed_ < std::min(end_, released_ + slots); })) {
    if (stop.stop_requested()) return;
    const long batch = claimed_++;
    Slot& slot = slots_[batch % slots];
    ++busy_;
    lock.unlock();
    std::exception_ptr error;
    try {
      fill(images, slot, batch);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    --busy_;
    slot.error = std::move(error);
    slot.ready = true;
    filled_.notify_all();
  }
}

// Drawn by how many images of the run came before, so that it goes on the same wherever a run is resumed.
void Loader::mix(Slot& slot, long first_image) const {
  const Shape shape = slot.images.shape();
  const Mix mix = draw_mix(options_.mix, options_.seed, epoch_ * dataset_.size() + first_image, shape[2], shape[3]);
  mix_images(mix, slot.images.host<float>(), slot.rows, shape[1], shape[2], shape[3]);
  soft_targets(mix, options_.smoothing, slot.labels.host<i64>(), slot.rows, dataset_.classes,
               slot.targets.host<float>());
}

void Loader::fill(ImageLoader& images, Slot& slot, long batch) const {
  const long begin = first_image_ + batch * options_.batch_size;
  slot.rows = std::min(options_.batch_size, dataset_.size() - begin);
  const Augment augment{.crop_padding = options_.crop_padding, .hflip = options_.hflip};
  const auto [first, last] = own_rows(slot.rows);
  const long size = slot.images.shape()[1] * slot.images.shape()[2] * slot.images.shape()[3];
  for (long row = 0; row < slot.rows; ++row) {
    const long index = order_[(begin + row) / options_.repeats];
    slot.labels.host<i64>()[row] = dataset_.labels[index];
    const long partner = slot.rows - 1 - row;
    const bool mine = first <= row && row < last, partners = mixes() && first <= partner && partner < last;
    if (!mine && !partners) continue;
    float* const out = slot.images.host<float>() + (mixes() ? row : row - first) * size;
    const long drawn = epoch_ * options_.repeats + (begin + row) % options_.repeats;
    if (options_.augment)
      images.load_augmented(index, out, *options_.augment, options_.seed, drawn);
    else
      images.load(index, out, draw_view(augment, options_.seed, drawn, index));
  }
  if (mixes()) mix(slot, begin);
  if (options_.device == Device::cpu) return;
  slot.in_use.wait();
  const Tensor own = own_images(slot);
  slot.there.rows(0, own.shape()[0]).copy_beside(own);
}

}  // namespace lookhere
