// How well a model classifies a data set.
#pragma once
#include <functional>
#include <string>

#include "tensor/communicator.h"
#include "vit/data/loader.h"
#include "vit/model/vit.h"

namespace lookhere {

struct Accuracy {
  long images = 0;
  double loss = 0, top1 = 0, top5 = 0;  // mean cross-entropy; percent
  bool stopped = false;                 // before the last batch: the numbers are those of the images seen so far
  long first_bad = -1;                  // the first image with logits that are not finite, in the loader's order
};

// Whom to tell and whom to ask, each if there is one.
struct EvaluationOptions {
  std::function<void(long done)> progress = {};            // images done, after each batch
  std::function<bool()> stop = {};                         // asked before each batch
  std::function<void(const std::string& line)> note = {};  // what the user should know, in one line
  // What the model is shown in place of some images [b, C, Y, X] with labels [b].
  std::function<Tensor(const Tensor& images, const Tensor& labels)> change = {};
  std::function<void(const Tensor& logits, const Tensor& labels)> answered = {};  // after each batch
  // Ranks that each answer for their part of a batch, shard `rank` of `size` in the loader's options. Everybody gets
  // the same result; `stop` has to say the same to all.
  Communicator* team = nullptr;
};

// The loader decides batch size and resolution. Where the forward pass of a batch does not fit into memory it goes in
// parts, of half the images until they fit. No result depends on that, but for the last bits where OpenBLAS multiplies.
Accuracy evaluate(ViT& model, Loader& loader, const EvaluationOptions& options = {});

// The model's logits [B, classes] for normalised images [B, C, Y, X], f32, the images spread over the threads;
// computed on the model's device, in `inside` within the blocks. Both are in host memory.
Tensor logits_of(ViT& model, const Tensor& images, Dtype inside = Dtype::f32);

// Runs a function on parts of [0, count), of at most `largest` at a time, as large as fit into a device's memory.
class Parts {
 public:
  Parts(long largest, Device device) : device_(device), size_(largest) {}
  // f(begin, end) for one part after another. A part for which it throws std::bad_alloc is halved, down to a single
  // one, and begun again; later ones are no larger.
  void for_each(long count, const std::function<void(long begin, long end)>& f);
  // Once after parts became smaller: "256 images at a time do not fit, going on with 128"; else empty.
  std::string take_note();

 private:
  Device device_;
  long size_;
  long too_large_ = 0;  // what take_note() has to tell of, if not 0
};

// The position of `label` when the classes are ordered by falling logit: 0 is a hit. Ties count against the label, NaN
// ranks it last.
long rank_of_label(const float* logits, long classes, long label);

}  // namespace lookhere
