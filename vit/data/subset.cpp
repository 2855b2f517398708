// The images stay where they are: the subset asks the set's own source for them.
#include "vit/data/subset.h"

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
  std::uint64_t hash() const override { return whole_->hash() + chosen_.size(); }
  long read_stored(long i) const override { return whole_->read_stored(chosen_[i]); }
  std::string name(long i) const override { return whole_->name(chosen_[i]); }
  std::vector<std::string> skipped() const override { return whole_->skipped(); }

 private:
  std::shared_ptr<const ImageSource> whole_;
  std::vector<long> chosen_;
};

}  // namespace

Dataset subset(Dataset data, long count) {
  const long size = data.size();
  check(count >= 0, "subset: wanted a count from 0, got ", count);
  if (count == 0 || count >= size) return data;
  std::vector<long> chosen;
  std::vector<std::int32_t> labels;
  for (long i = 0; i < count; ++i) chosen.push_back(i * size / count), labels.push_back(data.labels[chosen.back()]);
  if (data.masks) data.masks = [all = data.masks, chosen](long i) { return all(chosen[i]); };
  data.images = std::make_shared<PartOfSource>(std::move(data.images), std::move(chosen));
  data.labels = std::move(labels);
  return data;
}

}  // namespace lookhere
