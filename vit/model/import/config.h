// The configuration of a model whose tensors have timm's names: what names and shapes tell, and facts.h for the rest.
#pragma once
#include "vit/model/import/facts.h"
#include "vit/model/vit.h"

namespace lookhere {

struct InferredConfig {
  ViTConfig config;
  long prefix_rows = 0;  // of pos_embed, which belong to tokens before the patches
};

// Throws Error, naming the file, where tensors that decide a size are missing or do not fit together, and naming the
// option for what nobody has said.
InferredConfig infer_config(const ForeignFile& file, const Facts& facts);

}  // namespace lookhere
