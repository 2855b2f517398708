// The pictures of a comparison's page that its models are asked for again.
#pragma once
#include <vector>

#include "vit/compare/report.h"
#include "vit/show/html.h"

namespace lookhere {

// Attention rollout on the same test images, at the first and the last size, a row for each run of
// `kept`: one of each position, with its weights; all: no position is without.
// False if it was stopped.
bool add_pictures(HtmlPage& page, const ComparisonFolder& folder, const std::vector<const ComparedRun*>& kept, bool all,
                  const PageWatch& watch);
// What the heads of their first layer see, of those with a field of view.
void add_masks(HtmlPage& page, const ComparisonFolder& folder, const std::vector<const ComparedRun*>& done);

}  // namespace lookhere
