// LookHere (Fuller et al. 2024, arXiv 2405.13985): heads that look in fixed directions and pay for distance.
#pragma once
#include "vit/model/position/lookhere_heads.h"
#include "vit/model/position/position.h"

namespace lookhere {

PositionConfig lookhere_position(const LookHereConfig& config);
// As a model's configuration has it. Throws Error naming the field.
LookHereConfig lookhere_config_from_json(const nlohmann::json& json);

DistancePower distance_from_name(const std::string& name);  // linear, sqrt, square, manhattan
MaskFill fill_from_name(const std::string& name);           // inf, zero, max

}  // namespace lookhere
