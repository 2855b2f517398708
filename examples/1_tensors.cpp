// Lesson 1: a Tensor is a shape, an element type and memory, on a device, that several tensors may share.
#include <iostream>

#include "tensor/pool.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

using namespace lookhere;

namespace {

void print(const char* name, const Tensor& t) {
  std::cout << name << ": " << t.dtype() << ' ' << t.shape() << ", " << t.numel() << " elements, " << t.bytes()
            << " bytes\n";
}

void print_pool(const char* when) {
  const PoolStats pool = Pool::of(Device::cpu).stats();
  std::cout << "  " << when << ": " << pool.in_use << " bytes in use, " << pool.reserved << " reserved, "
            << pool.allocations << " requests to the system\n";
}

}  // namespace

int main() {
  std::cout << "-- shapes and element types --\n";
  const Tensor images = zeros({2, 3, 4, 4}, Dtype::f32, Device::cpu);  // two images, three channels, 4 x 4 pixels
  print("images", images);
  print("labels", from_vector<i64>({7, 1}, {2}, Device::cpu));
  const Tensor half =
      full({1}, 1.0 / 3, Dtype::bf16, Device::cpu);  // the upper 16 bits of a float: three decimal digits
  print("bf16", half);
  std::cout << "  1/3 as f32 " << full({1}, 1.0 / 3, Dtype::f32, Device::cpu).item() << ", as bf16 "
            << half.to(Dtype::f32).item() << '\n';

  std::cout << "\n-- copies are handles: reshape and rows share memory, clone does not --\n";
  const Tensor second = images.rows(1, 2).reshape({3, 16});
  const Tensor copy = images.clone();
  second.host<float>()[0] = 5;
  std::cout << "wrote 5 through a slice; the images hold " << images.host<float>()[48] << ", the clone "
            << copy.host<float>()[48] << ", alone in its memory: " << (copy.unique() ? "yes" : "no") << '\n';

  std::cout << "\n-- mistakes are one line: what was wanted, what came --\n";
  try {
    images.reshape({5, 5});
  } catch (const Error& error) {
    std::cout << error.what() << '\n';
  }
  try {
    images.host<double>();
  } catch (const Error& error) {
    std::cout << error.what() << '\n';
  }

  std::cout << "\n-- freed memory is kept for the next tensor of its size --\n";
  print_pool("before");
  for (int step = 0; step < 1000; ++step) {
    const Tensor activations = empty({64, 1024}, Dtype::f32, Device::cpu);  // freed at the end of each turn
    if (step == 0) print_pool("in the first step");
    if (step == 999) print_pool("in the 1000th step");
  }
  print_pool("after");

  std::cout << "\n-- random numbers have an address: (seed, purpose, a, b) --\n";
  Rng epoch_3(42, Purpose::shuffle, 3), epoch_4(42, Purpose::shuffle, 4), epoch_3_again(42, Purpose::shuffle, 3);
  std::cout << "epoch 3: " << epoch_3.uniform() << ", epoch 4: " << epoch_4.uniform()
            << ", epoch 3 again: " << epoch_3_again.uniform() << '\n';
}
