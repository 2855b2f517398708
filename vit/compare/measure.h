// What a run of a comparison is judged by.
#pragma once
#include <functional>

#include "vit/compare/comparison.h"
#include "vit/compare/measurements.h"
#include "vit/compare/subject.h"
#include "vit/eval/accuracy.h"
#include "vit/eval/calibration.h"

namespace lookhere {

inline constexpr long kPicturesForHeads = 64;

// Whom to tell, whom to ask.
struct ComparisonWatch {
  // Work done since the last call, in forward passes of one image at the size of training, and what is going on.
  std::function<void(double work, const std::string& detail)> advance;
  std::function<void(const std::string& line)> note;
  std::function<bool()> stop;
};

// What the measurements depend on beside the run.
std::string made_with(const Comparison& comparison);

// Metrics by name; sizes are those of Comparison::sizes and, marked *, the model's own alone:
//   top1, top5, loss   in percent; mean cross-entropy
//   ece                expected calibration error over 15 bins, in percent
//   tuned.top1, .top5  at other sizes than the model's, with the best value of the encoding's tunable number, if it has
//                      one and images are held out: tuned.value (tune.h)
//   diversity, distance, similarity  * of heads and patch tokens (vit/eval/heads.h), the mean over layers and, as
//                      diversity.3, of layer 3; of kPicturesForHeads images
//   lens.miou          * of the patch logit lens in the last layer and, as lens.miou.3, in layer 3
//   (vit/eval/logit_lens.h),
//                      where the set has masks
//   fgsmE.top1, .top5  * accuracy in percent where FGSM has changed every pixel by E/255: fgsm1, fgsm3
// Model and images are those of Subject. Does what `have` lacks, in this order; false if it was
// stopped before the end. masks: whether the set has them.
bool measure(const Comparison& comparison, const std::string& checkpoint, bool masks, Measurements& have,
             const ComparisonWatch& watch);

struct Judgement {
  Accuracy accuracy;
  Calibration calibration;  // of softmax or, where the run minimised binary cross-entropy, of sigmoids
};
Judgement judge(Subject& subject, long size, EvaluationOptions options = {});

// The work of all that measure() does for one run, and of what of it is done.
struct ImageCounts {
  long train, test, held_out;  // as many as are looked at
  bool masks;                  // has the set any
};
struct MeasuringWork {
  double all = 0, done = 0;
};
MeasuringWork measuring_work(const Comparison& comparison, const ViTConfig& model, const ImageCounts& images,
                             const Measurements& have);

}  // namespace lookhere
