// What a run of a comparison is judged by.
#pragma once
#include <functional>
#include <set>

#include "vit/compare/measurements.h"
#include "vit/compare/subject.h"
#include "vit/eval/accuracy.h"
#include "vit/eval/calibration.h"
#include "vit/train/plan.h"

namespace lookhere {

inline constexpr long kPicturesForHeads = 64;
// Whom to tell, whom to ask.
struct ComparisonWatch {
  // Work done since the last call, in millions of multiply-adds, and what is going on.
  std::function<void(double work, const std::string& detail)> advance;
  std::function<void(const std::string& line)> note;
  std::function<bool()> stop;
  MemoryBudget memory = {};  // of this process: a run that needs more is refused before it takes any
};

std::vector<std::string> judging_groups();  // accuracy, tuned, heads, lens, shift, corruptions, fgsm, pgd
// Words of --metrics: groups, or "all" for all but pgd, as no words are. Throws Error for others.
std::set<std::string> groups_of(const std::vector<std::string>& words);

// By what.
struct Judging {
  std::vector<long> sizes;            // sides of the test images in pixels
  bool all_at_sizes = false;          // what is marked * below too, instead of at the model's own alone
  std::vector<double> epsilon{1, 3};  // of FGSM and PGD, in 1/255
  long pgd_steps = 10;
  double pgd_step = 0;    // in 1/255; 0: 2.5 epsilon / steps
  bool held_out = false;  // are there images to tune with
  bool masks = false;     // has the test set any
  std::set<std::string> groups = groups_of({});
};

// Metrics by name; sizes are those of Judging::sizes and, marked *, the model's own alone:
//   top1, top5, loss   in percent; mean cross-entropy
//   ece                expected calibration error over 15 bins, in percent
//   tuned.top1, .top5  at other sizes than the model's, with the best value of the encoding's tunable number, if it has
//                      one and images are held out: tuned.value (tune.h)
//   diversity, distance, similarity  * of heads and patch tokens (vit/eval/heads.h), the mean over layers and, as
//                      diversity.3, of layer 3; of kPicturesForHeads images
//   lens.miou          * of the patch logit lens in the last layer and, as lens.miou.3, in layer 3
//   (vit/eval/logit_lens.h),
//                      where the set has masks
//   shifted            * top-1 where images are shifted by an eighth of the side, the mean over eight directions
//   corrupted.KIND     * top-1 of images with noise, blur, contrast or jpeg (vit/eval/corruption.h), the mean over five
//                      strengths and, as corrupted.noise.3, of each
//   fgsmE.top1, .top5  * accuracy in percent where FGSM has changed every pixel by E/255: fgsm1, fgsm3
//   pgdE.top1, .top5   * the same of PGD
struct ImageCounts {
  long train, test, held_out;  // as many as are looked at
};
class Measuring {
 public:
  // `judging` of a run with such a model, step by step in the order above.
  Measuring(const Judging& judging, const ViTConfig& model, const ImageCounts& images);

  // Does what `have` lacks; false if it was stopped before the end. subject() is not called where there is nothing to
  // do.
  bool run(const std::function<Subject&()>& subject, Measurements& have, const ComparisonWatch& watch) const;
  bool is_done(const Measurements& have) const;
  // In the units of ComparisonWatch::advance: of all steps, of what of them is done; of one image at the model's size
  // forward, and forward and backward.
  double work() const;
  double work_done(const Measurements& have) const;
  double forward_pass() const { return forward_pass_; }
  double training_pass() const;

  struct Step {
    std::string group, detail, first_metric;
    long size;
    double work;  // per image
    // Nothing if it was stopped.
    std::function<std::vector<Measurement>(Subject&, const EvaluationOptions&)> run;
    long passes = 1, tuning_passes = 0;  // over the test images, over those that are held out
    long images = 0;                     // at most as many test images; 0: all
  };

 private:
  double work_of(const Step& step) const;
  std::vector<Step> steps_;
  ImageCounts images_;
  double forward_pass_;
};

struct Judgement {
  Accuracy accuracy;
  Calibration calibration;  // of softmax or, where the run minimised binary cross-entropy, of sigmoids
};
Judgement judge(Subject& subject, long size, EvaluationOptions options = {});

}  // namespace lookhere
