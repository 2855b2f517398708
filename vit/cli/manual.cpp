// The help of all commands as other programs read it: man's page, and what bash completes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "vit/cli/commands.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

// What a command says of itself.
struct Described {
  struct Entry {
    std::string names, help, group, value;  // value: the default, or empty
    bool flag = false;
  };
  Command::Page page;
  std::string notes;
  std::vector<Entry> entries;
};

class Listing : public Options {
 public:
  explicit Listing(Described& described) : described_(described) {}
  void add(const Option& o, long& value) override { take(o, fmt::format("{}", value)); }
  void add(const Option& o, double& value) override { take(o, fmt::format("{:g}", value)); }
  void add(const Option& o, std::string& value) override { take(o, value); }
  void add(const Option& o, std::vector<double>& value) override {
    take(o, fmt::format("{:g}", fmt::join(value, ",")));
  }
  void add(const Option& o, std::vector<std::string>& value) override {
    take(o, fmt::format("{}", fmt::join(value, ",")));
  }
  void add(const Option& o, bool& value) override {
    take(o, "");
    described_.entries.back().flag = true;
    if (o.has_no) described_.entries.back().names += ",--no-" + o.names.substr(2);
    if (value) described_.entries.back().value = "on";
  }

 private:
  void take(const Option& o, const std::string& value) {
    described_.entries.push_back(
        {.names = o.names, .help = o.help, .group = o.group, .value = o.required ? "" : value});
  }
  Described& described_;
};

std::vector<Described> all_described() {
  std::vector<Described> all;
  for (const auto& command : all_commands()) {
    Described& described =
        all.emplace_back(Described{.page = command->page(), .notes = command->notes(), .entries = {}});
    Listing listing(described);
    command->add_options(listing);
  }
  return all;
}

// For roff a backslash is an escape, a dash a hyphen, and a line with a dot or an apostrophe first a request.
std::string roff(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (result.empty() ? c == '.' || c == '\'' : result.back() == '\n' && (c == '.' || c == '\'')) result += "\\&";
    result += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  }
  return result;
}

std::string man_page() {
  std::string page = fmt::format(
      ".TH LOOKHERE 1 \"\" \"lookhere {}\" \"User commands\"\n.SH NAME\nlookhere \\- train, evaluate and explain "
      "Vision "
      "Transformers with LookHere attention\n.SH SYNOPSIS\n.B lookhere\n.I COMMAND\n[\\fIOPTION\\fR]...\n.SH "
      "COMMANDS\n",
      kVersion);
  for (const Described& command : all_described()) {
    page += fmt::format(".SS {}\n{}.\n", command.page.name, roff(command.page.summary));
    std::string group = "Options";
    for (const auto& entry : command.entries) {
      if (entry.group != group) page += fmt::format(".PP\n{}:\n", roff(group = entry.group));
      page += fmt::format(".TP\n.B {}{}\n{}{}\n", roff(entry.names),
                          entry.flag || !entry.names.starts_with("-") ? "" : " \\fIVALUE\\fR", roff(entry.help),
                          entry.value.empty() ? "" : roff(fmt::format(" [{}]", entry.value)));
    }
    page += fmt::format(".PP\nExamples:\n.nf\n{}\n.fi\n", roff(command.page.examples));
    if (!command.notes.empty()) page += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.notes));
  }
  return page + ".SH EXIT STATUS\n" + kExitCodes +
         "\n.SH ENVIRONMENT\n.TP\n.B OMP_NUM_THREADS\nThreads.\n.TP\n.B LOOKHERE_ISA\nInstruction set of the kernels: "
         "portable, avx2, avx512 or avx512_bf16.\n.TP\n.B LOOKHERE_GEMM\nWhat multiplies: own, openblas or onednn.\n"
         ".TP\n.B LOOKHERE_DATA\nFolder of the data sets that have names, instead of /usr/share/datasets.\n.TP\n.B "
         "LOOKHERE_FONTS\nFolder of the fonts that glyphs are drawn with, instead of /usr/share/fonts.\n";
}

// Commands, then their options; anything else is the name of a file.
std::string bash_completion() {
  std::string names, cases;
  for (const Described& command : all_described()) {
    names += std::string(names.empty() ? "" : " ") + command.page.name;
    std::string options = "--help";
    for (const auto& entry : command.entries)
      for (std::size_t begin = 0, end = 0; begin < entry.names.size(); begin = end + 1) {
        end = std::min(entry.names.find(',', begin), entry.names.size());
        if (const std::string name = entry.names.substr(begin, end - begin); name.starts_with("--"))
          options += " " + name;
      }
    cases += fmt::format("    {}) words='{}' ;;\n", command.page.name, options);
  }
  return fmt::format(
      "# bash completion for lookhere\n_lookhere() {{\n  local word=${{COMP_WORDS[COMP_CWORD]}} words=\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words='{} --help --version'\n  elif [[ $word == -* ]]; then\n"
      "    case ${{COMP_WORDS[1]}} in\n{}    esac\n  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}}\ncomplete -o default -F _lookhere lookhere\n",
      names, cases);
}

class Manual : public Command {
 public:
  Page page() const override {
    return {.name = "manual",
            .summary = "The help of all commands as a page for man, or for bash to complete",
            .examples =
                "  lookhere manual | man -l -\n"
                "  . <(lookhere manual --format bash)"};
  }
  void add_options(Options& o) override { o.add({.names = "--format", .help = "man or bash"}, format); }
  void run() const override {
    check(format == "man" || format == "bash", "--format: wanted man or bash, got '", format, "'");
    write_to_stdout(format == "man" ? man_page() : bash_completion());
  }

 private:
  std::string format = "man";
};

}  // namespace

std::unique_ptr<Command> make_manual() { return std::make_unique<Manual>(); }

}  // namespace lookhere
