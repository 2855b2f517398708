// The activations that an MLP may have, by name.
#pragma once
#include <string>

#include "autograd/ops.h"

namespace lookhere {

std::string mlp_activation_names();  // "gelu, silu, ..."
// A function's own name, or "swiglu" (timm's GluMlp with SiLU). Throws Error naming all for any other.
MlpActivation mlp_activation(const std::string& name);

}  // namespace lookhere
