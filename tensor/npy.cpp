// An npy file: "\x93NUMPY", two version bytes, the header's length (u16, from version 2.0 on u32), the header, the
// data. The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, spaces, a
// newline.
#include "tensor/npy.h"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "tensor/file.h"

namespace lookhere {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<long> shape;
};

// Reads the dictionary. Its text is Python, of which this is all that NumPy writes.
class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header parse() {
    std::array<bool, 3> seen{};
    expect('{');
    while (!accept('}')) {
      parse_field(seen);
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skip_space();
    if (accept('\n')) skip_space();
    if (at_ != text_.size()) wanted("the end of the header");
    for (std::size_t i = 0; i < kFields.size(); ++i) check(seen[i], path_, ": the header has no '", kFields[i], "'");
    return header_;
  }

 private:
  static constexpr std::array<std::string_view, 3> kFields = {"descr", "fortran_order", "shape"};

  void parse_field(std::array<bool, 3>& seen) {
    const std::string key = parse_string();
    std::size_t field = 0;
    while (field < kFields.size() && kFields[field] != key) ++field;
    check(field < kFields.size(), path_, ": unknown field ", shown(key), " in the header");
    check(!std::exchange(seen[field], true), path_, ": field ", shown(key), " appears twice in the header");
    expect(':');
    if (field == 0) header_.descr = parse_string();
    if (field == 1) header_.fortran_order = parse_bool();
    if (field == 2) parse_shape();
  }
  std::string parse_string() {
    skip_space();
    const char quote = peek();
    if (quote != '\'' && quote != '"') wanted("a string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) wanted("a string with its end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool parse_bool() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    wanted("True or False");
  }
  void parse_shape() {
    expect('(');
    bool comma = true;
    while (!accept(')')) {
      if (!comma) wanted("a comma or )");
      check(std::ssize(header_.shape) < Shape::kMaxRank, path_, ": shape: more than ", Shape::kMaxRank, " sizes");
      header_.shape.push_back(parse_size());
      comma = accept(',');
    }
    if (header_.shape.size() == 1 && !comma) wanted("a comma: (n) is no tuple,");
  }
  long parse_size() {
    skip_space();
    if (peek() < '0' || peek() > '9') wanted("an integer >= 0");
    long size = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
    if (error != std::errc{}) wanted("a number below 2^63");
    at_ = static_cast<std::size_t>(end - text_.data());
    return size;
  }

  void skip_space() {
    while (peek() == ' ') ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) {
    skip_space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) wanted(std::string{'\'', c, '\''});
  }
  [[noreturn]] void wanted(const std::string& what) const {
    fail(path_, ": header, byte ", at_, ": wanted ", what, ", got ", shown(text_.substr(at_, 16)));
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  Header header_;
};

template <class To, class From>
Tensor read(const Shape& shape, const unsigned char* from) {
  Tensor t = empty(shape, kDtypeOf<To>, Device::cpu);
  for (long i = 0; i < t.numel(); ++i) {
    From value{};
    std::memcpy(&value, from + i * static_cast<long>(sizeof(From)), sizeof(From));  // the file may be unaligned
    t.host<To>()[i] = static_cast<To>(value);
  }
  return t;
}

struct Kind {
  std::string_view descr;
  long size;  // bytes per element
  Tensor (*read)(const Shape&, const unsigned char*);
};
constexpr std::array<Kind, 5> kKinds = {{{"<f4", 4, read<float, float>},
                                         {"<f8", 8, read<double, double>},
                                         {"<i8", 8, read<i64, i64>},
                                         {"<i4", 4, read<i64, std::int32_t>},
                                         {"|u1", 1, read<i64, std::uint8_t>}}};

const Kind& find_kind(const std::string& descr, const std::string& path) {
  for (const Kind& kind : kKinds)
    if (kind.descr == descr) return kind;
  fail(path, ": element type: wanted <f4, <f8, <i8, <i4 or |u1, got ", shown(descr));
}

void check_size(const Header& header, const Kind& kind, long data_bytes, const std::string& path) {
  long bytes = 1;
  bool fits = true;
  for (const long n : header.shape) fits = fits && !__builtin_mul_overflow(bytes, n, &bytes);
  fits = fits && !__builtin_mul_overflow(bytes, kind.size, &bytes);
  check(fits, path, ": shape ", Shape(header.shape), " overflows");
  check(bytes == data_bytes, path, ": shape ", Shape(header.shape), " of ", kind.descr, " takes ", bytes,
        " bytes, but the file holds ", data_bytes);
}

}  // namespace

NpyArray load_npy_array(const std::string& path) {
  const MappedFile file(path);
  const std::string_view text = file.text();
  check(text.starts_with(kMagic) && text.size() >= kMagic.size() + 2, path, ": not an npy file");
  const int major = file.data()[6], minor = file.data()[7];
  check(major >= 1 && major <= 3 && minor == 0, path, ": npy version: wanted 1.0, 2.0 or 3.0, got ", major, '.', minor);
  const std::size_t length_bytes = major == 1 ? 2 : 4, header_begin = kMagic.size() + 2 + length_bytes;
  check(text.size() >= header_begin, path, ": cut off within the header's length");
  std::uint32_t length = 0;
  std::memcpy(&length, file.data() + kMagic.size() + 2, length_bytes);
  check(length <= text.size() - header_begin, path, ": header length ", length, ", but only ",
        text.size() - header_begin, " bytes follow");
  const Header header = Parser(text.substr(header_begin, length), path).parse();
  const Kind& kind = find_kind(header.descr, path);
  check(!header.fortran_order, path, ": Fortran order: wanted row-major data (numpy.ascontiguousarray)");
  check_size(header, kind, static_cast<long>(text.size() - header_begin - length), path);
  return {kind.read(Shape(header.shape), file.data() + header_begin + length), header.descr};
}

void save_npy(const std::string& path, const Tensor& tensor) {
  check(tensor.defined(), "cannot write ", path, ": the tensor has no value");
  const Dtype dtype = tensor.dtype();
  check(dtype != Dtype::bf16, "cannot write ", path, ": npy has no bf16: convert with to(Dtype::f32) first");
  std::string header = concat("{'descr': '",
                              dtype == Dtype::f32   ? "<f4"
                              : dtype == Dtype::f64 ? "<f8"
                                                    : "<i8",
                              "', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < tensor.shape().rank(); ++i) header += concat(i ? ", " : "", tensor.shape()[i]);
  header += tensor.shape().rank() == 1 ? ",), }" : "), }";
  const std::size_t before = kMagic.size() + 4;
  header.resize((before + header.size() + 1 + 63) / 64 * 64 - before - 1, ' ');
  header += '\n';
  const Tensor values = tensor.to(Device::cpu);
  write_atomically(path, [&](FileWriter& out) {
    const auto length = static_cast<std::uint16_t>(header.size());  // five sizes take at most 200 bytes
    out.write(kMagic);
    out.write("\x01\x00", 2);
    out.write(&length, 2);
    out.write(header);
    out.write(values.host<std::byte>(), values.bytes());
  });
}

}  // namespace lookhere
