// A trace, read from its text (kernels/cuda/emulator/trace.h describes it). Nothing in the text is believed unchecked.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kernels::trace_page {

struct Size {
  std::int64_t x = 0, y = 0, z = 0;
};

struct Array {
  std::string name;
  std::int64_t address, bytes, elements;  // bytes: of an element
};

enum class Kind : std::uint8_t { read, write, copy, update, exchange, instruction, barrier, release, done };
constexpr bool is_access(Kind kind) { return kind <= Kind::update; }

struct Event {
  Kind kind;
  int thread = 0;          // none at a release
  int place = 0;           // in words; none when a thread is done
  int what = 0;            // in arrays: of an access; in words: the name of an exchange or instruction
  std::int64_t value = 0;  // an access's first element, an exchange's or instruction's mask
  std::int64_t count = 1;  // elements of an access
};

struct Trace {
  std::string kernel, launched, failure;  // failure: the report that ended the launch, else empty
  Size grid, block, index;
  std::uint64_t seed = 0;
  int threads = 0;
  std::vector<Array> arrays;
  std::vector<std::string> words;  // places and names, each once
  std::vector<Event> events;
};

// Throws std::invalid_argument: "12: wanted an element from 0 to 31, got \"-1\"", where 12 is the line's number.
Trace read_trace(std::string_view text);

}  // namespace kernels::trace_page
