// Reading JSON from files one does not trust: every field by name, with its type and range in the message.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tensor/error.h"
#include "tensor/file.h"

namespace lookhere {

inline constexpr int kDeepestJson = 16;

// The JSON in `text`, which comes from a file one does not trust; discarded (is_discarded()) if it is none. The library
// would take gigabytes for many megabytes of brackets, and would take a zero byte for the end: texts that are longer
// than max_bytes or nest deeper than any of ours are refused. `what` names the text in the message.
inline nlohmann::json parse_json(std::string_view text, const std::string& what, long max_bytes = 1L << 20) {
  check(std::ssize(text) <= max_bytes, what, ": wanted JSON of at most ", max_bytes, " bytes, got ", text.size());
  if (text.find('\0') != text.npos) return nlohmann::json::value_t::discarded;
  using Event = nlohmann::json::parse_event_t;
  const auto watch = [&what](int depth, Event event, const nlohmann::json&) {
    const bool opens = event == Event::array_start || event == Event::object_start;  // depth levels are open already
    check(!opens || depth < kDeepestJson, what, ": wanted JSON of at most ", kDeepestJson, " levels, got more");
    return true;
  };
  return nlohmann::json::parse(text, watch, false);
}
inline nlohmann::json parse_object(std::string_view text, const std::string& what, long max_bytes = 1L << 20) {
  nlohmann::json json = parse_json(text, what, max_bytes);
  check(json.is_object(), what, ": wanted a JSON object, got ",
        json.is_discarded() ? "no valid JSON" : json.type_name());
  return json;
}

// JSON as text. What is not UTF-8, as file names need not be, is replaced rather than thrown at whoever has just
// finished hours of work.
template <class Json>
std::string to_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// A value as messages show it. Nested ones only by their size: printing them recurses, as deep as the file says.
inline std::string described(const nlohmann::json& value) {
  if (value.is_structured()) return concat(value.type_name(), " of ", value.size());
  return value.is_string() ? shown(value.get_ref<const std::string&>()) : to_text(value);
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
  check(number >= low && number <= high, "config: '", name, "' must be in [", low, ", ", high, "], got ",
        to_text(value));
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
