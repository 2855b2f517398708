// Copied by hand from the paper's tables; tests/vit/compare_test.cpp checks the differences that its text tells of.
#include "vit/compare/paper.h"

namespace lookhere {
namespace {

constexpr PaperRow kRows[]{
    {"lh180", {81.31, 82.65, 82.38, 81.86, 81.11, 76.59, 69.24}, 65.06, 51.81, 8.28},
    {"lh90", {81.02, 82.22, 82.08, 81.91, 81.19, 77.12, 71.58}, 63.89, 50.87, 8.68},
    {"lh45", {81.06, 82.45, 82.38, 82.19, 81.62, 78.13, 73.15}, 64.71, 50.21, 8.87},
    {"learned", {79.45, 79.89, 79.02, 77.52, 75.89, 65.95, 55.67}, 58.87, 44.23, 10.13},
    {"sincos", {79.05, 79.48, 78.56, 77.12, 75.43, 65.48, 53.71}, 60.38, 45.37, 10.14},
    {"factorized", {79.86, 79.73, 78.56, 76.98, 74.97, 63.71, 50.46}, 60.86, 46.34, 10.01},
    {"fourier", {79.69, 79.80, 78.85, 77.47, 75.68, 65.97, 54.58}, 59.91, 44.99, 9.65},
    {"rpe", {79.86, 79.94, 77.96, 75.40, 72.59, 57.16, 36.80}, 59.81, 45.04, 8.66},
    {"alibi", {79.54, 80.44, 80.38, 79.63, 78.86, 72.97, 63.62}, 58.07, 43.32, 9.26},
    {"rope", {80.38, 81.40, 81.16, 80.47, 79.23, 71.28, 51.41}, 60.59, 47.11, 9.60},
};

}  // namespace

std::span<const PaperRow> paper_rows() { return kRows; }

const PaperRow* paper_row(const std::string& position) {
  for (const PaperRow& row : kRows)
    if (position == row.position) return &row;
  return nullptr;
}

}  // namespace lookhere
