// The exit code that what a call throws would end the program with.
#pragma once
#include <functional>

#include "tensor/error.h"

namespace lookhere {

inline Exit code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return Exit::ok;
}

}  // namespace lookhere
