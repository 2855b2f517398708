// Names of files, and what goes into them.
#include "vit/train/dump.h"

#include "tensor/npy.h"
#include "tensor/system/posix.h"
#include "tensor/text.h"
#include "vit/model/weights.h"

namespace lookhere {

BatchDump::BatchDump(std::string folder, long updates) : folder_(std::move(folder)), left_(updates) {
  check((updates == 0) == folder_.empty(), "--dump-batches and --dump-dir: wanted both, got ", updates, " and ",
        shown(folder_));
  if (updates > 0) make_folders(folder_);
}

void BatchDump::write_batch(long update, long part, const Batch& batch, ViT& model) {
  if (left_ == 0) return;
  if (part == 1) write_weights(update, "before", model);
  const std::string start = concat(folder_, "/update-", update, ".part-", part, ".");
  save_npy(start + "images.npy", batch.images.to(Device::cpu));
  if (batch.targets.defined())
    save_npy(start + "targets.npy", batch.targets);
  else
    save_npy(start + "labels.npy", batch.labels);
}

void BatchDump::write_update(long update, ViT& model) {
  if (left_ == 0) return;
  write_weights(update, "after", model);
  --left_;
}

void BatchDump::write_weights(long update, const char* when, ViT& model) {
  save_model(concat(folder_, "/update-", update, ".", when, ".safetensors"), model);
}

}  // namespace lookhere
