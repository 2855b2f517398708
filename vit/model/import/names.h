// From the names that other programs give to the tensors of a plain Vision Transformer to timm's, which are ours too.
#pragma once
#include "vit/model/import/foreign.h"

namespace lookhere {

// Knows timm's names as they are, those of DINOv2's authors, and of Hugging Face's ViT, DeiT and DINOv2 (before and
// since transformers 5), where queries, keys and values are three tensors and become one. What only training needed (a
// mask token, a pooler) is left out and listed. Names that no rule knows stay as they are. Throws Error where one of
// the three is missing or the three do not fit together.
void rename_to_timm(ForeignFile& file);

}  // namespace lookhere
