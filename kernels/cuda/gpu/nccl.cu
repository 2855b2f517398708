// NCCL's few functions that are called, by name: programs run without it as long as nobody asks.
#include <dlfcn.h>
#include <nccl.h>

#include <cstring>
#include <string>
#include <type_traits>

#include "kernels/cuda/all_reduce.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/gpu/error.h"

namespace kernels::cuda {
namespace {

struct Nccl {
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRank) init_rank = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclGetErrorString) error_string = nullptr;

  Nccl() {
    void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) throw DeviceError(std::string("NCCL cannot be loaded: ") + dlerror());
    const auto find = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
      if (!function) throw DeviceError(std::string("libnccl.so.2 lacks ") + symbol);
    };
    find(get_unique_id, "ncclGetUniqueId"), find(init_rank, "ncclCommInitRank"), find(destroy, "ncclCommDestroy");
    find(all_reduce, "ncclAllReduce"), find(error_string, "ncclGetErrorString");
  }
};
const Nccl& nccl() {
  static const Nccl once;
  return once;
}

void check(ncclResult_t result, const char* what) {
  if (result != ncclSuccess)
    throw DeviceError(std::string("NCCL: cannot ") + what + ": " + nccl().error_string(result));
}

static_assert(sizeof(AllReduce::Id) == sizeof(ncclUniqueId));

}  // namespace

AllReduce::Id AllReduce::make_id() {
  ncclUniqueId made;
  check(nccl().get_unique_id(&made), "name a group");
  Id id;
  std::memcpy(id.data(), &made, sizeof made);
  return id;
}

AllReduce::AllReduce(const Id& id, int rank, int ranks) {
  context();  // the device is chosen
  ncclUniqueId of_group;
  std::memcpy(&of_group, id.data(), sizeof of_group);
  ncclComm_t group = nullptr;
  check(nccl().init_rank(&group, ranks, of_group, rank), "join the others");
  group_ = group;
}
AllReduce::~AllReduce() { nccl().destroy(static_cast<ncclComm_t>(group_)); }

void AllReduce::sum(float* x, long n) const {
  check(nccl().all_reduce(x, x, static_cast<std::size_t>(n), ncclFloat, ncclSum, static_cast<ncclComm_t>(group_),
                          static_cast<cudaStream_t>(context().stream)),
        "add");
}

}  // namespace kernels::cuda
