// Dataset: labelled images, and what is known of them without looking at one.
#pragma once
#include <functional>
#include <string>

#include "vit/data/image.h"
#include "vit/data/resample.h"

namespace lookhere {

struct Dataset {
  std::string name;
  long channels = 0, height = 0, width = 0, classes = 0;  // height, width: of every image; 0 where images differ
  std::vector<std::int32_t> labels;                       // (n), each in [0, classes)
  std::vector<std::string> class_names;                   // (classes)
  std::vector<float> mean, std;                           // (c), of pixel / 255, to normalise with
  bool mirror_keeps_label = true;  // false where a mirrored image belongs to another class, as east and west do
  // Classes are what their names say, as folders do, and labels only count them: see relabel.
  bool labels_by_name = false;
  // How a model is shown a test image. Above 0: the shorter side becomes the model's side divided by crop_ratio, and
  // the centre is cut out; 0: the whole image, its sides resized by themselves.
  double crop_ratio = 0;
  Interpolation interpolation = Interpolation::bilinear;  // where something is cut out
  bool mirror_by_default = false;             // true for photographs of things, which may as well be seen mirrored
  std::shared_ptr<const ImageSource> images;  // copies of the set share them
  // Where each thing in image i lies, (height, width): 0 the background, 1 the first thing that the label speaks of,
  // from 2 on others, each where it covers at least half of the pixel. Not there where a set does not know it.
  std::function<std::vector<std::uint8_t>(long i)> masks;
  std::string made_from;  // of drawn sets that depend on files: which, in one line

  long size() const { return static_cast<long>(labels.size()); }
  // Image i, as ImageSource::read gives it or, if told what is enough, read_enough. Throws Error if there is no such
  // image, or one without pixels or of other channels than the set's.
  Image read(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough = {}) const;
  // Takes pixels (n, channels, height, width) for its images.
  void set_images(std::vector<std::uint8_t> pixels, long image_channels, long image_height, long image_width);
  // "1 of 1800 training images has been skipped, REASON" or how many were, with the first reason; "": none.
  std::string skipped(const char* kind) const;
  // Of images, labels and sizes: 16 hexadecimal digits.
  std::string hash() const;
};

// Sets mean and std from the pixels. A constant channel gets std 1, so that normalising stays finite.
void set_statistics(Dataset& dataset);
// Counts the classes otherwise: labels become positions in class_names, which may hold more than the set has. Throws
// Error for a class of the set that is not there.
void relabel(Dataset& dataset, const std::vector<std::string>& class_names);
// Throws Error unless the counts agree, labels lie in [0, classes) and std is positive.
void check_consistent(const Dataset& dataset);

}  // namespace lookhere
