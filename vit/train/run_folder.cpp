// The lock is on the folder itself, so that it is there before any file is and leaves none behind.
#include "vit/train/run_folder.h"

#include <filesystem>

#include "tensor/error.h"
#include "tensor/file.h"

namespace lookhere {
namespace {

constexpr const char* kWritten[] = {"last.safetensors", "best.safetensors", "config.toml",
                                    "summary.csv",      "metrics.jsonl",    "curve.svg"};

// All that a run leaves that was killed before its first checkpoint.
bool is_empty_summary(const std::filesystem::path& path) {
  std::error_code error;
  return path.filename() == "summary.csv" && is_regular_file(symlink_status(path, error)) && is_empty(path, error);
}

}  // namespace

RunFolder::RunFolder(const std::string& path) {
  make(path);
  open();
}

void RunFolder::make(const std::string& path) {
  path_ = path.empty() ? "." : path;
  const std::string above = std::filesystem::path(path_).parent_path().string();
  created_ = make_new_folder(path_);
  if (!created_ && errno == ENOENT && !above.empty() && above != path_) {
    make_folders(above);
    created_ = make_new_folder(path_);
  }
  if (!created_) make_folders(path_);  // says why not, unless it is there
}

RunFolder RunFolder::existing(const std::string& path) {
  RunFolder folder;
  folder.path_ = path.empty() ? "." : path;
  folder.open();
  return folder;
}

RunFolder RunFolder::of_first_rank(const std::string& path) {
  RunFolder folder;
  folder.path_ = path.empty() ? "." : path;
  return folder;
}

std::optional<RunFolder> RunFolder::if_free(const std::string& path) {
  RunFolder folder;
  folder.make(path);
  folder.lock_file_ = open_lock_file(path + ".lock");
  if (lock(folder.lock_file_) == Lock::taken_elsewhere) return std::nullopt;
  return folder.take() ? std::optional(std::move(folder)) : std::nullopt;
}

RunFolder RunFolder::fresh(const std::string& path) {
  if (const std::string above = std::filesystem::path(path).parent_path().string(); !above.empty()) make_folders(above);
  RunFolder folder;
  for (long number = 1; !folder.created_; ++number) {
    folder.path_ = number == 1 ? path : concat(path, '-', number);
    folder.created_ = make_new_folder(folder.path_);
    check_system(folder.created_ || errno == EEXIST, "create", folder.path_);
  }
  folder.open();
  return folder;
}

RunFolder::~RunFolder() {
  if (folder_ >= 0 && created_) remove_empty_folder(path_);
}

bool RunFolder::take() {
  folder_ = open_folder(path_);
  return lock(folder_) != Lock::taken_elsewhere;
}

void RunFolder::open() { check_io(take(), path_, ": in use by another process: is this run still going?"); }

bool RunFolder::has(const std::string& name) const { return is_there(file(name)); }

void RunFolder::require_free() const {
  check(!has("last.safetensors"), path_, " holds a run already: go on with --resume ", path_,
        " or choose another --output");
  check(!has("compare.json"), path_, " holds a comparison: choose another --output");
  for (const char* name : kWritten)
    check(!has(name) || is_empty_summary(file(name)), path_, " is no run's folder but holds ", name,
          ", which a run would overwrite: choose another --output");
  std::error_code error;
  for (std::filesystem::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    check(!name.starts_with(kEventFilePrefix), path_, " is no run's folder but holds ", name,
          ", which TensorBoard would take for the run's: choose another --output");
  }
  check_system(error, "list", path_);
}

void RunFolder::remove_leftovers() const {
  for (const char* name : kWritten) lookhere::remove_leftovers(file(name));
}

}  // namespace lookhere
