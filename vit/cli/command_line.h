// What the words of a command line ask for.
#pragma once
#include <functional>

namespace lookhere {

// Reads the command line (and, for train, the checkpoint or the recipe that it names) and returns what to run; for
// --help and --version prints the answer and returns nothing to do. Throws Error for what it cannot read.
std::function<void()> parse_command_line(int argc, char** argv);

}  // namespace lookhere
