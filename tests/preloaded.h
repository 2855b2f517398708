// Tests of programs under a library that makes calls of the system fail (tests/faults).
#pragma once
#include "tests/program.h"

#define SKIP_WITHOUT_FAULTS()                       \
  if (!std::filesystem::exists(built("faults.so"))) \
  GTEST_SKIP() << "faults.so is not built; with sanitizers it cannot be"
