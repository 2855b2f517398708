// Where the files in a tar archive lie.
#pragma once
#include <string>
#include <vector>

#include "tensor/file.h"

namespace lookhere {

struct TarMember {
  std::string name;
  long offset, length;  // of its bytes in the archive
};

// The regular files of an uncompressed archive (ustar, GNU or pax), in its order. Throws Error, naming the archive and
// the member, for a compressed, truncated or otherwise damaged one, for links, sparse files and devices, and for names
// that are absolute or lead upwards. Nothing is unpacked.
std::vector<TarMember> index_tar(const MappedFile& archive);

}  // namespace lookhere
