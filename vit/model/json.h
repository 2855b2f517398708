// Reading JSON from files one does not trust: every field by name, with its type and range in the message.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "tensor/error.h"
#include "tensor/file.h"

namespace lookhere {

// A value as messages show it. Nested ones only by their size: printing them recurses, as deep as the file says.
inline std::string described(const nlohmann::json& value) {
  if (value.is_structured()) return concat(value.type_name(), " of ", value.size());
  return value.is_string() ? shown(value.get_ref<const std::string&>()) : value.dump();
}

inline const nlohmann::json& field(const nlohmann::json& object, const char* name) {
  check(object.is_object(), "config: wanted a JSON object with '", name, "', got ", object.type_name());
  check(object.contains(name), "config: '", name, "' is missing");
  return object[name];
}

inline double number_in(const nlohmann::json& value, const char* name, double low, double high) {
  check(value.is_number(), "config: '", name, "' must be a number, got ", value.type_name());
  const double number = value.get<double>();
  check(number >= low && number <= high, "config: '", name, "' must be in [", low, ", ", high, "], got ", number);
  return number;
}
inline long integer_in(const nlohmann::json& value, const char* name, long low, long high) {
  check(value.is_number_integer(), "config: '", name, "' must be an integer, got ", described(value));
  const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(high);
  const long number = huge ? high + 1 : value.get<long>();
  check(number >= low && number <= high, "config: '", name, "' must be in [", low, ", ", high, "], got ", value.dump());
  return number;
}
inline std::string text_of(const nlohmann::json& value, const char* name) {
  check(value.is_string(), "config: '", name, "' must be a string, got ", value.type_name());
  return value.get<std::string>();
}
inline bool flag_of(const nlohmann::json& value, const char* name) {
  check(value.is_boolean(), "config: '", name, "' must be true or false, got ", value.type_name());
  return value.get<bool>();
}

}  // namespace lookhere
