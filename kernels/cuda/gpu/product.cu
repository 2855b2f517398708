// cuBLAS. It thinks in columns: a row-major C = A·B is its column-major Cᵀ = Bᵀ·Aᵀ, with the same memory.
#include "kernels/cuda/product.h"

#include "kernels/cuda/device.h"
#include "kernels/cuda/gpu/cublas.h"
#include "kernels/cuda/gpu/per_gpu.h"
#include "kernels/cuda/map.h"

namespace kernels::cuda {
namespace {

constexpr cudaDataType_t kind_of(const float*) { return CUDA_R_32F; }
constexpr cudaDataType_t kind_of(const double*) { return CUDA_R_64F; }
constexpr cudaDataType_t kind_of(const bf16*) { return CUDA_R_16BF; }

cublasHandle_t handle_on(Cuda cuda) {
  static PerGpu<cublasHandle_t> handles;
  const cublasHandle_t handle = handles.get([] {
    cublasHandle_t made = nullptr;
    // Parts of a sum stay in f32 also where the result is bf16.
    constexpr auto kExact =
        static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
    if (cublas().create(&made) != CUBLAS_STATUS_SUCCESS ||
        cublas().set_math_mode(made, kExact) != CUBLAS_STATUS_SUCCESS)
      throw DeviceError("cuda: cuBLAS cannot start");
    return made;
  });
  if (cublas().set_stream(handle, static_cast<cudaStream_t>(cuda.stream)) != CUBLAS_STATUS_SUCCESS)
    throw DeviceError("cuda: cuBLAS cannot use this stream");
  return handle;
}

template <class Scale, class AB>
cublasComputeType_t precision() {
  if (std::is_same_v<Scale, double>) return CUBLAS_COMPUTE_64F;
  return std::is_same_v<AB, float> && tf32_allowed ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

template <class Scale, class C, class AB>
void multiply(Cuda cuda, const Product<C, AB>& p) {
  if (p.m == 0 || p.n == 0 || p.count == 0) return;
  if (p.k == 0) {  // an empty sum
    if (p.accumulate) return;
    return for_each(cuda, p.count * p.m * p.n, [p] __device__(long i) {
      const long batch = i / (p.m * p.n), row = i / p.n % p.m, column = i % p.n;
      p.c[batch * p.c_next + row * p.c_row + column] = C(Acc<C>(0));
    });
  }
  const Scale alpha = static_cast<Scale>(p.alpha), beta = p.accumulate ? 1 : 0;
  const auto op = [](Transpose t) { return t == Transpose::yes ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasStatus_t status = cublas().gemm(
      handle_on(cuda), op(p.transpose_b), op(p.transpose_a), static_cast<int>(p.n), static_cast<int>(p.m),
      static_cast<int>(p.k), &alpha, p.b, kind_of(p.b), static_cast<int>(p.b_row), p.b_next, p.a, kind_of(p.a),
      static_cast<int>(p.a_row), p.a_next, &beta, p.c, kind_of(p.c), static_cast<int>(p.c_row), p.c_next,
      static_cast<int>(p.count), precision<Scale, AB>(), CUBLAS_GEMM_DEFAULT);
  if (status != CUBLAS_STATUS_SUCCESS)
    throw DeviceError("cuda: cuBLAS refuses a product of " + std::to_string(p.m) + "x" + std::to_string(p.k) + " and " +
                      std::to_string(p.k) + "x" + std::to_string(p.n) + ", status " + std::to_string(status));
}

}  // namespace

void product(Cuda cuda, const Product<float, float>& p) { multiply<float>(cuda, p); }
void product(Cuda cuda, const Product<double, double>& p) { multiply<double>(cuda, p); }
void product(Cuda cuda, const Product<float, bf16>& p) { multiply<float>(cuda, p); }
void product(Cuda cuda, const Product<bf16, bf16>& p) { multiply<float>(cuda, p); }

}  // namespace kernels::cuda
