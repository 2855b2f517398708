// The losses over 1000 classes: separate passes for the softmax, the loss and its gradient, then the fused kernels.
#include "kernels/softmax_loss.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// What a library without the fused operation does: probabilities, then the loss from them, then the gradient.
void separate_passes(const ClassLoss<float>& p, Values<float>& probabilities) {
  probabilities.resize(p.rows * p.classes);
  for (long r = 0; r < p.rows; ++r) {
    const float* x = p.logits + r * p.classes;
    const float max = *std::max_element(x, x + p.classes);
    float sum = 0;
    for (long c = 0; c < p.classes; ++c) sum += probabilities[r * p.classes + c] = std::exp(x[c] - max);
    for (long c = 0; c < p.classes; ++c) probabilities[r * p.classes + c] /= sum;
  }
  for (long r = 0; r < p.rows; ++r) p.loss[r] = -std::log(probabilities[r * p.classes + p.targets.labels[r]]);
  for (long r = 0; r < p.rows; ++r)
    for (long c = 0; c < p.classes; ++c)
      p.dlogits[r * p.classes + c] =
          (probabilities[r * p.classes + c] - (p.targets.labels[r] == c ? 1.F : 0.F)) * p.gradient_scale;
}

}  // namespace

int main(int argc, char** argv) {
  const long rows = 1024, classes = 1000;
  Values<float> logits = random_values(rows * classes), dlogits(rows * classes), loss(rows), scratch;
  std::vector<std::int64_t> labels(rows);
  for (long r = 0; r < rows; ++r) labels[r] = r * 7 % classes;
  const ClassLoss<float> problem{.loss = loss.data(),
                                 .dlogits = dlogits.data(),
                                 .logits = logits.data(),
                                 .targets = {.labels = labels.data()},
                                 .rows = rows,
                                 .classes = classes,
                                 .gradient_scale = 1.F / rows};
  std::vector<Case> cases;
  const auto add = [&](const char* kernel, const char* rung, std::function<void()> run) {
    cases.push_back({.kernel = kernel,
                     .rung = rung,
                     .shape = "1024 x 1000",
                     .bytes = 8.0 * static_cast<double>(rows * classes),
                     .run = std::move(run)});
  };
  add("softmax_cross_entropy", "separate passes", [&] { separate_passes(problem, scratch); });
  add("softmax_cross_entropy", "kernel", [&] { softmax_cross_entropy(Cpu{}, problem); });
  add("binary_cross_entropy", "kernel", [&] { binary_cross_entropy(Cpu{}, problem); });
  return run_all(argc, argv, cases);
}
