// Which launch is traced, and the lines of its events.
#include "kernels/cuda/emulator/trace.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>

namespace kernels::emulator {
namespace {

// An unset variable asks for nothing, as an empty one does.
std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

std::string listed(const Dim3& d, const char* separator) { return text(d.x, separator, d.y, separator, d.z); }

// Of the grid's blocks.
Dim3 wanted_block(const Dim3& grid) {
  const std::string asked = environment("LOOKHERE_TRACE_BLOCK");
  if (asked.empty()) return {0, 0, 0};
  Dim3 index;
  const char *at = asked.data(), *end = at + asked.size();
  bool fits = true;
  for (unsigned* number : {&index.x, &index.y, &index.z}) {
    if (number != &index.x) fits = fits && at != end && *at++ == ',';
    const auto [next, error] = std::from_chars(at, end, *number);
    fits = fits && error == std::errc(), at = next;
  }
  if (!fits || at != end || index.x >= grid.x || index.y >= grid.y || index.z >= grid.z)
    throw Failure(
        text("LOOKHERE_TRACE_BLOCK: wanted x,y,z of a block in a grid of ", listed(grid, " x "), ", got ", asked));
  return index;
}

// All launches of this process so far, of those that asked for a trace.
struct Launches {
  std::mutex mutex;
  std::set<std::string> begun;    // files
  std::set<std::string> kernels;  // that were not the one
  ~Launches() {
    const std::string file = environment("LOOKHERE_TRACE"), kernel = environment("LOOKHERE_TRACE_KERNEL");
    if (file.empty() || begun.contains(file) || kernels.empty()) return;
    std::string list;
    for (const std::string& name : kernels) list += (list.empty() ? "" : ", ") + name;
    std::fprintf(stderr, "LOOKHERE_TRACE_KERNEL: no kernel with %s in its name was launched, only %s\n", kernel.c_str(),
                 list.c_str());
  }
};

}  // namespace

std::unique_ptr<Trace> Trace::of(const Block::Launch& launch) {
  const std::string file = environment("LOOKHERE_TRACE"), kernel = environment("LOOKHERE_TRACE_KERNEL");
  if (file.empty()) return nullptr;
  static Launches launches;
  const std::lock_guard lock(launches.mutex);
  if (launches.begun.contains(file)) return nullptr;
  if (std::string(launch.name).find(kernel) == std::string::npos) {
    launches.kernels.insert(launch.name);
    return nullptr;
  }
  const Dim3 index = wanted_block(launch.grid);
  try {
    auto trace = std::make_unique<Trace>(file, launch, index);
    launches.begun.insert(file);
    return trace;
  } catch (const std::runtime_error& error) {
    throw Failure(text("LOOKHERE_TRACE: ", error.what()));
  }
}

Trace::Trace(const std::string& file, const Block::Launch& launch, const Dim3& index) : index_(index), file_(file) {
  file_.write(text("lookhere trace 1\nkernel ", launch.name, "\nlaunched ", text_of(launch.where), "\ngrid ",
                   listed(launch.grid, " "), "\nblock ", listed(launch.block, " "), "\nindex ", listed(index, " "),
                   "\nseed ", launch.seed, "\n"));
}

void Trace::array(const SharedArrayBase& array) {
  const auto [place, is_new] = places_.try_emplace(array.memory().get(), next_place_);
  if (is_new) {
    const auto bytes = static_cast<long>(array.memory()->bytes.size());
    next_place_ += (bytes + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
  }
  const std::size_t number = numbers_.try_emplace(&array, numbers_.size()).first->second;
  event("array ", number, " ", address_of(array, 0), " ", array.element_bytes(), " ", array.size(), " ", array.name());
}

void Trace::access(const char* kind, int thread, const SharedArrayBase& array, long first, long count,
                   const Where& where) {
  event(kind, " ", thread, " ", numbers_.at(&array), " ", first, " ", count, " ", address_of(array, first), " ",
        text_of(where));
}

void Trace::exchange(int thread, unsigned mask, const char* what, const Where& where, bool is_barrier) {
  char hexadecimal[9];
  std::snprintf(hexadecimal, sizeof hexadecimal, "%x", mask);
  event(is_barrier ? "exchange " : "instruction ", thread, " ", hexadecimal, " ", what, " ", text_of(where));
}

std::string Trace::finish(const std::string& report) {
  std::string line = report;
  std::ranges::replace(line, '\n', ';');
  if (!line.empty()) event("failed ", line);
  file_.write(text("end ", events_, "\n"));
  try {
    file_.commit();
    return "";
  } catch (const std::runtime_error& error) {
    return text(report.empty() ? "" : "\n", "LOOKHERE_TRACE: ", error.what());
  }
}

}  // namespace kernels::emulator
