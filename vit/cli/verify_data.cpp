// lookhere verify-data: every image of a data set read once, to find what training would stumble on.
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>

#include "tensor/hash.h"
#include "tensor/machine.h"
#include "vit/cli/commands.h"
#include "vit/data/format.h"
#include "vit/data/image_folder.h"
#include "vit/data/pixel_counts.h"
#include "vit/model/preprocessing.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

using Size = std::pair<long, long>;  // height, width

// What a pass over some images found.
struct Findings {
  struct Of {  // one image
    std::uint64_t hash = 0;
    Size size;
    std::string broken;  // why, if it is
  };
  std::vector<Of> images;
  PixelCounts pixels;
  double seconds = 0;
};

Findings read_all(const Dataset& dataset, const std::string& label) {
  Findings found{.images = std::vector<Findings::Of>(dataset.size()), .pixels = PixelCounts(dataset.channels)};
  std::vector<PixelCounts> pixels(thread_count(), found.pixels);
  std::vector<std::vector<std::uint8_t>> buffers(thread_count());
  std::exception_ptr failure;
  std::atomic<long> done = 0;
  Progress progress(label, dataset.size());
  const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel for schedule(dynamic) num_threads(thread_count())
  for (long i = 0; i < dataset.size(); ++i) try {
      const int thread = omp_get_thread_num();
      Findings::Of& of = found.images[i];
      try {
        const Image image = dataset.read(i, buffers[thread]);
        of.size = {image.height, image.width};
        of.hash = hash_of(image.pixels, image.numel()) ^ static_cast<std::uint64_t>(image.width);
        pixels[thread].add(image);
      } catch (const Error& error) {
        of.broken = error.what();
      }
      ++done;
      if (thread == 0) progress.update(done);
    } catch (...) {  // no memory
#pragma omp critical
      failure = std::current_exception();
    }
  if (failure) std::rethrow_exception(failure);
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const PixelCounts& some : pixels) found.pixels.add(some);
  progress.finish_quietly();
  return found;
}

struct Split {
  const char* name;
  Dataset dataset;
  Findings found;
};

class VerifyData : public Command {
 public:
  Page page() const override {
    return {.name = "verify-data",
            .summary = "Reads every image of a data set: sizes, classes, what is broken or there twice, mean and std",
            .examples = "  lookhere verify-data photographs\n  OMP_NUM_THREADS=1 lookhere verify-data cifar10"};
  }
  void add_options(Options& o) override {
    o.add({.names = "data", .help = source_help(), .required = true, .file = File::read}, data);
  }
  void run() const override;

 private:
  std::vector<Split> splits() const;
  std::string data;
};

// Those that are there: training, test or both. What is there has to be in order.
std::vector<Split> VerifyData::splits() const {
  std::vector<Split> all;
  for (const bool train : {true, false}) {
    const bool there = is_named_dataset(data) ||
                       std::ranges::any_of(formats(), [&](const Format& format) { return format.is_in(data, train); });
    if (!there && (train || !all.empty())) continue;  // with neither the last word says what is wanted
    Dataset dataset = load_dataset(data, train);
    const char* name = train ? "training" : "test";
    Findings found = read_all(dataset, name);
    all.push_back({.name = name, .dataset = std::move(dataset), .found = std::move(found)});
  }
  return all;
}

void print_sizes(const Split& split) {
  std::map<Size, long> counts;
  for (const Findings::Of& of : split.found.images)
    if (of.broken.empty()) ++counts[of.size];
  if (counts.empty()) return;
  constexpr std::size_t kShown = 5;
  std::vector<std::pair<long, Size>> common;
  long low = counts.begin()->first.second, high = 0;
  for (const auto& [size, count] : counts) {
    common.emplace_back(-count, size);
    low = std::min(low, size.second), high = std::max(high, size.second);
  }
  std::ranges::sort(common);
  print("sizes      {} of them, {} to {} pixels wide and {} to {} high; most often\n", counts.size(), low, high,
        counts.begin()->first.first, counts.rbegin()->first.first);
  for (std::size_t i = 0; i < std::min(common.size(), kShown); ++i)
    print("  {:>8} {}x{}\n", -common[i].first, common[i].second.second, common[i].second.first);
}

void print_classes(const Dataset& dataset) {
  std::map<std::int32_t, long> counts;
  for (const std::int32_t label : dataset.labels) ++counts[label];
  for (long label = 0; label < dataset.classes; ++label) counts[static_cast<std::int32_t>(label)] += 0;
  print("classes    {}\n", counts.size());
  for (const auto& [label, count] : counts)
    print("  {:>8} {}\n", count, label < dataset.classes ? dataset.class_names[label] : std::to_string(label));
}

// Returns how many there are.
long print_broken(const Split& split) {
  long count = 0;
  for (const Findings::Of& of : split.found.images)
    if (!of.broken.empty() && ++count) print("broken     {}\n", of.broken);
  return count;
}

// Pictures that are equal pixel by pixel, also where one is for training and the other for testing.
void print_duplicates(const std::vector<Split>& splits) {
  std::map<std::uint64_t, std::vector<std::string>> names;
  for (const Split& split : splits)
    for (long i = 0; i < split.dataset.size(); ++i)
      if (const Findings::Of& of = split.found.images[i]; of.broken.empty())
        names[of.hash].push_back(concat(split.name, " ", split.dataset.images->name(i)));
  long more = 0;
  for (const auto& [hash, same] : names) {
    for (std::size_t k = 1; k < same.size(); ++k) print("duplicate  {} = {}\n", same[0], same[k]);
    more += std::ssize(same) - 1;
  }
  print("duplicates {}\n", more);
}

void VerifyData::run() const {
  announce();
  const std::vector<Split> all = splits();
  long broken = 0, images = 0;
  for (const Split& split : all) {
    const long count = split.dataset.size();
    print("{:<10} {} images, read in {:.2f} s: {:.0f} images/s with {} threads\n", split.name, count,
          split.found.seconds, static_cast<double>(count) / split.found.seconds, thread_count());
    if (!split.dataset.made_from.empty()) print("made from  {}\n", split.dataset.made_from);
    print_classes(split.dataset);
    print_sizes(split);
    print("mean       {}\nstd        {}\n", listed(split.found.pixels.mean()), listed(split.found.pixels.std()));
    broken += print_broken(split), images += count;
  }
  print_duplicates(all);
  if (const std::string others = is_named_dataset(data) ? "" : passed_over(data); !others.empty())
    print("others     {}\n", others);
  check(broken == 0, data, ": ", broken, " of ", images, " images are broken");
}

}  // namespace

std::unique_ptr<Command> make_verify_data() { return std::make_unique<VerifyData>(); }

}  // namespace lookhere
