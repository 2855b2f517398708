// The command line: words to the options of commands.
#include "vit/cli/command_line.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>

#include "tensor/text.h"
#include "vit/cli/commands.h"
#include "vit/cli/named_files.h"
#include "vit/cli/nearest.h"
#include "vit/train/checkpoint.h"

namespace lookhere {
namespace {

constexpr std::size_t kLongestMessage = 400;  // bytes

// Before CLI11 reads a number: it takes no text for 0, cuts what is too large to the largest number, and says of words
// that they cannot be converted.
std::string complaint_about_number(const std::string& text) {
  char* end = nullptr;
  std::strtold(text.c_str(), &end);
  return text.empty() || *end ? "wanted a number, got " + shown(text) : "";
}
std::string complaint_about_whole_number(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  std::strtoll(text.c_str(), &end, 0);
  if (errno == ERANGE) return "wanted a whole number below 2^63, got " + shown(text);
  return text.empty() || *end ? "wanted a whole number, got " + shown(text) : "";
}

std::vector<std::string> long_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// Of the first word that is left over.
std::string complaint_about_word(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining(true);
  if (left.empty() || !left[0].starts_with("-"))
    return "nothing more was wanted, got " + shown(left.empty() ? "" : left[0]);
  const std::string name = left[0].substr(0, left[0].find('='));
  const auto commands = app.get_subcommands();
  const std::string meant = commands.empty() ? "" : nearest_name(name, long_names(*commands.front()));
  return concat("there is no option ", shown(name), meant.empty() ? "" : ": did you mean " + meant + "?");
}

// What CLI11 complains of, as this program says it; what it does not know stays as it is.
std::string complaint(const CLI::App& app, CLI::ExitCodes error, const std::string& text) {
  using CLI::ExitCodes;
  if (error == ExitCodes::ExtrasError) return complaint_about_word(app);
  if (error == ExitCodes::RequiredError && app.get_subcommands().empty()) return "wanted a command";
  if (error == ExitCodes::ArgumentMismatch && text.ends_with(" missing"))
    return text.substr(0, text.find(':')) + ": wanted a value, got none";
  constexpr std::string_view kFlag = "Could not convert: ";  // a number has been looked at before
  const std::size_t value = text.find(" = ");
  if (!text.starts_with(kFlag) || value == text.npos) return text;
  return concat(text.substr(kFlag.size(), value - kFlag.size()), ": wanted true or false, got ",
                shown(text.substr(value + 3)));
}

// What holds for the options of all commands: of an option given twice the last one counts, lists included.
void finish_options(CLI::App& app) {
  for (CLI::App* sub : app.get_subcommands({}))
    for (CLI::Option* option : sub->get_options()) {
      if (option->get_type_name() == "INT") option->check(complaint_about_whole_number);
      if (option->get_type_name() == "FLOAT") option->check(complaint_about_number);
      if (!option->get_positional() && option->get_items_expected_max() > 0) option->trigger_on_parse();
    }
}

// What CLI11 cannot cope with. It takes [a,b] for a list and unwraps what is in it again, one call deeper each time. A
// number after a flag it reads without a look at its size, and negates it for --no-FLAG.
void check_words(int argc, const char* const* argv) {
  constexpr std::size_t kLongestNumber = 16;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    check(word.find("[[[[[[[[") == word.npos, "wanted a list without lists in it, got ", shown(word));
    const std::size_t equals = word.starts_with("--no-") ? word.find('=') : word.npos;
    if (equals == word.npos) continue;
    const std::string_view value = word.substr(equals + 1);
    check(value.size() <= kLongestNumber, printable(word.substr(0, std::min<std::size_t>(equals, 80))),
          ": wanted true or false, got ", shown(value));
  }
}

// What is left to do with a command's options once all words have been read.
struct Afterwards {
  std::vector<std::function<void()>> ranges;                         // checks of numbers
  std::vector<std::function<void()>> together;                       // of options, while the CLI::App is there
  std::vector<std::function<void(std::vector<NamedFile>&)>> naming;  // each adds the files that an option names
};

std::string name_of(const Options::Option& o) {
  const std::size_t name = o.names.find("--");
  return o.names.substr(name == std::string::npos ? 0 : name);
}

// A command's options as CLI11 has them.
class Words : public Options {
 public:
  Words(CLI::App& app, const Command& command, Afterwards& afterwards)
      : sub_(app.add_subcommand(command.page().name, command.page().summary)), afterwards_(afterwards) {
    const std::string notes = command.notes();
    sub_->footer(concat("Examples:\n", command.page().examples, notes.empty() ? "" : "\n\n", notes));
    sub_->option_defaults()->always_capture_default();
  }
  void add(const Option& o, long& value) override { add_number(o, value); }
  void add(const Option& o, double& value) override { add_number(o, value); }
  void add(const Option& o, std::string& value) override {
    add_any(o, value);
    if (o.file != File::none)
      afterwards_.naming.emplace_back([option = name_of(o), use = o.file, &value](std::vector<NamedFile>& files) {
        files.push_back({option, value, use});
      });
  }
  void add(const Option& o, std::vector<double>& value) override { add_any(o, value)->delimiter(','); }
  void add(const Option& o, std::vector<std::string>& value) override {
    add_any(o, value);
    if (o.file != File::none)
      afterwards_.naming.emplace_back([option = name_of(o), use = o.file, &value](std::vector<NamedFile>& files) {
        for (const std::string& each : value) files.push_back({option, each, use});
      });
  }
  void add(const Option& o, bool& value) override {
    const std::string names = o.has_no ? o.names + ",!--no-" + o.names.substr(2) : o.names;
    keep_apart(o, sub_->add_flag(names, value, o.help)->group(o.group));
  }

