// The heads of attention's benches.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "kernels/attention/field_of_view.h"

namespace kernels::bench {

// The published layouts: four and four directed heads, the rest sees all; with six heads, four directed ones.
inline constexpr HalfPlane kUp{-1, 0}, kDown{1, 0}, kLeft{0, -1}, kRight{0, 1};
inline constexpr HalfPlane kUpLeft{-1, -1}, kUpRight{-1, 1}, kDownLeft{1, -1}, kDownRight{1, 1};
inline const std::map<std::string, std::vector<FieldOfView>> kViews{{"lh180",
                                                                     {{kUp, {}},
                                                                      {kDown, {}},
                                                                      {kLeft, {}},
                                                                      {kRight, {}},
                                                                      {kUpRight, {}},
                                                                      {kUpLeft, {}},
                                                                      {kDownRight, {}},
                                                                      {kDownLeft, {}}}},
                                                                    {"lh90",
                                                                     {{kUp, kLeft},
                                                                      {kUp, kRight},
                                                                      {kDown, kLeft},
                                                                      {kDown, kRight},
                                                                      {kUpLeft, kUpRight},
                                                                      {kDownLeft, kDownRight},
                                                                      {kUpLeft, kDownLeft},
                                                                      {kUpRight, kDownRight}}},
                                                                    {"lh45",
                                                                     {{kUpRight, kLeft},
                                                                      {kDownRight, kLeft},
                                                                      {kDownLeft, kUp},
                                                                      {kDownRight, kUp},
                                                                      {kUpLeft, kRight},
                                                                      {kDownLeft, kRight},
                                                                      {kUpLeft, kDown},
                                                                      {kUpRight, kDown}}}};

// No heads for "dense": all of them see all, without a bias.
inline std::vector<LookHereHead> heads_of(const std::string& layout, long count) {
  std::vector<LookHereHead> heads;
  if (layout == "dense") return heads;
  const auto& views = kViews.at(layout);
  for (long h = 0; h < count; ++h) {
    const bool directed = h < (2 * count + 1) / 3;
    heads.push_back({.view = directed ? views[h % views.size()] : FieldOfView{}, .slope = directed ? 0.5 : 0.25});
  }
  return heads;
}

}  // namespace kernels::bench
