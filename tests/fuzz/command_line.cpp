// Any words as a command line: refused in one line, or a command to run, which is not run. No file is read.
#include "vit/cli/command_line.h"

#include <iostream>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  std::cout.setstate(std::ios::failbit);  // nobody reads --help a million times
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  std::vector<std::string> words{"lookhere"};
  for (std::size_t begin = 0; begin < size;) {  // a zero byte ends a word
    const std::string_view rest = text_of(data + begin, size - begin);
    words.emplace_back(rest.substr(0, rest.find('\0')));
    begin += words.back().size() + 1;
  }
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  accepted([&] {
    const auto load = [](RecipeCommand&, const RecipeCommand&) {};
    require(parse_command_line(static_cast<int>(pointers.size()), pointers.data(), load) != nullptr, "nothing to run");
  });
  return 0;
}
