// Images changed by at most epsilon per pixel so that the model errs: FGSM (Goodfellow et al. 2015, arXiv 1412.6572)
// and PGD (Madry et al. 2018, arXiv 1706.06083), in the maximum norm.
#pragma once
#include "vit/model/preprocessing.h"
#include "vit/model/vit.h"

namespace lookhere {

struct AttackOptions {
  double epsilon = 0;    // largest change of a pixel whose values are in [0, 1]
  long steps = 1;        // 1, of epsilon: FGSM
  double step_size = 0;  // of each step; 0: 2.5 epsilon / steps, and epsilon for a single one
};

// One step: pixels p = x·std + mean of `images` move by `step` along the sign of `gradient` (of the loss by x, whose
// sign is that by p), and are brought back to within epsilon of those of `from` and to [0, 1]. All [B, C, Y, X], f32,
// in host memory. Throws Error where shapes or the number of channels differ.
Tensor moved(const Tensor& images, const Tensor& from, const Tensor& gradient, double step, double epsilon,
             const Preprocessing& preprocessing);

class Attack {
 public:
  // binary: what the model was trained with is binary cross-entropy, not softmax's. The model's weights are shared.
  Attack(const ViT& model, Preprocessing preprocessing, bool binary);
  // Of the mean loss by normalised images [B, C, Y, X] (labels i64 [B]); no gradient of a weight is computed.
  Tensor gradient(const Tensor& images, const Tensor& labels);
  // The images attacked from where they are: without a random start, so that the same images give the same result.
  Tensor operator()(const Tensor& images, const Tensor& labels, const AttackOptions& options);

 private:
  ViT model_;  // frozen
  Preprocessing preprocessing_;
  bool binary_;
};

}  // namespace lookhere
