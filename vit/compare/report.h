// report.html: a comparison on one page that needs nothing but itself; accuracy.svg, its first chart.
#pragma once
#include <string>

#include "vit/compare/folder.h"

namespace lookhere {

// Written into the folder, from what it holds: of runs that are not done it says so. Images are looked at again, for
// pictures of where the models look.
void write_report(const ComparisonFolder& folder);

}  // namespace lookhere
