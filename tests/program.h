// Programs, ours above all, run as a user would run them: arguments in, two streams and an exit code out.
#pragma once
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace lookhere {

using Words = std::vector<std::string>;

struct Finished {
  int code = -1;    // exit code, -1 if a signal ended it
  int signal = 0;   // which one
  std::string out;  // stdout
  std::string err;  // stderr
};

// What surrounds a run of a program.
struct Surroundings {
  std::string program = built("lookhere");
  Words environment = {};            // NAME=VALUE, beside the test's own
  long file_size_limit = 0;          // bytes that a file may have (0: no limit): a full disk, even for root
  long memory_limit = 0;             // bytes of address space (0: no limit)
  std::string standard_output = {};  // a path, in place of Finished::out
  std::string standard_error = {};   // a path, in place of Finished::err
  std::string working_folder = {};   // "": the test's own
  std::vector<int> closed = {};      // standard streams that are closed
  std::vector<int> ignored = {};     // signals that the parent process ignores, as nohup does
  unsigned seconds = 60;             // SIGALRM ends what takes longer
};

// A run of a program; every wait for it ends, at the latest after `seconds`. Code 127: there is no such program.
class Program {
 public:
  explicit Program(const Words& arguments, const Surroundings& surroundings = {}) {
    Words words{surroundings.program};
    // Of another processor's programs: what runs them here.
    if (const char* emulator = std::getenv("LOOKHERE_EMULATOR"); emulator && words[0].starts_with(built("")))
      words.insert(words.begin(), emulator);
    words.insert(words.end(), arguments.begin(), arguments.end());
    Words variables = surroundings.environment;
    variables.emplace_back("OMP_NUM_THREADS=1");
    for (char** variable = environ; *variable; ++variable) variables.emplace_back(*variable);  // the first one counts
    const auto pointers = [](Words& texts) {
      std::vector<char*> result;
      for (std::string& text : texts) result.push_back(text.data());
      result.push_back(nullptr);
      return result;
    };
    const std::vector<char*> argv = pointers(words), env = pointers(variables);
    const std::string out = surroundings.standard_output.empty() ? folder_ / "out" : surroundings.standard_output;
    const std::string err = surroundings.standard_error.empty() ? folder_ / "err" : surroundings.standard_error;
    std::signal(SIGCHLD, SIG_DFL);  // where a caller ignores it nothing can be waited for
    process_ = fork();
    check(process_ >= 0, "cannot start ", words[0], ": ", std::strerror(errno));
    if (process_ > 0) return;
    // Only system calls from here on: other threads of the test may have held locks. First the end, whatever the caller
    // ignores or blocks: even opening a pipe may wait for ever.
    std::signal(SIGALRM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    alarm(surroundings.seconds);
    constexpr int kNew = O_WRONLY | O_CREAT | O_TRUNC;
    dup2(open("/dev/null", O_RDONLY), 0), dup2(open(out.c_str(), kNew, 0600), 1),
        dup2(open(err.c_str(), kNew, 0600), 2);
    // Whoever runs the tests may ignore some, as nohup does.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGPIPE}) std::signal(signal, SIG_DFL);
    for (const int signal : surroundings.ignored) std::signal(signal, SIG_IGN);
    for (const auto& [resource, bytes] :
         {std::pair{RLIMIT_FSIZE, surroundings.file_size_limit}, {RLIMIT_AS, surroundings.memory_limit}}) {
      const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
      if (bytes) setrlimit(resource, &limit);
    }
    if (!surroundings.working_folder.empty() && chdir(surroundings.working_folder.c_str()) != 0) _exit(126);
    close_range(3, ~0U, 0);
    for (const int stream : surroundings.closed) close(stream);
    execve(argv[0], argv.data(), env.data());
    _exit(127);
  }
  ~Program() {
    if (waited_) return;
    send(SIGKILL);
    wait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const { ::kill(process_, signal); }
  pid_t id() const { return process_; }
  Finished wait() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    waited_ = true;
    return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            .out = read_file(folder_ / "out"),
            .err = read_file(folder_ / "err")};
  }
  bool running() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
  }
  // What it has said so far.
  std::string err() const { return read_file(folder_ / "err"); }

 private:
  TemporaryFolder folder_;
  pid_t process_;
  bool waited_ = false;
};

inline Finished run_program(const Words& arguments, const Surroundings& surroundings = {}) {
  return Program(arguments, surroundings).wait();
}

inline Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace lookhere
