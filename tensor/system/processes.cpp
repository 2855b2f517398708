// fork and exec: a fork alone would share what OpenMP believes of threads that are not there.
#include "tensor/system/processes.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tensor/error.h"
#include "tensor/system/posix.h"

namespace lookhere {
namespace {

constexpr useconds_t kPause = 500'000;  // microseconds
constexpr int kNotStarted = 127;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_with(const std::string& name, const std::string& value) {
  std::vector<std::string> all{name + "=" + value};
  for (char** each = ::environ; *each; ++each)
    if (!std::string_view(*each).starts_with(name + "=")) all.emplace_back(*each);
  return all;
}

// Everything that takes memory happens before the fork.
pid_t start(const Job& job, long threads) {
  std::vector<std::string> words{"lookhere"},
      environment = environment_with("OMP_NUM_THREADS", std::to_string(threads));
  words.insert(words.end(), job.words.begin(), job.words.end());
  const std::vector<char*> argv = pointers_to(words), envp = pointers_to(environment);
  const Descriptor log(::open(job.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  check_system(log >= 0, "write", job.log);
  const pid_t process = ::fork();
  if (process != 0) return process;
  if (::dup2(log, STDOUT_FILENO) >= 0 && ::dup2(log, STDERR_FILENO) >= 0)
    ::execve("/proc/self/exe", argv.data(), envp.data());
  ::_exit(kNotStarted);
}

std::string how_it_ended(std::size_t job, int status, const std::string& log) {
  if (WIFSIGNALED(status)) return concat("job ", job + 1, " was ended by signal ", WTERMSIG(status), ", see ", log);
  const int code = WEXITSTATUS(status);
  if (code == 0 || code == static_cast<int>(Exit::interrupted)) return "";
  return concat("job ", job + 1, " ended with exit code ", code, ", see ", log);
}

}  // namespace

std::vector<std::string> run_side_by_side(const std::vector<Job>& jobs, long threads, const std::function<void()>& wait,
                                          const std::function<bool()>& stop) {
  std::vector<pid_t> processes;
  for (const Job& job : jobs) {
    const pid_t process = start(job, threads);
    check_system(process > 0 || !processes.empty(), "start", "a process");
    if (process > 0) processes.push_back(process);
  }
  std::vector<std::string> failures;
  bool asked = false;
  for (std::size_t running = processes.size(); running > 0;) {
    for (std::size_t i = 0; i < processes.size(); ++i) {
      int status = 0;
      if (processes[i] == 0 || retry([&] { return ::waitpid(processes[i], &status, WNOHANG); }) == 0) continue;
      processes[i] = 0, --running;
      if (const std::string line = how_it_ended(i, status, jobs[i].log); !line.empty()) failures.push_back(line);
    }
    if (running == 0) break;
    if (!asked && stop()) {
      asked = true;
      for (const pid_t process : processes)
        if (process) ::kill(process, SIGTERM);
    }
    wait();
    ::usleep(kPause);
  }
  return failures;
}

void end_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGTERM); }

}  // namespace lookhere
