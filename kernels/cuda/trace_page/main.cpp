// build/trace_page TRACE PAGE.svg: draws a trace that LOOKHERE_TRACE=TRACE has left (kernels/cuda/README.md).
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "kernels/cuda/emulator/text.h"
#include "kernels/cuda/emulator/whole_file.h"
#include "kernels/cuda/trace_page/page.h"

namespace {

using kernels::emulator::text;

std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  std::string bytes;
  char part[1 << 16];
  while (file) {
    const std::size_t got = std::fread(part, 1, sizeof part, file.get());
    if (got == 0) break;
    bytes.append(part, got);
  }
  if (!file || std::ferror(file.get()))
    throw std::runtime_error(text("cannot read ", path, ": ", std::strerror(errno)));
  return bytes;
}

void draw(const std::string& trace, const std::string& page) {
  using namespace kernels::trace_page;
  const std::string bytes = read_file(trace);
  std::string svg;
  try {
    svg = page_of(read_trace(bytes));
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(text(trace, ":", error.what()));
  }
  kernels::emulator::WholeFile file(page);
  file.write(svg);
  file.commit();
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "trace_page: wanted a trace and a page, got %d words; usage: trace_page TRACE PAGE.svg\n",
                 count - 1);
    return 2;
  }
  try {
    draw(words[1], words[2]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trace_page: %s\n", error.what());
    return 1;
  }
}
