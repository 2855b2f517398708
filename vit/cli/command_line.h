// What the words of a command line ask for.
#pragma once
#include <functional>
#include <string>

#include "vit/cli/command.h"

namespace lookhere {

// Takes the run, and reads the options of its checkpoint, of the recipe and of the file that --resume, --recipe and -c
// of `said` name; each may be empty.
using RecipeLoader = std::function<void(RecipeCommand&, const RecipeCommand& said)>;
void load_recipe(RecipeCommand& command, const RecipeCommand& said);

// Reads the command line and returns what to run; for --help and --version prints the answer and returns nothing to do.
// Of an option given twice the last one counts. No file is opened but those that `load` reads, for a command with a
// recipe. Throws Error for what it cannot read, and for files that must not be used so (vit/cli/named_files.h).
std::function<void()> parse_command_line(int argc, const char* const* argv, const RecipeLoader& load = load_recipe);

}  // namespace lookhere
