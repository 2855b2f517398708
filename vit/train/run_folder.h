// A run's folder: one process at a time, and nothing in it that is not the run's own.
#pragma once
#include <optional>
#include <string>

#include "tensor/system/posix.h"

namespace lookhere {

// How the names of event files begin, which the time and the machine make unique (events.h).
inline constexpr const char* kEventFilePrefix = "events.out.tfevents.";

class RunFolder {
 public:
  // Opens the folder, creating it and those above it where they are missing, and locks it before anything in it is
  // looked at. Throws Error (Exit::io) if another process has it.
  RunFolder(const std::string& path);  // NOLINT(google-explicit-constructor): a path will do
  // The same for a folder that must be there.
  static RunFolder existing(const std::string& path);
  // As the constructor does; nothing if another process has the folder, maybe on another machine: the file PATH.lock,
  // which stays, tells them, since NFS has no locks for folders.
  static std::optional<RunFolder> if_free(const std::string& path);
  // For other ranks than the one that has it: nothing is created, locked or removed.
  static RunFolder of_first_rank(const std::string& path);
  // A new folder of this name, or of this name with -2, -3, ... where that exists.
  static RunFolder fresh(const std::string& path);
  // A folder that was created for nothing goes again.
  ~RunFolder();
  RunFolder(RunFolder&&) noexcept = default;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  bool has(const std::string& name) const;  // a file, a folder or a link

  // For a new run: throws Error naming the first thing here that it would overwrite.
  void require_free() const;
  // Removes what a killed run left of files that it was writing.
  void remove_leftovers() const;

 private:
  RunFolder() = default;
  void make(const std::string& path);
  bool take();  // false if another process has it
  void open();
  std::string path_;
  Descriptor folder_, lock_file_;
  bool created_ = false;
};

}  // namespace lookhere
