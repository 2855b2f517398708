// One pass over the elements.
#include "tensor/finite.h"

#include <algorithm>
#include <cmath>

#include "tensor/dispatch.h"

namespace lookhere {

long first_not_finite(const Tensor& t) {
  long first = -1;
  dispatch(t, [&]<class T>(auto) {
    const T *begin = t.data<T>(), *end = begin + t.numel();
    const T* found = std::find_if(begin, end, [](T value) { return !std::isfinite(value); });
    if (found != end) first = found - begin;
  });
  return first;
}

}  // namespace lookhere
