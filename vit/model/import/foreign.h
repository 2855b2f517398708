// The tensors of another program's file by name, whatever its format: safetensors, or what torch.save writes.
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace lookhere {

struct ForeignTensor {
  Shape shape;
  std::function<Tensor()> read;  // in host memory; throws Error, naming file and tensor
};
using ForeignTensors = std::map<std::string, ForeignTensor>;

struct ForeignFile {
  std::string path, format;  // "safetensors", "PyTorch, weights of the key model"
  ForeignTensors tensors;
  nlohmann::json config =
      nlohmann::json::object();            // what stands beside the weights under "config", or export's metadata
  std::vector<std::string> left_out = {};  // what the file has and a model does not need
};

// Of a checkpoint that holds more than weights these are taken, in this order: state_dict, model, weights, or,
// averaged, state_dict_ema, model_ema. Prefixes that wrappers give to every name (module., _orig_mod., model.) are
// dropped. Throws Error, naming the file, for a file that is neither format, and one without a dict of tensors.
ForeignFile open_foreign(const std::string& path, bool averaged);

}  // namespace lookhere
