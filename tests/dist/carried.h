// What `make dist` makes for this machine.
#pragma once
#include <sys/utsname.h>

#include <string>

#include "tests/testing.h"
#include "vit/cli/command.h"

namespace lookhere {

// The name of its folder and, with .tar.gz, of its archive.
inline std::string carried_name() {
  utsname machine{};
  uname(&machine);
  return concat("lookhere-", kVersion, "-linux-", machine.machine);
}
inline std::string carried() { return built("dist/" + carried_name()); }

}  // namespace lookhere
