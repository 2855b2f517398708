// By the kernel that also adds activations.
#include "tensor/sum.h"

#include "kernels/pointwise.h"
#include "tensor/dispatch.h"

namespace lookhere {

void set_sum(const Tensor& sum, const Tensor& a, const Tensor& b) {
  check(a.shape() == sum.shape() && b.shape() == sum.shape(), "sum: wanted two of ", sum.shape(), ", got ", a.shape(),
        " and ", b.shape());
  const long n = sum.numel();
  dispatch_mixed(sum, [&]<class T>(auto ctx) {
    kernels::add<T>(ctx, {.y = sum.data<T>(), .a = a.data<T>(), .b = b.data<T>(), .n = n, .period = n});
  });
}

}  // namespace lookhere
