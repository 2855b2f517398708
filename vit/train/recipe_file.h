// A recipe's file, config.toml: `name = value` lines and comments, a small part of TOML. Values are numbers, true,
// false, "text", 'text as it stands', and lists of these, which may go over several lines.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lookhere {

inline constexpr long kMaxRecipeFile = 1 << 20;  // bytes

// Calls set(name, value) for one setting after the other. Throws Error "PATH: line N: wanted ..., got ..." at the first
// thing that is none, also for a name that comes twice; what `set` throws gets the same beginning.
void read_recipe_file(std::string_view text, const std::string& path,
                      const std::function<void(const std::string&, const nlohmann::json&)>& set);

}  // namespace lookhere
