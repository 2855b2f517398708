// Models are what takes time.
#include "vit/cli/comparison_page.h"

#include <fmt/format.h>

#include <optional>

#include "tensor/system/signals.h"
#include "tensor/text.h"
#include "vit/compare/report.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {

void write_comparison_page(const ComparisonFolder& folder) {
  note_stop_signals();
  std::optional<Progress> progress;
  const bool whole = write_report(folder, {.progress =
                                               [&](long done, long total) {
                                                 if (!progress) progress.emplace("report", total);
                                                 progress->update(done, fmt::format("{} of {} models", done, total));
                                               },
                                           .stop = asked_to_stop});
  if (progress) progress->finish_quietly();
  if (const auto variants = variants_without_weights(folder); whole && !variants.empty())
    say("note: no pictures of where models look, for no run has its last.safetensors, of {}\n", joined(variants));
  if (whole) return;
  say("nothing but the page is missing: lookhere report {}\n", shell_word(folder.path()));
  throw Error("interrupted", Exit::interrupted);
}

}  // namespace lookhere
