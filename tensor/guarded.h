// The memory of Device::guarded: closed to the whole process, except while an operation has it open.
#pragma once
#include "kernels/closed_memory.h"

namespace lookhere {

// Never destroyed: where OpenMP's library ends the process, threads are at work.
inline kernels::ClosedMemory& guarded_memory() {
  static kernels::ClosedMemory& only = *new kernels::ClosedMemory(4L << 30);
  return only;
}

}  // namespace lookhere
