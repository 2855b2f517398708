// The encodings there are, each defined in the file of its name. registry.cpp lists them.
#pragma once
#include "vit/model/position/position.h"

namespace lookhere {

PositionType lookhere_type();
PositionType learned_type();
PositionType none_type();
PositionType sincos_type();
PositionType rope_type();

}  // namespace lookhere
