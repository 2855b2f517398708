// What tests of the emulator share: what a launch says that fails, and the lines that it should name.
#pragma once
#include "kernels/cuda/cuda.h"
#include "tests/testing.h"

namespace lookhere {

namespace emulator = kernels::emulator;

class Emulator : public testing::Test {
 protected:
  void TearDown() override { emulator::set_seed(0); }
  // Nothing if it does not fail.
  static std::string failure_of(const std::function<void()>& launch, std::uint64_t seed = 0) {
    emulator::set_seed(seed);
    try {
      launch();
    } catch (const emulator::Failure& failure) {
      return failure.what();
    }
    return "";
  }
};

// The line of the test's file that ends in the comment `text`, as the emulator says it.
inline std::string line_of(const std::string& text, const std::string& file = __builtin_FILE()) {
  std::istringstream lines(read_file(file));
  long number = 0;
  for (std::string line; std::getline(lines, line);)
    if (++number, line.ends_with("// " + text)) return concat(file.substr(file.rfind('/') + 1), ":", number);
  return "no such line";
}

}  // namespace lookhere
