// A command of `lookhere`: one file each, with its name, help, options and what it does. commands.cpp lists them.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "vit/train/recipe.h"

namespace lookhere {

// Where a command says its options; command_line.cpp reads them from the words. The value that a variable has is the
// default and stands in the help.
class Options {
 public:
  // What becomes of the file or folder that a value names. A model's is read, and a folder will not do.
  enum class File { none, read, model, written };
  struct Option {
    std::string names;              // "-b,--batch-size", or "file" for one without dashes
    std::string help;               // with the unit, and what 0 or an empty text means
    std::string group = "Options";  // heading that it stands under in the help
    Range range = {};               // of a number; outside of it is an Error that names the option
    bool required = false;
    bool has_no = false;             // of a flag: --no-NAME makes it false
    File file = File::none;          // where the value names one
    const char* not_with = nullptr;  // another option of the command, which leaves nothing for this one to say
  };
  virtual ~Options() = default;
  virtual void add(const Option& option, long& value) = 0;
  virtual void add(const Option& option, double& value) = 0;
  virtual void add(const Option& option, std::string& value) = 0;
  virtual void add(const Option& option, std::vector<double>& value) = 0;
  virtual void add(const Option& option, std::vector<std::string>& value) = 0;
  virtual void add(const Option& option, bool& value) = 0;  // without a value: true
};

class RecipeCommand;

class Command {
 public:
  struct Page {
    const char* name;
    const char* summary;   // one line
    const char* examples;  // lines, each indented by two spaces
  };
  virtual ~Command() = default;
  virtual Page page() const = 0;
  virtual const char* notes() const { return ""; }  // lines that the help ends with
  virtual void add_options(Options& options) = 0;
  virtual RecipeCommand* with_recipe() { return nullptr; }  // itself, if it is one
  // Results go to stdout, everything else to stderr; mistakes throw Error.
  virtual void run() const = 0;

 protected:
  using File = Options::File;
};

// A command with options of a recipe. Its words are read twice: before the second time the recipe is what the first
// has named (load_recipe, vit/cli/command_line.h).
class RecipeCommand : public Command {
 public:
  RecipeCommand* with_recipe() override { return this; }
  // Takes the folder of a run, or of its checkpoint, before it reads the recipe from there.
  virtual void read_run(const std::string& /*run*/) {}

  Recipe recipe;
  std::string resume, preset, config;  // they have been read into the recipe by then

 protected:
  void add_beginnings(Options& options);  // --recipe and -c
};

// One option per field of the recipe, each with timm's name where timm has it: all, or those named by themselves or by
// their group. Their ranges are the recipe's, which Recipe::validate checks. not_with: as Options::Option has it.
void add_fields(Options& options, Recipe& recipe, const std::set<std::string>& only = {},
                const char* not_with = nullptr);
// --device and --tf32.
struct DeviceChoice {
  std::string name = "cpu";
  bool tf32 = false;
  Device use() const { return use_device(name, tf32); }
};
void add_device(Options& options, DeviceChoice& choice);

// --global-slope: the model's configuration with another global slope; negative: as it is. Throws Error for a model
// without LookHere.
void add_global_slope(Options& options, double& slope);
ViTConfig with_global_slope(ViTConfig config, double slope);

// The parts between commas, without blanks around them.
std::vector<std::string> comma_list(const std::string& text);

// Throws Error if what a run writes to `output` would become a class of the images in folders that `data` names.
void require_no_class(const std::string& output, const std::string& data);

// Files by their absolute path, so that a run can be resumed from anywhere; a named data set by its name.
Recipe with_absolute_data(Recipe recipe);

// One line to stderr: version, BLAS, instruction set, threads; a warning where BLAS would run on fewer threads.
void announce();

inline constexpr const char* kVersion = "0.2.0";

}  // namespace lookhere
