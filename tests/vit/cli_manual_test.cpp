// The help as man's page and as what bash completes.
#include <gmock/gmock.h>

#include "tests/program.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Manual, HasEveryCommandWithEveryOption) {
  const Finished help = run_program({"--help"}), manual = run_program({"manual"});
  ASSERT_EQ(manual.code, 0) << manual.err;
  long commands = 0, options = 0;
  std::istringstream lines(help.out.substr(help.out.find("Subcommands:")));
  std::string line, word;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("  ")) {
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    const std::size_t section = manual.out.find("\n.SS " + name + "\n");
    ASSERT_NE(section, std::string::npos) << name;
    const std::string part = manual.out.substr(section, manual.out.find("\n.SS ", section + 1) - section);
    std::istringstream words(run_program({name, "--help"}).out);
    for (++commands; words >> word && word != "Examples:";) {
      word = word.substr(0, word.find_first_of("={"));
      if (!word.starts_with("--") || word.find(',') != word.npos || word == "--help") continue;
      std::string escaped;
      for (const char c : word) escaped += c == '-' ? "\\-" : std::string(1, c);
      EXPECT_NE(part.find(escaped), std::string::npos) << name << ' ' << word;
      ++options;
    }
  }
  EXPECT_GE(commands, 17);
  EXPECT_GE(options, 200);
  for (const char* want : {".TH LOOKHERE 1", ".SH EXIT STATUS\n0 done, 2 wrong input", "\n.B picture"})
    EXPECT_NE(manual.out.find(want), std::string::npos) << want;
  std::istringstream all(manual.out);
  while (std::getline(all, line)) {  // no text is taken for a request
    const std::string request = line.substr(0, line.find(' '));
    if (line.starts_with(".")) {
      EXPECT_THAT(request, testing::AnyOf(".TH", ".SH", ".SS", ".B", ".I", ".TP", ".PP", ".nf", ".fi"));
    }
  }
}

TEST(Manual, TellsOfSeveralMachines) {
  const std::string help = run_program({"train", "--help"}).out, manual = run_program({"manual"}).out;
  const std::size_t train = manual.find("\n.SS train\n");
  const std::string section = manual.substr(train, manual.find("\n.SS ", train + 1) - train);
  EXPECT_NE(help.find("mpirun -n 8 lookhere train "), std::string::npos) << help;
  EXPECT_NE(section.find("mpirun \\-n 8 lookhere train "), std::string::npos) << section;
  for (const std::string& text : {help, section})
    for (const char* word : {"make MPI=1", "Several machines", "rank 0 alone", "GPU of its number"})
      EXPECT_NE(text.find(word), std::string::npos) << word;
}

// What bash offers for these words, the last of which is not finished.
std::string completed(const std::string& words) {
  const Finished end = run_program({"-c",
                                    "source <(\"$0\" manual --format bash) && COMP_WORDS=(" + words +
                                        ") && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && "
                                        "_lookhere; echo ${COMPREPLY[@]}",
                                    built("lookhere")},
                                   {.program = "/bin/bash"});
  EXPECT_EQ(end.err, "");
  return end.out;
}

TEST(Manual, BashCompletesCommandsAndOptions) {
  EXPECT_EQ(completed("lookhere tr"), "train\n");
  EXPECT_EQ(completed("lookhere e"), "eval export\n");
  EXPECT_EQ(completed("lookhere masks --q"), "--query\n");
  EXPECT_EQ(completed("lookhere train --no-fre"), "--no-freeze\n");
  EXPECT_EQ(completed("lookhere masks --model fi"), "\n");  // bash goes on with names of files
  EXPECT_EQ(run_program({"manual", "--format", "fish"}).code, 2);
}

}  // namespace
}  // namespace lookhere
