// PNG files in memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lookhere {

// A PNG file of 8-bit pixels (height, width, channels) with 1 (grey) or 3 (RGB) channels. Throws Error for other
// counts.
std::string png_bytes(const std::vector<std::uint8_t>& pixels, long height, long width, long channels);

// For data URIs.
std::string base64(const std::string& bytes);

}  // namespace lookhere
