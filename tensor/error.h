// User mistakes: one line that says what was wanted, what came and where, and the exit code that goes with it.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace lookhere {

// Exit codes of the command line; README.md lists them for users.
enum class Exit { ok = 0, input = 2, memory = 3, diverged = 4, io = 5, interrupted = 130 };

class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, Exit code = Exit::input) : std::runtime_error(message), code_(code) {}
  Exit code() const { return code_; }

 private:
  Exit code_;
};

// The shortest decimal number that reads back as the same value: a stream's six digits would make 9e15 + 1 into 9e15.
std::string exact(float value);
std::string exact(double value);

// Any streamable parts, one after another; floating point exactly.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  out.exceptions(std::ios::badbit);  // a stream without memory would only cut the text short
  const auto put = [&]<class T>(const T& part) {
    if constexpr (std::is_floating_point_v<T>)
      out << exact(part);
    else
      out << part;
  };
  (put(parts), ...);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(concat(parts...));
}

// Throws Error(parts...) unless ok. The parts are only formatted on failure.
template <class... Parts>
void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(parts...);
}

// The same for the file system's failures (cannot open, disk full): exit code `io`.
template <class... Parts>
void check_io(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    throw Error(concat(parts...), Exit::io);
}

}  // namespace lookhere
