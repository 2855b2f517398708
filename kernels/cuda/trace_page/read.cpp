// Lines, their fields, and what each may be.
#include "kernels/cuda/trace_page/read.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

#include "kernels/cuda/emulator/text.h"
#include "kernels/cuda/trace_page/svg.h"

namespace kernels::trace_page {
namespace {

using emulator::text;
constexpr std::int64_t kMost = std::int64_t{1} << 32;  // more than any size, address or number of elements
constexpr std::int64_t kMostThreads = 1024, kMostBytes = 1 << 16;

struct Named {
  std::string_view name;
  Kind kind;
};
constexpr Named kAccesses[] = {
    {"read", Kind::read}, {"write", Kind::write}, {"copy", Kind::copy}, {"update", Kind::update}};

// Goes through the text line by line, and through each line field by field.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  // The next line's first field.
  std::string_view next() {
    const std::size_t end = rest_.find('\n');
    ++number_;
    if (end == rest_.npos) {
      line_ = rest_;
      fail(line_.empty() ? "another line, \"end\" at last" : "the end of this line", "the end of the file");
    }
    line_ = rest_.substr(0, end), rest_.remove_prefix(end + 1);
    return field();
  }
  void expect(std::string_view word) {
    if (const std::string_view got = next(); got != word) fail(word, in_quotes(got));
  }
  std::string_view field() {
    const std::string_view found = line_.substr(0, line_.find(' '));
    line_.remove_prefix(found.size() < line_.size() ? found.size() + 1 : found.size());
    return found;
  }
  // All that is left of the line, not nothing.
  std::string rest(std::string_view what) {
    if (line_.empty()) fail(what, "nothing");
    return std::string(std::exchange(line_, {}));
  }
  template <class T>
  T number(std::string_view what, T least, T most, int base = 10) {
    const std::string_view got = field();
    T value{};
    const auto [end, error] = std::from_chars(got.data(), got.data() + got.size(), value, base);
    if (error != std::errc() || end != got.data() + got.size() || value < least || value > most)
      fail(text(what, base == 16 ? " in hexadecimal" : "", " from ", least, " to ", most), in_quotes(got));
    return value;
  }
  void end_of_line() const {
    if (!line_.empty()) fail("the end of the line", in_quotes(line_));
  }
  void end_of_file() {
    ++number_;
    if (!rest_.empty()) fail("nothing after \"end\"", in_quotes(rest_.substr(0, rest_.find('\n'))));
  }
  [[noreturn]] void fail(std::string_view wanted, std::string_view got) const {
    throw std::invalid_argument(text(number_, ": wanted ", wanted, ", got ", got));
  }
  static std::string in_quotes(std::string_view text) {
    constexpr std::size_t kLongest = 40;
    const bool cut = text.size() > kLongest;
    return '"' + printable(text.substr(0, kLongest)) + (cut ? "...\"" : "\"");
  }

 private:
  std::string_view rest_, line_;
  std::int64_t number_ = 0;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : in_(text) {}

  Trace run() {
    header();
    std::int64_t lines = 0;
    for (std::string_view kind = in_.next(); kind != "end"; kind = in_.next(), ++lines) {
      if (!trace_.failure.empty()) in_.fail("\"end\" after a failure", in_.in_quotes(kind));
      event(kind);
      in_.end_of_line();
    }
    in_.number<std::int64_t>("the number of events", lines, lines);
    in_.end_of_line();
    in_.end_of_file();
    return std::move(trace_);
  }

 private:
  Size size(std::string_view name, const Size& least, const Size& most) {
    in_.expect(name);
    Size read;
    read.x = in_.number(text(name, "'s x"), least.x, most.x);
    read.y = in_.number(text(name, "'s y"), least.y, most.y);
    read.z = in_.number(text(name, "'s z"), least.z, most.z);
    in_.end_of_line();
    return read;
  }