 private:
  template <class T>
  CLI::Option* add_any(const Option& o, T& value) {
    CLI::Option* option = sub_->add_option(o.names, value, o.help);
    if (!option->get_positional()) option->group(o.group);
    if (o.required) option->required()->default_str("");  // which would be shown as if nothing were wanted
    keep_apart(o, option);
    return option;
  }
  void keep_apart(const Option& o, const CLI::Option* option) {
    if (!o.not_with) return;
    afterwards_.together.emplace_back([sub = sub_, option, name = name_of(o), other = o.not_with] {
      check(option->count() == 0 || sub->get_option(other)->count() == 0, name, ": goes not with ", other,
            ", which says all");
    });
  }
  template <class T>
  void add_number(const Option& o, T& value) {
    add_any(o, value);
    afterwards_.ranges.emplace_back([name = name_of(o), range = o.range, &value] { check_range(name, range, value); });
  }
  CLI::App* sub_;
  Afterwards& afterwards_;
};

// Every command with what its options are read into.
struct Commands {
  std::vector<std::unique_ptr<Command>> all = all_commands();
  std::map<std::string, Afterwards> afterwards;  // by command

  void add_to(CLI::App& app) {
    for (const auto& command : all) {
      Words words(app, *command, afterwards[command->page().name]);
      command->add_options(words);
    }
    finish_options(app);
  }
  void run(const std::string& name) {
    for (const auto& check : afterwards[name].ranges) check();
    for (const auto& command : all)
      if (command->page().name == name) command->run();
  }
  std::vector<NamedFile> files_of(const std::string& name) {
    std::vector<NamedFile> files;
    for (const auto& add : afterwards[name].naming) add(files);
    return files;
  }
};

// Reads the words into the commands' options and says which command it is. Nothing is run after --help and --version,
// which are answered with `help`.
std::string parse(Commands& commands, int argc, const char* const* argv, bool help) {
  CLI::App app{"Train, evaluate and explain Vision Transformers with LookHere attention", "lookhere"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("lookhere ") + kVersion);
  app.footer(std::string("Exit codes: ") + kExitCodes + "\nThreads: OMP_NUM_THREADS.");
  commands.add_to(app);
  const std::string command = argc > 1 ? argv[1] : "";
  std::string text;
  try {
    app.parse(argc, argv);
    std::string name = app.get_subcommands().front()->get_name();
    for (const auto& check : commands.afterwards[name].together) check();
    return name;
  } catch (const CLI::Success& success) {
    if (help) app.exit(success);
    const auto got = app.get_subcommands();
    return got.empty() || help ? "" : got.front()->get_name();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const CLI::Error& error) {
    text = complaint(app, static_cast<CLI::ExitCodes>(error.get_exit_code()), error.what());
  } catch (const std::exception& error) {  // of a check, or what the standard library throws within CLI11
    text = complaint(app, CLI::ExitCodes::Success, error.what());
  }
  const bool known = !app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == command; }).empty();
  if (!known && !command.empty())
    fail("there is no ", command.starts_with("-") ? "option" : "command", " ", shown(command),
         " (see lookhere --help)");
  fail(printable(text.substr(0, kLongestMessage)), text.size() > kLongestMessage ? "..." : "", " (see lookhere ",
       command, known ? " " : "", "--help)");
}

}  // namespace

void load_recipe(RecipeCommand& command, const RecipeCommand& said) {
  if (!said.resume.empty()) command.read_run(said.resume);
  const auto read_files = [&said](Recipe& recipe) {
    if (!said.preset.empty()) update_from_preset(recipe, said.preset);
    if (!said.config.empty()) update_from_toml(recipe, said.config);
  };
  if (said.resume.empty()) {
    Recipe files;
    files.initial_checkpoint = said.recipe.initial_checkpoint;
    if (files.initial_checkpoint.empty()) read_files(files);
    command.recipe.initial_checkpoint = files.initial_checkpoint;
    if (!files.initial_checkpoint.empty()) command.recipe.model = command.recipe.position = "";  // the checkpoint's
  }
  read_files(command.recipe);
}

std::function<void()> parse_command_line(int argc, const char* const* argv, const RecipeLoader& load) {
  check_words(argc, argv);
  // What a resumed run or a file says holds unless the command line says otherwise. So the words are read twice: first
  // for the names of these files alone.
  Commands first;
  const auto commands = std::make_shared<Commands>();
  const std::string named = parse(first, argc, argv, false);
  check_files(first.files_of(named));
  for (std::size_t i = 0; i < first.all.size(); ++i)
    if (RecipeCommand* const said = first.all[i]->with_recipe(); said && said->page().name == named)
      load(*commands->all[i]->with_recipe(), *said);
  const std::string name = parse(*commands, argc, argv, true);
  return [commands, name] { commands->run(name); };
}

}  // namespace lookhere
