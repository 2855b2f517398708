// Asks the kernels, OpenBLAS, OpenMP and the system what they found.
#include "tensor/machine.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>

#include "kernels/gemm/gemm.h"
#include "kernels/simd/isa.h"
#include "tensor/error.h"
#include "tensor/system/memory.h"
#include "tensor/system/memory_limits.h"

namespace lookhere {

void check_processor() {
  for (const char* problem : {kernels::isa_problem(), kernels::gemm_problem()}) check(!*problem, problem);
}

std::string describe_cpu() {
  std::string config = openblas_get_config();
  config.resize(std::min(config.find_last_not_of(' ') + 1, config.size()));
  return concat("BLAS ", config, ", core type ", arithmetic_of_cpu(), ", ", thread_count(),
                thread_count() == 1 ? " thread" : " threads");
}

std::string arithmetic_of_cpu() {
  return concat(openblas_get_corename(), ", kernels ", kernels::name_of(kernels::isa()), ", products ",
                kernels::name_of(kernels::gemm_backend()));
}

std::string blas_warning() {
  const int build = openblas_get_parallel(), threads = openblas_get_num_threads();
  if (build != OPENBLAS_OPENMP)
    return concat("OpenBLAS is ", build == OPENBLAS_THREAD ? "its pthread build" : "its serial build",
                  ", which is slow beside OpenMP; wanted Debian's libopenblas-openmp-dev");
  if (threads < thread_count())
    return concat("OpenBLAS runs on ", threads, " of ", thread_count(), " threads: unset OPENBLAS_NUM_THREADS");
  return "";
}

long memory_of_machine() {
  const long here = physical_memory(), allowed = cgroup_memory_limit();
  return allowed > 0 ? std::min(here, allowed) : here;
}

int thread_count() { return omp_get_max_threads(); }

void set_thread_count(int threads) {
  check(threads >= 1, "threads: wanted at least 1, got ", threads);
  omp_set_num_threads(threads);
  openblas_set_num_threads(threads);
}

}  // namespace lookhere
