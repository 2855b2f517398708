// What the emulated device is asked to do, one after another: done at once or, while a CUDA graph is captured, kept.
#pragma once
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/cuda/emulator/block.h"

namespace kernels::emulator {

struct CapturedGraph {
  std::vector<std::function<void()>> work;  // in order
  std::vector<std::byte*> scratch;          // memory that only this work uses

  CapturedGraph() = default;
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;
};

inline thread_local CapturedGraph* captured_graph = nullptr;  // the one that this OS thread captures now

void perform(std::function<void()> work);

void perform_launch(Block::Launch launch);

// The kernel, a function or a lambda, takes its arguments by value at the launch: what they are afterwards makes no
// difference to it.
template <class... Parameters>
void launch(void (*kernel)(Parameters...), Block::Launch launch, std::type_identity_t<Parameters>... arguments) {
  launch.kernel = [kernel, values = std::tuple<Parameters...>(arguments...)] { std::apply(kernel, values); };
  perform_launch(std::move(launch));
}
template <class Lambda, class... Arguments>
requires std::is_class_v<Lambda>
void launch(const Lambda& kernel, Block::Launch launch, const Arguments&... arguments) {
  launch.kernel = [kernel, values = std::tuple<Arguments...>(arguments...)] { std::apply(kernel, values); };
  perform_launch(std::move(launch));
}

}  // namespace kernels::emulator
