// The program: the command line's command, errors to exit codes.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "tensor/device.h"
#include "tensor/error.h"
#include "tensor/text.h"
#include "vit/cli/command_line.h"
#include "vit/show/console.h"

namespace {

using namespace lookhere;

// One line, whatever stands in a file name.
int report(const std::string& message, Exit code) {
  say("lookhere: {}\n", printable(message));
  return static_cast<int>(code);
}

// OpenMP's threads spin while they wait. As soon as a third process runs on a machine of two cores, the spinning takes
// the time of the thread that is waited for: steps become ten times slower. Threads here meet rarely, so sleeping costs
// little. The OpenMP library reads this setting before main begins: the program starts itself again.
void wait_passively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  std::error_code error;  // by its own path: as /proc/self/exe the process would be called "exe"
  execv(std::filesystem::read_symlink("/proc/self/exe", error).c_str(),
        argv);  // returns only if it fails: threads spin
}

}  // namespace

int main(int argc, char** argv) {
  wait_passively(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file past the limit on sizes is an error like a full disk
  try {
    check_processor();
    parse_command_line(argc, argv)();
    finish_output();
    return 0;
  } catch (const Error& error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return report("out of memory", Exit::memory);
  } catch (const std::exception& error) {
    return report(error.what(), Exit::input);
  }
}
