// cuBLAS, loaded when the first product wants it: so a program starts on machines that have none, and takes the one
// that the toolkit or PyTorch has brought (LD_LIBRARY_PATH says where).
#pragma once
#include <cublas_v2.h>

#include <string>

namespace kernels::cuda {

struct Cublas {
  decltype(&cublasCreate_v2) create;
  decltype(&cublasSetStream_v2) set_stream;
  decltype(&cublasGetVersion_v2) get_version;
  decltype(&cublasSetMathMode) set_math_mode;
  // cublasGemmStridedBatchedEx, which has several overloads.
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*, const void*,
                         cudaDataType, int, long long, const void*, cudaDataType, int, long long, const void*, void*,
                         cudaDataType, int, long long, int, cublasComputeType_t, cublasGemmAlgo_t);
};
const Cublas& cublas();        // throws DeviceError with cublas_problem()
std::string cublas_problem();  // why it cannot be loaded, as one line; empty if it can
std::string cublas_description();

}  // namespace kernels::cuda
