// Philox4x32-10 (Salmon et al. 2011) of one counter: the words that the CPU's kernels draw (kernels/simd/philox.h).
#pragma once
#include <cstdint>

#include "kernels/cuda/cuda.h"

namespace kernels::cuda {

struct PhiloxWords {
  std::uint32_t word[4];
};

__device__ inline PhiloxWords philox(std::uint64_t seed, PhiloxWords c) {
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53U} * c.word[0], b = std::uint64_t{0xCD9E8D57U} * c.word[2];
    c = {{static_cast<std::uint32_t>(b >> 32) ^ c.word[1] ^ key0, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ c.word[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9U, key1 += 0xBB67AE85U;
  }
  return c;
}

}  // namespace kernels::cuda
