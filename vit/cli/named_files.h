// The files that a command line names: what must not be overwritten, and paths that cannot be meant.
#pragma once
#include "vit/cli/command.h"

namespace lookhere {

struct NamedFile {
  std::string option;  // "--model", or "pictures" of one without dashes
  std::string path;
  Options::File use;
};

// Throws Error for a file that is read and written, under whatever names; for a model that is a run's folder; and for
// ~/..., which the shell has left as it is. Files are looked at, and none is opened.
void check_files(const std::vector<NamedFile>& files);

}  // namespace lookhere
