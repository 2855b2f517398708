// For a name that is none: the one that was meant.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

// That of `names` which fewest letters tell apart from `word`, at most two and half of those behind its dashes; else
// the shortest that begins with it; else "".
std::string nearest_name(const std::string& word, const std::vector<std::string>& names);

}  // namespace lookhere
