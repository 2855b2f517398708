// The pictures of a page that models are asked for again.
#pragma once
#include <vector>

#include "vit/compare/report.h"
#include "vit/show/html.h"

namespace lookhere {

struct PicturedModel {
  std::string name, checkpoint;
};
struct Pictured {
  std::vector<PicturedModel> models;
  std::vector<long> sizes;  // the first and the last are drawn
  long test_images;         // as Comparison has them
  std::string heading, whose;
};
// Attention rollout and the patch logit lens on the same test images, a row for each model. False if it was stopped.
bool add_pictures(HtmlPage& page, const Pictured& what, const PageWatch& watch);
// What the heads of their first layer see, of those with a field of view.
void add_masks(HtmlPage& page, const ComparisonFolder& folder, const std::vector<const ComparedRun*>& done);

}  // namespace lookhere
