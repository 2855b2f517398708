// Other programs' weights as models of ours: names (names.h), sizes (from shapes), and what shapes do not say
// (facts.h).
#pragma once
#include "tensor/safetensors.h"
#include "vit/model/import/facts.h"
#include "vit/model/vit.h"

namespace lookhere {

struct Imported {
  ViT model;
  Metadata metadata;                  // preprocessing and class_names, where known
  std::string format;                 // of the file
  std::vector<std::string> from;      // who said what the tensors do not
  std::vector<std::string> left_out;  // tensors that a model does not need
};

// timm's plain ViTs, Hugging Face's ViT, DeiT and DINOv2, and the release of LookHere's authors. `given` goes before
// what files say; `timm_name` as facts_of has it. Nothing is guessed: what nobody says is an Error that names the
// option. Throws Error, naming the file, for tensors that are missing, unexpected, misshapen or not finite.
Imported import_model(const std::string& path, const Facts& given, const std::string& timm_name, bool averaged);

}  // namespace lookhere
