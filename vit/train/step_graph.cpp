// Inputs in fixed places, and memory that nobody else is given between two runs.
#include "vit/train/step_graph.h"

namespace lookhere {

StepGraph::StepGraph(const Pool::Own& memory, const Tensor& images, const Tensor& labels, const Step& f) {
  inputs_ = {.images = empty(images.shape(), images.dtype(), Device::cuda),
             .labels = empty(labels.shape(), labels.dtype(), Device::cuda),
             .step = empty({1}, Dtype::i64, Device::cuda)};
  // The pass that was run as it is has left as much memory as this one takes.
  Pool::of(Device::cuda).release_kept();
  graph_ = std::make_unique<kernels::cuda::Graph>([&] { memory.use([&] { results_ = f(inputs_); }); });
}

const std::vector<Tensor>& StepGraph::run(const Tensor& images, const Tensor& labels, long step) {
  inputs_.images.copy_from(images), inputs_.labels.copy_from(labels);
  inputs_.step.copy_from(full({1}, static_cast<double>(step), Dtype::i64, Device::cuda));
  graph_->launch();
  return results_;
}

}  // namespace lookhere
