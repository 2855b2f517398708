// report.html of one run of `train`.
#pragma once
#include <functional>
#include <string>

namespace lookhere {

// Written into the run's folder: how training went, accuracy and calibration on `test_images` test images (0: all),
// what the model makes of some of them, where it looks, what its heads may see, and its recipe. The model is that of
// the last checkpoint. progress(done, total): test images judged.
void write_run_report(const std::string& folder, long test_images,
                      const std::function<void(long done, long total)>& progress);

}  // namespace lookhere
