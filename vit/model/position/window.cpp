// Windows (LITv2's Hi-Fi attention, Pan et al. 2022, arXiv 2205.13213): the hook `bias`. The grid is cut into squares
// of `size` patches a side, 2 as in the paper by default, the last of a row or column maybe smaller, and a patch sees
// what is in its own and the tokens before the patches, at no cost; these see and are seen by all. Other grids have
// more squares of that size.
#include <nlohmann/json.hpp>

#include "vit/model/json.h"
#include "vit/model/position/types.h"

namespace lookhere {
namespace {

constexpr long kLargest = 16384;

class Window : public PositionEncoding {
 public:
  explicit Window(long size = 2) : size_(size) {}

  std::vector<NamedHead> bias(const PositionSizes& z, long) const override {
    return std::vector<NamedHead>(
        z.heads,
        {concat("window of ", size_, "x", size_),
         {.view = {.first = {}, .second = {}, .window = size_}, .from = kernels::DistanceFrom::nothing, .slope = 1}});
  }
  nlohmann::json to_json() const override { return {{"type", "window"}, {"size", size_}}; }
  void set(std::string_view, const PositionValue& size) override {
    const double wanted = std::get<double>(size);
    size_ = static_cast<long>(wanted);
    check(wanted >= 1 && wanted <= kLargest && static_cast<double>(size_) == wanted,
          "--window-size: wanted a whole number from 1 to ", kLargest, ", got ", wanted);
  }
  HeadsInWords in_words(const PositionSizes&, long) const override {
    HeadsInWords words;
    words.directions = concat("windows of ", size_, "x", size_, " patches");
    words.origin = "the same in all heads", words.slopes = "no distance", words.distance = "nothing";
    return words;
  }

 private:
  long size_;
};

}  // namespace

PositionType window_type() {
  return {.names = {"window"},
          .help = "window",
          .make = [](const std::string&) -> std::shared_ptr<PositionEncoding> { return std::make_shared<Window>(); },
          .options = {{"window-size", 0.0, {0, kLargest}, "patches along a side of a window (0: 2)"}},
          .json_type = "window",
          .from_json = [](const nlohmann::json& json) -> std::shared_ptr<PositionEncoding> {
            return std::make_shared<Window>(integer_in(field(json, "size"), "size", 1, kLargest));
          }};
}

}  // namespace lookhere
