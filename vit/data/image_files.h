// ImageFiles: where encoded images are, and of which class. In a folder each class is a folder of its name.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "vit/data/sources.h"

namespace lookhere {

struct ImageFiles {
  std::string root;
  std::vector<std::string> classes;
  std::vector<std::string> paths = {};    // below root, class after class; of a member of an archive ARCHIVE/MEMBER
  std::vector<std::int32_t> labels = {};  // (paths), each an index of classes
  struct Member {
    std::int32_t archive;  // an index of archives
    long offset, length;   // bytes
  };
  std::vector<std::string> archives = {};  // below root
  std::vector<Member> members = {};        // (paths), or none: each path is a file
};

// Is there a folder in `root` with an image in or below it?
bool has_class_folders(const std::string& root);
// The folders in `root` whose names do not begin with a dot; none if it is no folder.
std::vector<std::string> folders_in(const std::string& root);
// torchvision's list. What is in a file its content says.
bool is_image_name(const std::string& name);
// How many images lie in `folder` itself, and how many files that are no images by their names lie in the folders in it
// and below, by their endings in lower case ("": without one).
long loose_images(const std::string& folder);
std::map<std::string, long> other_files(const std::string& root);
// Of ASCII letters.
std::string lower_case(std::string text);

// All images in root/CLASS and below, told by the endings that torchvision's ImageFolder knows, and in its order:
// classes and, within one, folders and then files as their bytes compare. Unlike there, names that begin with a dot are
// left out. options.natural_class_order and options.class_map order the classes otherwise. Throws Error for a class
// without images, for folders deeper than 16, and if there is no class.
ImageFiles list_images(const std::string& root, const DatasetOptions& options);

}  // namespace lookhere
