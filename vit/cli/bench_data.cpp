// The stages are those of ImageLoader, one after another on one thread; then a Loader with its workers.
#include "vit/cli/bench_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "kernels/simd/isa.h"
#include "tensor/machine.h"
#include "vit/data/loader.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSecondsOfStages = 4, kSecondsOfLoader = 4;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct Stage {
  const char* name;
  double seconds = 0;
  // Returns what `work` returns.
  template <class F>
  auto time(const F& work) {
    struct Stop {
      ~Stop() { seconds += since(begin); }
      double& seconds;
      Clock::time_point begin;
    } const stop{seconds, Clock::now()};
    return work();
  }
};

class Stages {
 public:
  Stages(const Dataset& data, const LoaderOptions& seen)
      : data_(data),
        seen_(seen),
        loader_(data, seen.image_height, seen.image_width),
        out_(checked_mul(data.channels, checked_mul(seen.image_height, seen.image_width))) {}

  void run();
  long images() const { return images_; }
  // Of one image. A stage that could not be measured by itself is the difference of two, and not below 0.
  std::vector<Stage> all() const;

 private:
  void load(long index);
  void load_augmented(long index);

  const Dataset& data_;
  const LoaderOptions& seen_;
  ImageLoader loader_;
  std::vector<float> out_;
  std::vector<std::uint8_t> buffer_;
  long images_ = 0;
  Stage read_{"read"}, decode_{"read, decode"}, crop_{"crop, resize"}, augment_{"crop, resize, augment"},
      normalise_{"normalise"}, whole_{"all"};
};

void Stages::run() {
  std::vector<std::uint32_t> order(data_.size());
  shuffle_order(order, seen_.seed, 0);
  const auto begin = Clock::now();
  for (const long index : order) {
    // What the first of the two reads is in the system's memory for the second, as a disk's cost is counted once.
    read_.time([&] { return data_.images->read_stored(index); });
    if (seen_.augment)
      load_augmented(index);
    else
      load(index);
    ++images_;
    if (since(begin) > kSecondsOfStages) break;
  }
}

void Stages::load(long index) {
  decode_.time([&] { return data_.read(index, buffer_); });
  const View view = draw_view({.crop_padding = seen_.crop_padding, .hflip = seen_.hflip}, seen_.seed, 0, index);
  whole_.time([&] { loader_.load(index, out_.data(), view); });
}

void Stages::load_augmented(long index) {
  const AugmentOptions& options = *seen_.augment;
  const long height = seen_.image_height, width = seen_.image_width;
  Extent stored;
  const EnoughPixels enough = [&](Extent size) {
    stored = size;
    return enough_for_crop(size, options, seen_.seed, 0, index, height, width);
  };
  const Image image =
      decode_.time([&] { return data_.read(index, buffer_, options.scaled_decoding ? enough : EnoughPixels()); });
  AugmentOptions bare = options;
  bare.hflip = 0, bare.policy = AugmentPolicy::none, bare.jitter = {}, bare.erase = {};
  crop_.time([&] { return augment(image, bare, seen_.seed, 0, index, height, width, stored); });
  const Augmented augmented =
      augment_.time([&] { return augment(image, options, seen_.seed, 0, index, height, width, stored); });
  normalise_.time([&] { normalise(augmented, data_.mean, data_.std, out_.data()); });
}

std::vector<Stage> Stages::all() const {
  const auto count = static_cast<double>(images_);
  const auto less = [&](const Stage& a, const Stage& b) { return std::max(0.0, a.seconds - b.seconds) / count; };
  std::vector<Stage> stages{{"read", read_.seconds / count}, {"decode", less(decode_, read_)}};
  if (!seen_.augment) {
    stages.push_back({"crop, resize, normalise", less(whole_, decode_)});
    return stages;
  }
  stages.push_back({"crop, resize", crop_.seconds / count});
  stages.push_back({"augment", less(augment_, crop_)});
  stages.push_back({"normalise", normalise_.seconds / count});
  return stages;
}

// Images a second of whole batches, those of the first round left out: their memory is new.
double rate_of_loader(const Dataset& data, const LoaderOptions& options) {
  Loader loader(data, options);
  long images = 0, batches = 0, epoch = 0;
  Clock::time_point begin = Clock::now();
  Batch batch;
  loader.start(epoch);
  const long warm_up = std::min<long>(options.workers + options.prefetch, loader.batches() - 1);
  while (batches <= warm_up || since(begin) < kSecondsOfLoader) {
    if (!loader.next(batch)) {
      if (epoch == 2 && batches > warm_up) break;  // a small set need not last
      loader.start(++epoch);
      continue;
    }
    if (++batches <= warm_up)
      begin = Clock::now();
    else
      images += batch.labels.numel();
  }
  return static_cast<double>(images) / since(begin);
}

}  // namespace

nlohmann::ordered_json bench_data(const Recipe& recipe) {
  const Dataset data = load_training_data(recipe);
  const LoaderOptions seen = training_loader(recipe, data);
  Stages measured(data, seen);
  measured.run();
  const std::vector<Stage> stages = measured.all();
  const double loader = rate_of_loader(data, seen);
  double sum = 0;
  for (const Stage& stage : stages) sum += stage.seconds;
  const Stage& most = *std::ranges::max_element(stages, {}, &Stage::seconds);
  const std::string machine = concat(thread_count(), " threads, ", kernels::name_of(kernels::isa()));
  print("bench     data {}, {} of {} images, {}x{} px\nmachine   {}\n", recipe.data, measured.images(), data.size(),
        seen.image_height, seen.image_width, machine);
  print("loader    {:.4g} images/s with {} workers\n", loader, seen.workers);
  print("binds     {}, {:.0f} % of a worker's time\n\n", most.name, 100 * most.seconds / sum);
  print("{:<24} {:>9} {:>11} {:>8}\n", "stage, of one thread", "us/image", "images/s", "share");
  auto json = nlohmann::ordered_json{{"bench", "data"},
                                     {"data", recipe.data},
                                     {"img_size", {seen.image_height, seen.image_width}},
                                     {"images", measured.images()},
                                     {"workers", seen.workers},
                                     {"machine", machine},
                                     {"images_per_second", loader},
                                     {"binds", most.name}};
  json["stages"] = nlohmann::ordered_json::array();
  for (const Stage& stage : stages) {
    const std::string rate = stage.seconds > 0 ? fmt::format("{:.4g}", 1 / stage.seconds) : "";
    print("{:<24} {:>9.1f} {:>11} {:>6.1f} %\n", stage.name, 1e6 * stage.seconds, rate, 100 * stage.seconds / sum);
    json["stages"].push_back({{"stage", stage.name}, {"seconds_per_image", stage.seconds}});
  }
  print("{:<24} {:>9.1f} {:>11.4g} {:>6.1f} %\n", "all", 1e6 * sum, 1 / sum, 100.0);
  return json;
}

}  // namespace lookhere
