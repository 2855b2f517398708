// The library's few functions that are called, by name.
#include "kernels/cuda/gpu/cublas.h"

#include <dlfcn.h>

#include "kernels/cuda/device.h"

namespace kernels::cuda {
namespace {

struct Loaded {
  Cublas functions{};
  std::string problem;

  Loaded() {
    // Of the version that this was compiled for: its types are laid out as the header says.
    const std::string name = "libcublas.so." + std::to_string(CUBLAS_VER_MAJOR);
    void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      problem = std::string("cuBLAS cannot be loaded: ") + dlerror();
      return;
    }
    const auto find = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
      if (!function) problem = name + " lacks " + symbol;
    };
    find(functions.create, "cublasCreate_v2"), find(functions.set_stream, "cublasSetStream_v2");
    find(functions.get_version, "cublasGetVersion_v2"), find(functions.set_math_mode, "cublasSetMathMode");
    find(functions.gemm, "cublasGemmStridedBatchedEx");
  }
};
const Loaded& loaded() {
  static const Loaded once;
  return once;
}

}  // namespace

std::string cublas_problem() { return loaded().problem; }

const Cublas& cublas() {
  if (!loaded().problem.empty()) throw DeviceError(loaded().problem);
  return loaded().functions;
}

std::string cublas_description() {
  int version = 0;
  if (cublas().get_version(nullptr, &version) != CUBLAS_STATUS_SUCCESS) return "cuBLAS";
  return "cuBLAS " + std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100);
}

}  // namespace kernels::cuda
