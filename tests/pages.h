// What pages (*.md) show: their blocks of code, and the commands among them.
#pragma once
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/program.h"

namespace lookhere {

// The lines of a page's blocks of code in this language.
inline std::vector<std::string> code_lines(const std::string& page, const std::string& language) {
  std::istringstream text(read_file(page));
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(text, line);)
    if (line.starts_with("```"))
      inside = line == "```" + language;
    else if (inside)
      lines.push_back(line);
  return lines;
}

// The command lines of its sh blocks, without comments; what a backslash divides is one.
inline std::vector<std::string> commands_of(const std::string& page) {
  std::vector<std::string> commands;
  std::string command;
  for (const std::string& line : code_lines(page, "sh")) {
    command += line.substr(0, line.find(" #"));
    if (command.ends_with('\\'))
      command.pop_back();
    else if (!command.empty())
      commands.push_back(std::exchange(command, ""));
  }
  return commands;
}

inline Finished in_shell(const std::string& command, const std::string& working_folder = "",
                         const Words& environment = {}) {
  return run_program(
      {"-c", "exec " + command},
      {.program = "/bin/sh", .environment = environment, .working_folder = working_folder, .seconds = 600});
}

}  // namespace lookhere
