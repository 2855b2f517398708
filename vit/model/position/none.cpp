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

PositionType none_type() {
  return {
      .names = {"none"},
      .help = "none",
      .make = [](const std::string&) -> std::shared_ptr<PositionEncoding> { return std::make_shared<None>(); },
      .options = {},
      .json_type = "none",
      .from_json = [](const nlohmann::json&) -> std::shared_ptr<PositionEncoding> { return std::make_shared<None>(); }};
}

}  // namespace lookhere
