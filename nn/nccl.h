// The sum over ranks on their GPUs.
#pragma once
#include "nn/reducer.h"

namespace lookhere {

// By NVIDIA's NCCL, for a GPU of each rank; all ranks call it at the same time. Throws kernels::cuda::DeviceError where
// NCCL is missing or fails. Run on one GPU so far, not on several.
DeviceSum sum_by_nccl(Communicator& team);

}  // namespace lookhere
