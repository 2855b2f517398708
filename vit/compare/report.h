// report.html: a comparison on one page that needs nothing but itself; accuracy.svg, its first chart.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "vit/compare/folder.h"

namespace lookhere {

// Whom to tell and whom to ask, each if there is one.
struct PageWatch {
  std::function<void(long done, long total)> progress = {};  // models that were asked for pictures
  std::function<bool()> stop = {};
};

// Written into the folder, from what it holds: of runs that are not done it says so. Images are looked at again, for
// pictures of where the models look. False if it was stopped: nothing is written then.
bool write_report(const ComparisonFolder& folder, const PageWatch& watch = {});

// Measured variants of which no run has weights: without pictures of where their models look.
std::vector<std::string> variants_without_weights(const ComparisonFolder& folder);

}  // namespace lookhere
