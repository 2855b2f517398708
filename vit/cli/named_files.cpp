// Looked at before anything is read: the file that would be lost may be what took days.
#include "vit/cli/named_files.h"

#include <filesystem>

#include "tensor/text.h"
#include "vit/data/image_files.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;
using File = Options::File;

std::string shown_option(const NamedFile& file) { return concat(file.option, " ", printable(file.path)); }

// A shell expands ~ only where a word begins with it.
void check_expanded(const NamedFile& file) {
  if (file.path != "~" && !file.path.starts_with("~/")) return;
  const std::string word = shown_option(file);
  fail(word, ": the shell has not expanded ~: write ",
       file.option.starts_with("-") ? word + " with a blank" : "it without quotes");
}

void check_model(const NamedFile& file) {
  std::error_code ignored;
  const fs::path best = fs::path(file.path) / "best.safetensors";
  check(!fs::exists(best, ignored), shown_option(file), ": wanted a file, got a run's folder: its best model is ",
        printable(best.string()));
}

// One of the images in a folder that is read. Of other files there nothing is known: the last results may be among
// them.
void check_images_kept(const NamedFile& written, const NamedFile& read) {
  std::error_code ignored;
  if (!is_image_name(written.path) || !fs::is_directory(read.path, ignored)) return;
  const fs::path image = fs::canonical(written.path, ignored);
  for (fs::path above = image.parent_path(); !above.empty() && above != above.root_path(); above = above.parent_path())
    check(!fs::equivalent(above, read.path, ignored), shown_option(written), ": would overwrite an image of ",
          shown_option(read), ", which is read");
}

void check_kept(const NamedFile& written, const NamedFile& read) {
  check_images_kept(written, read);
  std::error_code ignored;
  check(!fs::equivalent(written.path, read.path, ignored), shown_option(written), ": would overwrite ",
        shown_option(read), ", which is read");
}

}  // namespace

void check_files(const std::vector<NamedFile>& files) {
  std::error_code ignored;
  for (const NamedFile& file : files) check_expanded(file);
  for (const NamedFile& file : files)
    if (file.use == File::model) check_model(file);
  for (const NamedFile& written : files)
    if (written.use == File::written && fs::is_regular_file(written.path, ignored))  // what is in a folder may stay
      for (const NamedFile& read : files)
        if (read.use != File::written) check_kept(written, read);
}

}  // namespace lookhere
