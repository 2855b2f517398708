// lookhere train: runs a recipe and shows how it goes.
#pragma once
#include "vit/cli/command.h"
#include "vit/train/run_folder.h"

namespace lookhere {

class TrainCommand : public Command {
 public:
  Page page() const override;
  void add_options(Options& options) override;
  void run() const override;

  // Takes the folder of a run, or of its checkpoint, before it reads the recipe from there.
  void read_run(const std::string& run);

  Recipe recipe;
  std::string output, resume, preset, config;  // the last three have been read into the recipe by then
  std::string dump_dir;
  long max_steps = 0, dump_batches = 0;

 private:
  RunFolder take_folder() const;
  std::string checkpoint_;  // to go on from
  std::shared_ptr<RunFolder> folder_;
};

}  // namespace lookhere
