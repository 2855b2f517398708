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
  std::vector<int> chosen_gpus() const;
  void train_in(Communicator& team) const;
  void lead(Communicator& team) const;
  void follow(Communicator& team) const;
  RunFolder take_folder(const Communicator& team) const;
  void foresee(const Trainer::Beginning& run, const Communicator& team) const;
  std::string output, dump_dir;
  std::vector<double> devices;
  long max_steps = 0, dump_batches = 0;
  double mem_limit = 0;
  std::string checkpoint_;  // to go on from
  std::shared_ptr<RunFolder> folder_;
};

}  // namespace lookhere
