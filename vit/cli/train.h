// lookhere train: runs a recipe and shows how it goes.
#pragma once
#include "vit/cli/command.h"
#include "vit/train/loop.h"

namespace lookhere {

class TrainCommand : public RecipeCommand {
 public:
  Page page() const override;
  const char* notes() const override {
    return "Several machines, or processes of one, with the program of `make MPI=1`:\n"
           "  mpirun -n 8 lookhere train --data /shared/photos --shards 64 ...\n"
           "Each of 8 ranks computes its part of every batch's shards, with --device cuda on\n"
           "the GPU of its number; rank 0 alone writes and speaks. The files are those of\n"
           "one process, and --resume goes on with any number of ranks up to --shards.";
  }
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
