// The library xxHash, compiled into this file.
#include "tensor/hash.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

namespace lookhere {

std::uint64_t hash_of(const void* data, long bytes) { return XXH3_64bits(data, static_cast<std::size_t>(bytes)); }
std::string to_hex(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace lookhere
