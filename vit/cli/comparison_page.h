// The page of a comparison, as commands write it.
#pragma once
#include "vit/compare/folder.h"

namespace lookhere {

// report.html with progress, for models are asked again. A signal to stop ends it: nothing but the page is missing
// then.
void write_comparison_page(const ComparisonFolder& folder);

}  // namespace lookhere
