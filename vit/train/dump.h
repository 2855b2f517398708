// What the first updates of a run have seen and done, as files that other programs read: for comparisons with them.
#pragma once
#include <string>

#include "vit/data/loader.h"
#include "vit/model/vit.h"

namespace lookhere {

class BatchDump {
 public:
  // Files of `updates` updates go into `folder`, which is made if it is missing; 0: nothing is done. Throws Error
  // (Exit::io) for what cannot be written.
  BatchDump(std::string folder, long updates);
  // Batch `part` of those that make update `update`, before its gradient: update-1.part-1.images.npy (f32 [batch,
  // channels, height, width], normalised), and .labels.npy (i64 [batch]) or, of mixed images, .targets.npy (f32 [batch,
  // classes]); with the first one also the weights, update-1.before.safetensors. Both numbers from 1.
  void write_batch(long update, long part, const Batch& batch, ViT& model);
  // The weights after it, update-1.after.safetensors.
  void write_update(long update, ViT& model);

 private:
  void write_weights(long update, const char* when, ViT& model);
  std::string folder_;
  long left_;
};

}  // namespace lookhere
