// No position encoding: a bag of patches.
#include <nlohmann/json.hpp>

#include "vit/model/position/types.h"

namespace lookhere {
namespace {

class None : public PositionEncoding {
 public:
  nlohmann::json to_json() const override { return {{"type", "none"}}; }
};

}  // namespace

PositionType none_type() { return type_without_settings<None>("none"); }

}  // namespace lookhere
