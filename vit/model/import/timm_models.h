// What the weights of timm's plain Vision Transformers do not say, by the name of the architecture.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

struct TimmModel {
  const char* name;
  long heads;
  double norm_eps;
  const char *activation, *pool;  // by our names
  // How images were prepared; mean and std nullptr, crop 0: not the same for all weights of this architecture.
  const std::vector<double>*mean, *std;
  double crop_pct;  // the images' side by that of what they are cropped from
  const char* interpolation = "bicubic";
};

// "vit_tiny_patch16_224", also with what timm writes before and behind it: "timm/vit_tiny_patch16_224.augreg_in21k".
// Throws Error for a name that timm has not, or whose architecture is none that a ViT here can be.
const TimmModel& timm_model(const std::string& name);

}  // namespace lookhere
