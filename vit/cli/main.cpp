// The program: the command line's command, errors to exit codes.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "tensor/error.h"
#include "tensor/machine.h"
#include "tensor/out_of_memory.h"
#include "tensor/text.h"
#include "tensor/world.h"
#include "vit/cli/command_line.h"
#include "vit/show/console.h"

namespace {

using namespace lookhere;

// One line, whatever stands in a file name. Without allocating: memory may be what is missing.
int report(const char* message, Exit code) noexcept {
  char line[8192];  // two paths and what is said of them
  const long rank = rank_in_world();
  // What all ranks have found out the first one says, and ends the others before they speak.
  if (rank > 0 && code == Exit::interrupted) return static_cast<int>(code);
  for (unsigned left = rank > 0 ? 3 : 0; left > 0;) left = sleep(left);
  const auto name = rank > 0 ? std::snprintf(line, sizeof line - 1, "lookhere: rank %ld: ", rank)
                             : std::snprintf(line, sizeof line - 1, "lookhere: ");
  std::snprintf(line + name, sizeof line - 1 - name, "%s", message);
  for (char* c = line; *c;) {
    const std::size_t length = utf8_length(c);
    const bool bad = length == 0 || is_control(c);
    for (std::size_t i = 0; i < std::max<std::size_t>(length, 1); ++i, ++c) *c = bad ? '?' : *c;
  }
  std::strcat(line, "\n");
  std::fputs(line, stderr);
  return static_cast<int>(code);
}

int report_no_memory(const char* reason) noexcept { return report(OutOfMemory::because(reason).what(), Exit::memory); }

// The exception in flight, as one line and an exit code.
int report_exception() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return report(error.what(), error.code());
  } catch (const OutOfMemory& error) {
    return report(error.what(), Exit::memory);
  } catch (const std::bad_alloc&) {
    return report_no_memory("the standard library wanted more");
  } catch (const std::length_error&) {
    return report_no_memory("more wanted than any memory has");
  } catch (const std::system_error& error) {
    const bool memory = error.code() == std::errc::not_enough_memory;
    return memory ? report_no_memory(error.what()) : report(error.what(), Exit::input);
  } catch (const std::exception& error) {
    return report(error.what(), Exit::input);
  } catch (...) {
    return report("an unknown exception", Exit::input);
  }
}

// Ends the process as it is: other threads may still use what destructors would destroy. Of several that find no memory
// at the same time, the first one speaks.
template <typename Report>
[[noreturn]] void end_at_once(Report report) {
  static std::atomic_flag ending;
  while (ending.test_and_set()) pause();
  _exit(report());
}

thread_local long refused = -1;  // bytes that this thread's `new` last could not get

// Other libraries allocate where nothing may be thrown: in destructors (nlohmann's JSON lists what is to go) and in
// noexcept functions (the standard library's directory_iterator). From the latter the exception does not even get here.
[[noreturn]] void on_terminate() {
  try {
    if (std::current_exception()) throw;
    if (refused >= 0) end_at_once([] { return report(OutOfMemory(refused).what(), Exit::memory); });
  } catch (const std::bad_alloc&) {
    end_at_once(report_exception);
  } catch (...) {  // a mistake in the program: let it be seen where it happened
  }
  std::abort();
}

// Before the objects that other libraries' headers make ahead of main: there is memory to miss there too.
[[gnu::constructor(101)]] void expect_no_memory() { std::set_terminate(on_terminate); }

// OpenMP's threads spin while they wait. As soon as a third process runs on a machine of two cores, the spinning takes
// the time of the thread that is waited for: steps become ten times slower. Threads here meet rarely, so sleeping costs
// little. The OpenMP library reads this setting before main begins: the program starts itself again. Where that fails,
// threads spin.
void wait_passively(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  if (setenv("OMP_WAIT_POLICY", "passive", 1) != 0) throw OutOfMemory::because("cannot set OMP_WAIT_POLICY");
  char self[PATH_MAX + 1] = {};  // by its own path: as /proc/self/exe the process would be called "exe"
  if (readlink("/proc/self/exe", self, PATH_MAX) < 0) return;
  execv(self, argv);
  if (errno == ENOMEM) throw OutOfMemory(0, "start", self);
}

// Where one of the three standard streams is closed, the next file would take its number, and what is meant for a
// reader would end in a checkpoint. Its place is taken by what can neither be read nor written.
void fill_standard_streams() {
  for (int stream = 0; stream < 3; ++stream)
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(open("/dev/null", stream ? O_RDONLY : O_WRONLY));
}

}  // namespace

// The OpenMP library ends the process by exit(1) when it gets no memory or no thread, after a line of its own. Nothing
// else here does. Any of its threads does it, two at the same time as well, which glibc's exit does not bear
// before 2.41 (its bug 31997). A shared library's call finds the program's own exit first. Static programs are linked
// with
// --wrap=exit, which makes of every call one of __wrap_exit; the weak name gives way to glibc's there.
extern "C" [[noreturn]] void __wrap_exit(int code) {  // NOLINT(bugprone-reserved-identifier): the linker's name
  if (code == 1) end_at_once([] { return report_no_memory("the OpenMP library wanted more"); });
  end_at_once([code] { return std::fflush(nullptr), code; });
}
extern "C" [[gnu::weak, gnu::alias("__wrap_exit")]] void exit(int) noexcept;

// So that the message of a failed allocation, anyone's, can say how much was wanted. Sanitizers bring their own.
#ifndef SANITIZED
void* operator new(std::size_t size) {
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  refused = static_cast<long>(std::min<std::size_t>(size, LONG_MAX));
  throw OutOfMemory(refused);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

int main(int argc, char** argv) {
  fill_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file past the limit on sizes is an error like a full disk
  try {
    wait_passively(argv);
    check_processor();
    // What trains in ranks joins the others before anything can be wrong, so that one says what is wrong with all.
    if (argc > 1 && std::strcmp(argv[1], "train") == 0) world();
    const auto command = parse_command_line(argc, argv);
    if (refused >= 0) throw OutOfMemory(refused);  // in CLI11's streams, which keep it to themselves
    command();
    finish_output();
    leave_world();
    return 0;
  } catch (...) {
    const int code = report_exception();
    // To stop is what all have agreed on.
    code == static_cast<int>(Exit::interrupted) ? leave_world() : end_world(code);
    return code;
  }
}
