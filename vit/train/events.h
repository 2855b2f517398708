// A run's numbers as TensorBoard reads them: a file of events, each a protocol buffer in a record of its own. Every
// opening of a run makes a file of its own, whose contents are the run's but for the time that stands with each event.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/system/append_file.h"
#include "vit/model/preprocessing.h"
#include "vit/train/log.h"
#include "vit/train/run_folder.h"

namespace lookhere {

std::uint32_t crc32c(std::string_view bytes);  // Castagnoli's CRC-32

// A record of TFRecord files: u64 size, masked CRC-32C of these eight bytes, the data, its masked CRC-32C.
std::string event_record(std::string_view data);

class EventFile {
 public:
  // A new file in the run's folder. What other files have of steps after `step`, where a run that was killed was ahead
  // of its checkpoint, does not count any more.
  EventFile(const RunFolder& folder, long step);
  void write(const StepRow& row);              // train/loss, train/lr, train/grad_norm, train/cross_entropy
  void write(const EpochRow& row, long step);  // eval/loss, eval/top1, eval/top5
  // The first four of a batch of normalised images [b, C, Y, X]: train/image/0 to /3.
  void write(const Tensor& images, const Preprocessing& preprocessing, long step);

 private:
  struct Scalar {
    const char* tag;
    double value;
  };
  void write(long step, const std::vector<Scalar>& scalars);
  AppendFile file_;
};

}  // namespace lookhere
