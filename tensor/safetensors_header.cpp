// A SAX handler: nlohmann's ready-made tree would keep the last of two equal keys without a word, and would be built
// from hostile input before anything could be checked.
#include "tensor/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "tensor/file.h"

namespace lookhere {
namespace {

// Bytes per element of every dtype of the format; 0 if it has no such dtype.
long stored_size(std::string_view dtype) {
  static constexpr std::pair<std::string_view, long> kSizes[] = {
      {"F32", 4},  {"F64", 8}, {"BF16", 2}, {"F16", 2}, {"I64", 8}, {"I32", 4},     {"I16", 2},     {"I8", 1},
      {"BOOL", 1}, {"U8", 1},  {"U16", 2},  {"U32", 4}, {"U64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"C64", 8}};
  for (const auto& [name, size] : kSizes)
    if (name == dtype) return size;
  return 0;
}

class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  Reader(const std::string& path, SafetensorsHeader& header) : path_(path), header_(header) {}

  bool null() override { refuse_value("null"); }
  bool boolean(bool) override { refuse_value("a truth value"); }
  bool binary(binary_t&) override { refuse_value("binary data"); }
  bool number_integer(number_integer_t value) override { refuse_value(concat("the negative number ", value)); }
  bool number_float(number_float_t, const string_t& text) override { refuse_value(concat("the number ", shown(text))); }
  bool number_unsigned(number_unsigned_t value) override {
    if (in_ != In::list) refuse_value(concat("the number ", value));
    if (value > std::numeric_limits<long>::max()) refuse("the number ", value, " is too large");
    const bool shape = field_ == "shape";
    if (std::ssize(numbers_) == (shape ? Shape::kMaxRank : 2))
      refuse(shape ? concat("more than ", Shape::kMaxRank, " sizes") : "wanted two numbers, got more");
    numbers_.push_back(static_cast<long>(value));
    return true;
  }
  bool string(string_t& text) override {
    if (in_ == In::metadata)
      header_.metadata[field_] = std::move(text);
    else if (in_ == In::tensor && field_ == "dtype")
      entry_.dtype = std::move(text);
    else
      refuse_value(concat("the string ", shown(text)));
    return true;
  }

  bool start_object(std::size_t) override {
    switch (in_) {
      case In::file:
        in_ = In::header;
        break;
      case In::header:
        in_ = name_ == SafetensorsHeader::kMetadata ? In::metadata : In::tensor;
        entry_ = {}, entry_.name = name_;
        field_.clear(), fields_.clear();
        break;
      default:
        refuse_value("an object");
    }
    return true;
  }
  bool key(string_t& key) override {
    if (in_ == In::header) {
      if (std::ssize(key) > SafetensorsHeader::kMaxName)
        refuse("the name ", shown(key), " has ", key.size(), " bytes, at most ", SafetensorsHeader::kMaxName);
      if (!names_.insert(key).second) refuse("the name ", shown(key), " appears twice");
      if (std::ssize(header_.entries) == SafetensorsHeader::kMaxTensors && key != SafetensorsHeader::kMetadata)
        refuse("more than ", SafetensorsHeader::kMaxTensors, " tensors");
      name_ = key;
      return true;
    }
    field_.clear();
    if (in_ == In::tensor && key != "dtype" && key != "shape" && key != "data_offsets")
      refuse("wanted dtype, shape and data_offsets, got ", shown(key));
    if (!fields_.insert(key).second) refuse(shown(key), " appears twice");
    if (std::ssize(fields_) > SafetensorsHeader::kMaxTensors)
      refuse("more than ", SafetensorsHeader::kMaxTensors, " keys");
    field_ = key;
    return true;
  }
  bool end_object() override {
    if (in_ == In::tensor) finish_tensor();
    in_ = in_ == In::header ? In::file : In::header;
    return true;
  }
  bool start_array(std::size_t) override {
    if (in_ != In::tensor || field_ == "dtype") refuse_value("a list");
    in_ = In::list;
    numbers_.clear();
    return true;
  }
  bool end_array() override {
    in_ = In::tensor;
    if (field_ == "shape") {
      entry_.shape = Shape(numbers_);
    } else {
      if (numbers_.size() != 2) refuse("wanted two numbers, got ", numbers_.size());
      entry_.begin = numbers_[0], entry_.end = numbers_[1];
      if (entry_.begin > entry_.end) refuse("begin ", entry_.begin, " lies after end ", entry_.end);
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 3: ...; last read: TOKEN": the token may be long.
    std::string text = error.what();
    text = text.substr(std::min(text.find("] ") + 2, text.size()));
    fail(path_,
         ": the header is not valid JSON: ", text.substr(0, std::min<std::size_t>(text.find("; last read"), 200)));
  }

 private:
  // The field goes with `in_`; the grammar ends at lists, so nothing nests deeper than three.
  enum class In { file, header, metadata, tensor, list };

  std::string place() const {
    if (in_ == In::file || in_ == In::header) return "header";
    const std::string object = in_ == In::metadata ? name_ : concat("tensor ", shown(name_));
    return field_.empty() ? object : concat(object, ", ", in_ == In::metadata ? shown(field_) : field_);
  }
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(path_, ": ", place(), ": ", parts...);
  }
  [[noreturn]] void refuse_value(const std::string& got) const {
    if (in_ == In::header) refuse(shown(name_), " must be an object, got ", got);
    if (in_ == In::list) refuse("wanted integers >= 0, got ", got);
    refuse("wanted ", in_ == In::tensor && field_ != "dtype" ? "a list of integers" : "a string", ", got ", got);
  }
  void finish_tensor() {
    field_.clear();
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!fields_.contains(field)) refuse(field, " is missing");
    const long size = stored_size(entry_.dtype);
    if (size == 0) refuse("unknown dtype ", shown(entry_.dtype));
    long bytes = 1;
    bool fits = true;
    for (const long n : entry_.shape) fits = fits && !__builtin_mul_overflow(bytes, n, &bytes);
    fits = fits && !__builtin_mul_overflow(bytes, size, &bytes);
    if (!fits) refuse("shape ", entry_.shape, " overflows");
    if (bytes != entry_.end - entry_.begin)
      refuse(entry_.dtype, ' ', entry_.shape, " takes ", bytes, " bytes, but data_offsets [", entry_.begin, ", ",
             entry_.end, "] give ", entry_.end - entry_.begin);
    header_.entries.push_back(std::move(entry_));
  }

  const std::string& path_;
  SafetensorsHeader& header_;
  In in_ = In::file;
  std::string name_, field_;              // the latest keys
  std::set<std::string> names_, fields_;  // all keys of the header, and of the object in it
  SafetensorsEntry entry_;
  std::vector<long> numbers_;
};

void check_layout(const std::vector<SafetensorsEntry>& entries, long data_bytes, const std::string& path) {
  std::vector<const SafetensorsEntry*> order;
  order.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);  // empty tensors first
  });
  long end = 0;
  for (const SafetensorsEntry* entry : order) {
    check(entry->begin >= end, path, ": tensor ", shown(entry->name), " overlaps another: it begins at ", entry->begin,
          ", the one before it ends at ", end);
    check(entry->begin == end, path, ": tensor ", shown(entry->name), ": a hole before it: it begins at ", entry->begin,
          ", the one before it ends at ", end);
    end = entry->end;
    check(end <= data_bytes, path, ": tensor ", shown(entry->name), " ends at byte ", end, ", but the file holds ",
          data_bytes, " bytes of data: it is cut off or damaged");
  }
  check(end == data_bytes, path, ": the tensors take ", end, " bytes, but the file holds ", data_bytes);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, long data_bytes, const std::string& path) {
  check(json.starts_with('{'), path, ": the header must start with {, got ", shown(json.substr(0, 8)));
  // The JSON library takes a zero byte for the end and would not look at what follows.
  check(json.find('\0') == json.npos, path, ": the header is not valid JSON: byte ", json.find('\0'), " is zero");
  SafetensorsHeader header;
  Reader reader(path, header);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  check_layout(header.entries, data_bytes, path);
  return header;
}

}  // namespace lookhere
