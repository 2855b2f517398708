// A list of work and the memory that it needs.
#include "kernels/cuda/emulator/graph.h"

#include "kernels/cuda/emulator/memory.h"

namespace kernels::emulator {

CapturedGraph::~CapturedGraph() {
  for (std::byte* memory : scratch) give_back_memory(memory);
}

void perform(std::function<void()> work) {
  if (captured_graph)
    captured_graph->work.push_back(std::move(work));
  else
    work();
}

void perform_launch(Block::Launch launch) {
  perform([launch = std::move(launch)]() mutable {
    launch.seed = seed();
    run_grid(launch);
  });
}

}  // namespace kernels::emulator
