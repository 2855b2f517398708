// Probabilities as bars of text, for a terminal.
#pragma once
#include <string>
#include <vector>

#include "vit/show/text.h"

namespace lookhere {

// The k largest (fewer if there are fewer classes), largest first, a line each:
//   Ankle boot  ████████████████████████████▊   96.2 %
//   Sneaker     █                                3.4 %
// Classes of the same probability keep their order. Throws Error if k < 1 or the counts differ.
std::string top_k_bars(const std::vector<std::string>& names, const std::vector<float>& probabilities, long k,
                       bool unicode = utf8_locale());

}  // namespace lookhere
