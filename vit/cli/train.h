// lookhere train: runs a recipe and shows how it goes.
#pragma once
#include "vit/cli/command.h"
#include "vit/train/loop.h"

namespace lookhere {

class TrainCommand : public RecipeCommand {
 public:
  Page page() const override;
  void add_options(Options& options) override;
  void run() const override;

  void read_run(const std::string& run) override;

 private:
  RunFolder take_folder() const;
  void follow() const;
  std::string output, dump_dir;
  void foresee(const Trainer::Beginning& run) const;
  long max_steps = 0, dump_batches = 0;
  double mem_limit = 0;
  std::string checkpoint_;  // to go on from
  std::shared_ptr<RunFolder> folder_;
};

}  // namespace lookhere
