// Every command, each made in the file of its name.
#pragma once
#include "vit/cli/command.h"

namespace lookhere {

std::unique_ptr<Command> make_train();
std::unique_ptr<Command> make_eval();
std::unique_ptr<Command> make_predict();
std::unique_ptr<Command> make_gallery();
std::unique_ptr<Command> make_forward();
std::unique_ptr<Command> make_gradients();
std::unique_ptr<Command> make_masks();
std::unique_ptr<Command> make_attend();
std::unique_ptr<Command> make_bench();
std::unique_ptr<Command> make_info();
std::unique_ptr<Command> make_verify_data();
std::unique_ptr<Command> make_augment();
std::unique_ptr<Command> make_import();
std::unique_ptr<Command> make_export();
std::unique_ptr<Command> make_compare();
std::unique_ptr<Command> make_report();
std::unique_ptr<Command> make_plan();
std::unique_ptr<Command> make_manual();

inline constexpr const char* kExitCodes =
    "0 done, 2 wrong input, 3 out of memory, 4 training diverged, 5 file system or another rank lost, 130 interrupted.";

// In the order of the help.
std::vector<std::unique_ptr<Command>> all_commands();

}  // namespace lookhere
