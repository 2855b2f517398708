// Other processes of this program, side by side.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace lookhere {

struct Job {
  std::vector<std::string> words;  // of its command line, without the program's name
  std::string log;                 // file for what it says, begun anew
};

// Runs them all at once, each with `threads` threads, and calls wait() about twice a second until all have ended. Once
// stop() says so they are asked to stop (SIGTERM). Returns a line for each that failed: "job 2 ended with exit code 3,
// see LOG". Throws Error (Exit::io) if none can be started.
std::vector<std::string> run_side_by_side(const std::vector<Job>& jobs, long threads, const std::function<void()>& wait,
                                          const std::function<bool()>& stop);
// For such a process, at its beginning: to be asked to stop when the one that has started it is gone.
void end_with_parent();

}  // namespace lookhere
