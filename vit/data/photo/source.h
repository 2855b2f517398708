// Images in files or in parts of files, each read and decoded when it is wanted.
#pragma once
#include "vit/data/image_files.h"
#include "vit/data/photo/decode.h"

namespace lookhere {

// skip_bad: in place of an image that cannot be decoded the next one of its class that can is given, so that labels
// stay true and the same run sees the same images. Once more than one file in a thousand, and more than one, is bad,
// reading throws Error. Files that the system cannot read throw in any case.
// The hash is of names, file sizes and each file's first 4096 bytes: not all that could differ, but a data set of
// gigabytes is not read for it.
std::shared_ptr<const ImageSource> photos_in_files(ImageFiles files, bool skip_bad);

}  // namespace lookhere
