// Loader: batches of normalised images, prepared ahead by threads of its own, and put where they are wanted.
#pragma once
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/tensor.h"
#include "vit/data/augment/mix.h"
#include "vit/data/image_loader.h"

namespace lookhere {

struct Batch {
  Tensor images;   // (b, c, h, w) f32, normalised; on the loader's device. Of LoaderOptions::shards alone.
  Tensor labels;   // (b) i64, in host memory, of the whole batch
  Tensor targets;  // (b, classes) f32, in host memory, where images are mixed; else undefined
  long index = 0;  // its number since start
};

struct LoaderOptions {
  long batch_size = 128;
  bool shuffle = false;                        // a new order every epoch
  bool drop_last = false;                      // leave out a last batch that is not full
  long repeats = 1;                            // of an image, one after another, each augmented by itself
  long crop_padding = 0;                       // pixels of the stored image; 0: no crops
  double hflip = 0;                            // probability of mirroring an image
  std::optional<AugmentOptions> augment = {};  // for more: crop_padding and hflip are then not looked at
  MixOptions mix = {};
  double smoothing = 0;  // of the labels, where images are mixed
  std::uint64_t seed = 0;
  long image_height = 0, image_width = 0;  // pixels; 0: the data set's own; others are resized after cropping
  int workers = 1;                         // threads
  int prefetch = 2;                        // batches ready ahead of the one in use
  Device device = Device::cpu;             // where images go: workers copy them while the device computes
  // Of every batch, cut into shards_in_all, only the images of these are prepared.
  ShardRange shards = {0, 1};
  long shards_in_all = 1;
  // The option that set batch_size, for whoever has too little memory.
  const char* batch_option = "--batch-size";
};

// order becomes the order of an epoch: a permutation of 0 ... size - 1 (Fisher-Yates).
void shuffle_order(std::vector<std::uint32_t>& order, std::uint64_t seed, long epoch);

// What a batch holds depends on the data set, the seed, the epoch and its number alone, never on workers or prefetch.
// An epoch has as many samples as the set has images. With `repeats` of 1 it shows each once; else sample i is image
// order[i / repeats], so that an epoch shows the first of its order alone, each as often (Hoffer et al. 2020, as DeiT
// has it on one process), and its augmentation is that of epoch * repeats + i % repeats: no two views of a run share
// one. All memory is taken by the constructor, but for images whose sizes differ. For one consumer: start and next are
// not to be called from several threads.
class Loader {
 public:
  // The data set must outlive the loader. Throws Error for options out of range, for hflip on a data set whose
  // labels it would falsify, and if images differ in size and none is asked for; OutOfMemory if the batches do not fit,
  // or not even one thread can be started.
  Loader(const Dataset& dataset, LoaderOptions options);
  Loader(Dataset&&, LoaderOptions) = delete;

  long batches() const { return batches_from(0); }  // per epoch
  // Begins an epoch at an image of its order, from wherever the loader was.
  void start(long epoch, long first_image = 0);
  // The rows of a batch of this size whose images are prepared.
  ShardRange own_rows(long batch) const;
  // The next batch, in order; false at the end of the epoch. It shares the loader's memory and stays valid until the
  // next call of next or start. What a worker throws is thrown here, in place of its batch.
  bool next(Batch& batch);

 private:
  struct Slot {
    Tensor images, labels, targets;
    Tensor there;  // on the device, where that is not the host
    Fence in_use;  // up to here the device needs what is there
    long rows = 0;
    bool ready = false;
    std::exception_ptr error = nullptr;
  };
  void take_slots(long height, long width);
  void start_workers(long height, long width);
  void work(ImageLoader& images, const std::stop_token& stop);
  void fill(ImageLoader& images, Slot& slot, long batch) const;
  void mix(Slot& slot, long first_image) const;
  Tensor own_images(const Slot& slot) const;
  bool mixes() const { return options_.mix.mixup_alpha > 0 || options_.mix.cutmix_alpha > 0; }
  void release();
  long batches_from(long first_image) const;

  const Dataset& dataset_;
  const LoaderOptions options_;
  std::vector<Slot> slots_;  // batch i lives in slot i % slots_.size()
  std::vector<std::uint32_t> order_;

  std::mutex mutex_;  // guards all below, and which thread owns a slot
  std::condition_variable_any claimable_;
  std::condition_variable filled_;
  long epoch_ = -1, first_image_ = 0, end_ = 0;  // end_: batches from the first image on
  long claimed_ = 0, given_ = 0;                 // the next batch for a worker to prepare, and for next() to hand out
  long released_ = 0;                            // batches before this one are no longer in use
  int busy_ = 0;                                 // workers with a claimed batch
  std::vector<std::jthread> workers_;            // last: they stop and are joined before anything they use goes
};

}  // namespace lookhere
