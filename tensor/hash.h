// Hashes that tell whether bytes are still the same: XXH3, 64 bits. Not against an attacker.
#pragma once
#include <cstdint>
#include <string>

namespace lookhere {

std::uint64_t hash_of(const void* data, long bytes);
std::string to_hex(std::uint64_t hash);  // 16 digits

}  // namespace lookhere