  void header() {
    const std::string_view first = in_.next(), second = in_.field(), version = in_.field();
    if (first != "lookhere" || second != "trace" || version != "1")
      in_.fail("\"lookhere trace 1\"", in_.in_quotes(text(first, " ", second, " ", version)));
    in_.end_of_line();
    in_.expect("kernel"), trace_.kernel = in_.rest("the kernel's name");
    in_.expect("launched"), trace_.launched = place();
    trace_.grid = size("grid", {1, 1, 1}, {kMost, kMost, kMost});
    const Size& b = trace_.block = size("block", {1, 1, 1}, {kMostThreads, kMostThreads, kMostThreads});
    if (b.x * b.y * b.z > kMostThreads)
      in_.fail(text("a block of at most ", kMostThreads, " threads"), text(b.x * b.y * b.z));
    trace_.threads = static_cast<int>(b.x * b.y * b.z);
    const Size& grid = trace_.grid;
    trace_.index = size("index", {}, {grid.x - 1, grid.y - 1, grid.z - 1});
    in_.expect("seed"), trace_.seed = in_.number("a seed", std::uint64_t{0}, ~std::uint64_t{0});
    in_.end_of_line();
  }

  void event(std::string_view kind) {
    if (kind == "array")
      array();
    else if (const auto* access_kind = std::ranges::find(kAccesses, kind, &Named::name);
             access_kind != std::end(kAccesses))
      access(access_kind->kind);
    else if (kind == "barrier")
      add({.kind = Kind::barrier, .thread = thread(), .place = word(place())});
    else if (kind == "release")
      add({.kind = Kind::release, .place = word(place())});
    else if (kind == "exchange" || kind == "instruction")
      exchange(kind == "exchange" ? Kind::exchange : Kind::instruction);
    else if (kind == "done")
      add({.kind = Kind::done, .thread = thread()});
    else if (kind == "failed")
      trace_.failure = in_.rest("a report");
    else
      in_.fail("array, read, write, copy, update, barrier, release, exchange, instruction, done, failed or end",
               in_.in_quotes(kind));
  }
  void array() {
    Array array;
    const auto number = std::ssize(trace_.arrays);
    in_.number("the next array's number", number, number);
    array.address = in_.number("an address", std::int64_t{0}, kMost);
    array.bytes = in_.number("an element's bytes", std::int64_t{1}, kMostBytes);
    array.elements = in_.number("a number of elements", std::int64_t{0}, kMost);
    array.name = in_.rest("the array's name");
    trace_.arrays.push_back(array);
  }
  void access(Kind kind) {
    Event event{.kind = kind, .thread = thread()};
    if (trace_.arrays.empty()) in_.fail("an array before it is used", "none");
    event.what = in_.number("an array", 0, static_cast<int>(trace_.arrays.size()) - 1);
    const Array& array = trace_.arrays[event.what];
    event.value = in_.number("an element", std::int64_t{0}, array.elements - 1);
    event.count =
        in_.number("a number of elements", std::int64_t{1},
                   std::min(array.elements - event.value, std::max(kMostBytes / array.bytes, std::int64_t{1})));
    const std::int64_t address = array.address + event.value * array.bytes;
    in_.number("its address", address, address);
    event.place = word(place());
    add(event);
  }
  void exchange(Kind kind) {
    Event event{.kind = kind, .thread = thread()};
    event.value = in_.number("a mask", std::int64_t{1}, std::int64_t{0xffffffff}, 16);
    if (!(event.value >> event.thread % 32 & 1)) in_.fail("a mask that has the thread's lane", text(event.value));
    event.what = word(in_.field()), event.place = word(place());
    add(event);
  }

  int thread() { return in_.number("a thread", 0, trace_.threads - 1); }
  // "file:12", checked.
  std::string place() {
    std::string read = in_.rest("a place");
    const std::size_t colon = read.rfind(':');
    int line = 0;
    const char* end = read.data() + read.size();
    const bool fits = colon != read.npos && colon > 0 && colon + 1 < read.size() &&
                      std::from_chars(read.data() + colon + 1, end, line).ptr == end && line > 0;
    if (!fits) in_.fail("a place as in \"file.cu:12\"", in_.in_quotes(read));
    return read;
  }
  int word(std::string_view name) {
    const auto [found, is_new] = words_.try_emplace(std::string(name), static_cast<int>(words_.size()));
    if (is_new) trace_.words.emplace_back(name);
    return found->second;
  }
  void add(const Event& event) { trace_.events.push_back(event); }

  Reader in_;
  Trace trace_;
  std::map<std::string, int> words_;
};

}  // namespace

Trace read_trace(std::string_view text) { return Parser(text).run(); }

}  // namespace kernels::trace_page
