// By Levenshtein's distance.
#include "vit/cli/nearest.h"

#include <algorithm>
#include <numeric>

namespace lookhere {
namespace {

// Letters to put in, leave out or exchange.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);  // to the beginnings of b, from a beginning of a that grows
  std::iota(row.begin(), row.end(), 0U);
  for (const char letter : a) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t exchanged = diagonal + (letter != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({exchanged, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(const std::string& word, const std::vector<std::string>& names) {
  constexpr std::size_t kLongest = 64;  // of a word that is worth the time
  if (word.size() > kLongest) return "";
  const std::size_t dashes = std::min(word.find_first_not_of('-'), word.size());
  const std::size_t most = std::min<std::size_t>(2, (word.size() - dashes) / 2);
  std::string nearest, beginning;
  std::size_t least = most + 1;
  for (const std::string& name : names) {
    if (const std::size_t letters = distance(word, name); letters < least) least = letters, nearest = name;
    const bool shorter = beginning.empty() || name.size() < beginning.size();
    if (dashes < word.size() && name.starts_with(word) && shorter) beginning = name;
  }
  return nearest.empty() ? beginning : nearest;
}

}  // namespace lookhere
