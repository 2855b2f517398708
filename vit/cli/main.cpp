// The program: the command line's command, errors to exit codes.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "tensor/device.h"
#include "tensor/error.h"
#include "vit/cli/command_line.h"
#include "vit/show/console.h"

namespace {

using namespace lookhere;

// One line, whatever stands in a file name.
int report(std::string message, Exit code) {
  for (char& c : message)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  say("lookhere: {}\n", message);
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

// Where one of the three standard streams is closed, the next file would take its number, and what is meant for a
// reader would end in a checkpoint. Its place is taken by what can neither be read nor written.
void fill_standard_streams() {
  for (int stream = 0; stream < 3; ++stream)
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(open("/dev/null", stream ? O_RDONLY : O_WRONLY));
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
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
