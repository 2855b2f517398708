// StepGraph: a forward and backward pass of fixed shapes as a CUDA graph. A small model's pass is hundreds of launches,
// each of which takes the host longer than the GPU needs for its work; captured once, all of them are one launch.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "kernels/cuda/device.h"
#include "tensor/pool.h"
#include "tensor/tensor.h"

namespace lookhere {

class StepGraph {
 public:
  // What differs from step to step lies in memory of the GPU that stays where it is.
  struct Inputs {
    Tensor images, labels;  // [B, C, Y, X] f32; [B] i64 or [B, classes] f32
    Tensor step;            // [1] i64
  };
  // Captures what f(inputs) asks of the GPU, without doing it. Whatever f needs must have been made before, by running
  // it once as it is: tables of positions, cuBLAS' memory. Throws kernels::cuda::DeviceError if f needs the host.
  // f works in `memory`, which must outlive this, and may be that of other graphs: they run one after another.
  using Step = std::function<std::vector<Tensor>(const Inputs&)>;
  StepGraph(const Pool::Own& memory, const Tensor& images, const Tensor& labels, const Step& f);  // of their shapes

  // Copies the inputs, from any device, and runs the graph; the results are what f returned, valid until
  // the next run of a graph with this memory.
  const std::vector<Tensor>& run(const Tensor& images, const Tensor& labels, long step);

 private:
  Inputs inputs_;
  std::vector<Tensor> results_;
  std::unique_ptr<kernels::cuda::Graph> graph_;
};

}  // namespace lookhere
