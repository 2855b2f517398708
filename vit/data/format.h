// Format: how a folder's files make a data set. formats.cpp lists them.
#pragma once
#include <span>

#include "vit/data/dataset.h"

namespace lookhere {

struct DatasetOptions;

struct Format {
  const char* name;                                      // as messages have it
  const char *training_file, *test_file;                 // which files a folder of it has, for messages
  bool (*is_in)(const std::string& folder, bool train);  // told by the names of files
  // One split, described as far as its own files go: mean and std are empty where no one has published them. Throws
  // Error, naming the file, if one is missing or malformed.
  Dataset (*read)(const std::string& folder, bool train, const DatasetOptions& options);
};

std::span<const Format> formats();

}  // namespace lookhere
