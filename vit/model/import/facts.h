// What a model's tensors do not say: from what stands beside them, from the name of an architecture, from options.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "vit/model/import/foreign.h"
#include "vit/model/position/position.h"

namespace lookhere {

// Empty and 0: not said.
struct Facts {
  long heads = 0;
  double norm_eps = 0;
  std::string activation = {};
  std::string pool = {};    // cls, mean, map; mean or map with _prefix: over the tokens before the patches too
  std::string resize = {};  // how pos_embed goes to other grids: bilinear, bicubic, bicubic_antialias
  std::optional<PositionConfig> position = {};  // where there is no pos_embed
  long height = 0, width = 0;                   // of the images
  std::vector<double> mean = {}, std = {};      // per channel, of pixels from 0 to 1
  double crop_pct = 0;                          // the images' side by that of what they are cropped from
  std::string interpolation = {};
  std::vector<std::string> class_names = {};
  std::vector<std::string> from = {};  // who said so, for people
};

// Those that `given` leaves open are taken, in this order, from the architecture `timm_name` (empty: none), from
// config.json and preprocessor_config.json beside the file, as timm and Hugging Face write them, and from the file's
// own `config`, which LookHere's authors put beside the weights. Throws Error, naming the file, for a config.json of
// another kind of model and for values of the wrong type.
Facts facts_of(const ForeignFile& file, const Facts& given, const std::string& timm_name);

}  // namespace lookhere
