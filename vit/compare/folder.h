// A comparison in its folder: what was asked for, how far it is, and the work that is left. Several processes may work
// in one folder: each run belongs to the one that has it locked.
#pragma once
#include <string>
#include <vector>

#include "vit/compare/run.h"

namespace lookhere {

class ComparisonFolder {
 public:
  // Settles what was left open (sizes, shards) and writes compare.json. Looks at the data: what is wrong with it, the
  // options or a variant's model is found before the first run begins. Throws Error also if the folder holds a
  // comparison with another recipe or number of test images, or anything (names that begin with a dot aside) but a
  // comparison; variants, seeds and sizes may change.
  ComparisonFolder(std::string path, Comparison asked);

  const Comparison& comparison() const { return comparison_; }
  const std::vector<ComparedRun>& runs() const { return runs_; }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const ImageCounts& images() const { return images_; }
  const ViTConfig& model(const ComparedRun& run) const { return models_[&run - runs_.data()]; }  // of runs()
  bool has_weights(const ComparedRun& run) const;
  bool is_done(std::size_t run) const;  // of runs(): nothing is left to measure, or its training diverged

  // In the units of ComparisonWatch::advance: of all runs, and of what the folder holds of it.
  double work() const;
  double work_done() const;

  // Run after run, but for those that other processes are at; false if it was stopped. results.csv is written after
  // each. Of a run with all its measurements nothing else is needed: its weights may be gone.
  bool carry_out(const ComparisonWatch& watch) const;
  // Throws Error where no run has a number, as in a folder that has only the results of its runs.
  void require_measured() const;
  void write_results() const;

 private:
  void require_same_comparison();
  void require_own() const;
  double training_work(std::size_t run) const;

  std::string path_;
  Comparison comparison_;
  std::vector<ComparedRun> runs_;
  std::vector<ViTConfig> models_;     // of the runs
  std::vector<Measuring> measuring_;  // what they are judged by
  ImageCounts images_{};
};

// The comparison that a folder's compare.json tells of. Throws Error if there is none.
Comparison comparison_in(const std::string& folder);

}  // namespace lookhere
