// Lesson 2: operations on Vars build a graph, and backward walks it from the last node to the first.
#include <cstdio>

#include "nn/layers.h"
#include "nn/optim.h"

using namespace lookhere;

namespace {

double first(const Tensor& t) { return t.reshape({t.numel()}).rows(0, 1).item(); }

// f(w) = Σ gelu(x·wᵀ)², node by node.
Var function(const Var& w, bool show) {
  const Var x(from_vector<double>({1, -2, 3, 0.5, 1, -1}, {2, 3}, Device::cpu));  // a leaf without gradient
  const Var y = linear(x, w), z = gelu(y), squares = multiply(z, z);
  Var f = sum(squares);
  if (show)
    for (const Var& node : {x, w, y, z, squares, f})
      std::printf("  %-10s %-8s %-22s first value %8.4f\n", node.op(), concat(node.shape()).c_str(),
                  node.requires_grad() ? "gradient flows through" : "constant", first(node.value()));
  return f;
}

// The derivative of f by one element of w: from the graph, and as a difference quotient.
void compare_gradients() {
  Var w(from_vector<double>({0.3, -0.1, 0.2, 0.5, 0.4, -0.6}, {2, 3}, Device::cpu), true);
  std::printf("f(w) = sum(gelu(x w^T)^2), one node per operation:\n");
  function(w, true).backward();
  std::printf("\n  element   from the graph   (f(w+h) - f(w-h)) / 2h\n");
  for (long i = 0; i < w.value().numel(); ++i) {
    const double h = 1e-5;
    double& element = w.value().host<double>()[i];
    const double before = element;
    element = before + h;
    const double above = function(w, false).value().item();
    element = before - h;
    const double below = function(w, false).value().item();
    element = before;
    std::printf("  %7ld   %14.9f   %22.9f\n", i, w.grad().host<double>()[i], (above - below) / (2 * h));
  }
}

// A module is a plain struct whose visit names its parameters.
struct Network {
  Linear hidden, out;
  explicit Network(Init& init) : hidden(1, 16, init), out(16, 1, init) {}
  Var operator()(const Var& x) const { return out(gelu(hidden(x))); }
  void visit(auto&& f) { f("hidden", hidden), f("out", out); }
};

// Fits y = sin(3x) on [-1, 1] by least squares.
void fit_sine() {
  const long n = 64;
  const Tensor x = empty({n, 1}, Dtype::f32, Device::cpu), minus_y = empty_like(x);
  for (long i = 0; i < n; ++i) {
    const float at = 2 * static_cast<float>(i) / (n - 1) - 1;
    x.host<float>()[i] = at, minus_y.host<float>()[i] = -std::sin(3 * at);
  }
  Init init(1, Dtype::f32, Device::cpu);
  Network network(init);
  AdamW optimizer(parameters_of(network), {.weight_decay = 0});
  std::printf("\na two-layer network of 16 units learns sin(3x):\n");
  for_each_parameter(network, [](const std::string& name, const Var& p) {
    std::printf("  %-14s %s\n", name.c_str(), concat(p.shape()).c_str());
  });
  for (int step = 0; step <= 1000; ++step) {
    const Var error = add(network(Var(x)), Var(minus_y));
    const Var loss = scale(sum(multiply(error, error)), 1.0 / n);
    if (step % 200 == 0) std::printf("  step %4d   mean squared error %.6f\n", step, loss.value().item());
    loss.backward();
    optimizer.step(0.01);
  }
  const NoGrad no_graph;
  const Tensor fitted = network(Var(x)).value();
  for (long i = 0; i < n; i += 9)
    std::printf("  x %6.3f   sin(3x) %7.4f   network %7.4f\n", x.host<float>()[i], -minus_y.host<float>()[i],
                fitted.host<float>()[i]);
}

}  // namespace

int main() {
  compare_gradients();
  fit_sine();
}
