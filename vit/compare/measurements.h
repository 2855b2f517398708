// The numbers of one run of a comparison, kept in its folder as they come.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace lookhere {

struct Measurement {
  std::string metric;  // "top1", "fgsm1.top5": see measure.h
  long size;           // side of the images in pixels; 0 where none is meant
  double value;
  bool operator==(const Measurement&) const = default;
};

class Measurements {
 public:
  // Without a path they are in memory alone. Else reads the file if it is there. made_with: what the numbers depend on
  // beside the run. Throws Error for a file that this class has not written, and for numbers made with something else.
  Measurements(std::string path, std::string made_with);

  std::optional<double> find(const std::string& metric, long size) const;
  // Saves them at once, all or none of them.
  void add(const std::vector<Measurement>& more);
  const std::vector<Measurement>& all() const { return all_; }  // in the order in which they came

 private:
  std::string path_, made_with_;
  std::vector<Measurement> all_;
};

}  // namespace lookhere
