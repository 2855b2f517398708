// One of several ways to do the same, as an environment variable asks for it: instruction sets, back ends.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace kernels {

template <class E>
struct Choice {
  E value;
  const char* problem;  // what is wrong with the variable, as one line; empty if nothing
};

// The one of `all` whose name_of() stands in $`variable` if it can_run(), else `usual` with `lacking` as the problem,
// or `unknown` if there is no such name. An unset or empty variable asks for nothing.
template <class E, std::size_t kCount>
Choice<E> choose(const char* variable, E usual, const E (&all)[kCount], const char* lacking, const char* unknown) {
  const char* wanted = std::getenv(variable);
  if (!wanted || !*wanted) return {usual, ""};
  for (const E candidate : all)
    if (std::strcmp(wanted, name_of(candidate)) == 0)
      return can_run(candidate) ? Choice<E>{candidate, ""} : Choice<E>{usual, lacking};
  return {usual, unknown};
}

}  // namespace kernels
