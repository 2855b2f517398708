// The encodings there are, each defined in the file of its name. registry.cpp lists them.
#pragma once
#include "vit/model/position/position.h"

namespace lookhere {

// Of an encoding without settings, whose name is its "type" too.
template <class Encoding>
PositionType type_without_settings(const char* name) {
  return {.names = {name},
          .help = name,
          .make = [](const std::string&) -> std::shared_ptr<PositionEncoding> { return std::make_shared<Encoding>(); },
          .options = {},
          .json_type = name,
          .from_json = [](const nlohmann::json&) -> std::shared_ptr<PositionEncoding> {
            return std::make_shared<Encoding>();
          }};
}

PositionType lookhere_type();
PositionType learned_type();
PositionType none_type();
PositionType sincos_type();
PositionType rope_type();
PositionType factorized_type();
PositionType fourier_type();
PositionType rpe_type();
PositionType gpsa_type();
PositionType rope_mixed_type();
PositionType fire_type();
PositionType window_type();
PositionType pape_type();
PositionType pape_ri_type();

}  // namespace lookhere
