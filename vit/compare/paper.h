// The paper's own numbers (arXiv 2405.13985, tables 1 to 3, 6, 12 and 13): ViT-B/16, ImageNet-1k, 150 epochs at 224 px,
// of encodings the best of eight runs, of ablations one; at other sizes slopes and bases tuned on held-out training
// images.
#pragma once
#include <array>
#include <span>
#include <string>

namespace lookhere {

inline constexpr std::array<long, 7> kPaperSizes{224, 320, 384, 448, 512, 768, 1024};

// What the paper does not tell is NaN: of its ablations all but 224 and 1024 px.
struct PaperRow {
  const char* variant;            // as --positions of compare names it
  std::array<double, 7> top1;     // of ImageNet's validation images, percent, by kPaperSizes
  double hr1024;                  // of ImageNet-HR at 1024 px
  double fgsm1_top5, fgsm3_top5;  // percent, epsilon of 1/255 and 3/255, at 224 px
  double ece;                     // percent, 15 bins, at 224 px
};
std::span<const PaperRow> paper_rows();
// Null for a variant that the paper does not have.
const PaperRow* paper_row(const std::string& variant);

}  // namespace lookhere
