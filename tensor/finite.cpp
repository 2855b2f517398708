// One pass over the elements, in host memory.
#include "tensor/finite.h"

#include <algorithm>
#include <cmath>

#include "tensor/dispatch.h"

namespace lookhere {

long first_not_finite(const Tensor& t) {
  const Tensor values = t.to(Device::cpu);
  long first = -1;
  dispatch(values, [&]<class T>(auto) {
    const T *begin = values.host<T>(), *end = begin + values.numel();
    const T* found = std::find_if(begin, end, [](T value) { return !std::isfinite(value); });
    if (found != end) first = found - begin;
  });
  return first;
}

}  // namespace lookhere
