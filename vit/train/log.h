// A run's log files: summary.csv, one row per epoch with timm's columns and train_cross_entropy, which unlike
// train_loss compares with eval_loss: no label smoothing, whatever is minimised; and metrics.jsonl, one object per
// update. They hold nothing that differs between two equal runs, and a resumed run continues them where its checkpoint
// stood.
#pragma once
#include <limits>
#include <string>
#include <vector>

namespace lookhere {

struct EpochRow {
  long epoch = 0;
  double train_loss = 0, eval_loss = 0, eval_top1 = 0, eval_top5 = 0, lr = 0;
  double train_cross_entropy = std::numeric_limits<double>::quiet_NaN();
};
inline constexpr const char* kSummaryHeader = "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr,train_cross_entropy\n";
// Version 0.1's had timm's columns alone; a file that began with them goes on with them.
inline constexpr const char* kTimmsHeader = "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n";
// Has this summary.csv the last column? Throws Error if it begins with neither header.
bool has_cross_entropy(const std::string& path);
std::string to_csv(const EpochRow& row, bool with_cross_entropy = true);
// The rows of a summary.csv, for the training curve. Throws Error naming the line that is no row.
std::vector<EpochRow> read_summary(const std::string& path);
// The same, but no rows where the file is missing or empty: of a run that was killed before it had written any.
std::vector<EpochRow> read_summary_so_far(const std::string& path);

struct StepRow {
  long step = 0, epoch = 0;
  double loss = 0, lr = 0, gradient_norm = 0, cross_entropy = 0;
  bool skipped = false;
};
std::string to_json_line(const StepRow& row);

}  // namespace lookhere
