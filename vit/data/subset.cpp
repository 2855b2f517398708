// The images stay where they are: the subset asks the set's own source for them.
#include "vit/data/subset.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace lookhere {
namespace {

class PartOfSource : public ImageSource {
 public:
  PartOfSource(std::shared_ptr<const ImageSource> whole, std::vector<long> chosen)
      : whole_(std::move(whole)), chosen_(std::move(chosen)) {}
  long size() const override { return static_cast<long>(chosen_.size()); }
  Image read(long i, std::vector<std::uint8_t>& buffer) const override { return whole_->read(chosen_[i], buffer); }
  Image read_enough(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) const override {
    return whole_->read_enough(chosen_[i], buffer, enough);
  }
  std::uint64_t hash() const override {
    std::uint64_t all = whole_->hash();
    for (const long i : chosen_) all = 31 * all + static_cast<std::uint64_t>(i);
    return all;
  }
  long read_stored(long i) const override { return whole_->read_stored(chosen_[i]); }
  std::string name(long i) const override { return whole_->name(chosen_[i]); }
  Skipped skipped() const override { return whole_->skipped(); }
  void also_skipped(const Skipped& others) const override { whole_->also_skipped(others); }

 private:
  std::shared_ptr<const ImageSource> whole_;
  std::vector<long> chosen_;
};

Dataset part_of(Dataset data, std::vector<long> chosen) {
  std::vector<std::int32_t> labels;
  labels.reserve(chosen.size());
  for (const long i : chosen) labels.push_back(data.labels[i]);
  if (data.masks) data.masks = [all = data.masks, chosen](long i) { return all(chosen[i]); };
  data.images = std::make_shared<PartOfSource>(std::move(data.images), std::move(chosen));
  data.labels = std::move(labels);
  return data;
}

// Over the images in the order of their classes: in the set's own, classes that take turns would fall in step with the
// choice, and most of them be left out.
std::vector<long> evenly_spread(long count, const std::vector<std::int32_t>& labels) {
  std::vector<long> by_class(labels.size()), chosen;
  std::iota(by_class.begin(), by_class.end(), 0L);
  std::ranges::stable_sort(by_class, {}, [&](long i) { return labels[i]; });
  for (long i = 0; i < count; ++i) chosen.push_back(by_class[i * std::ssize(labels) / count]);
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace

Dataset subset(Dataset data, long count) {
  check(count >= 0, "subset: wanted a count from 0, got ", count);
  if (count == 0 || count >= data.size()) return data;
  std::vector<long> chosen = evenly_spread(count, data.labels);
  return part_of(std::move(data), std::move(chosen));
}

Split hold_out(Dataset data, double share) {
  check(share >= 0 && share <= 0.5, "hold_out: wanted a share from 0 to 0.5, got ", share);
  const long size = data.size(), count = std::lround(share * static_cast<double>(size));
  const std::vector<long> held = evenly_spread(count, data.labels);
  if (held.empty()) {
    Dataset none = part_of(data, {});
    return {.kept = std::move(data), .held = std::move(none)};
  }
  std::vector<long> kept;
  for (long i = 0, next = 0; i < size; ++i)
    if (next < count && held[next] == i)
      ++next;
    else
      kept.push_back(i);
  return {.kept = part_of(data, std::move(kept)), .held = part_of(data, held)};
}

}  // namespace lookhere
