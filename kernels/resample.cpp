// Sixteen pixels at a time. Along a row neighbours have other weights, so that 16 rows are turned first: then pixels of
// one column, which share theirs, lie side by side.
#include "kernels/resample.h"

#include "kernels/simd/vector.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace kernels {
namespace KERNELS_ISA {
namespace {

constexpr long kBlock = kResampleLines;
typedef unsigned char Bytes __attribute__((vector_size(kBlock)));

// A block's sums. With AVX2 g++ 12 keeps vectors that are wider than a register in memory, with SSE2 it does not.
constexpr long kPart = kVectorBytes == 32 ? 8 : kBlock, kParts = kBlock / kPart;
typedef unsigned char PartBytes __attribute__((vector_size(kPart)));
typedef short PartShorts __attribute__((vector_size(kPart * sizeof(short))));
typedef int PartSums __attribute__((vector_size(kPart * sizeof(int))));

// The first n of 16 bytes, the others 0.
void load(Bytes& bytes, const unsigned char* from, long n) {
  if (n >= kBlock) {
    __builtin_memcpy(&bytes, from, kBlock);
  } else {
    bytes = Bytes{};
    __builtin_memcpy(&bytes, from, static_cast<std::size_t>(n));
  }
}
void store(unsigned char* to, const Bytes& bytes, long n) {
  if (n >= kBlock)
    __builtin_memcpy(to, &bytes, kBlock);
  else
    __builtin_memcpy(to, &bytes, static_cast<std::size_t>(n));
}

// Bytes to numbers. g++ 12 has no single instruction for it of its own accord, and lane by lane if not in two steps.
void widen(PartSums& to, const unsigned char* from) {
#if defined(__AVX512F__)
  to = PartSums(_mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__AVX2__)
  to = PartSums(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  PartBytes pixels;
  __builtin_memcpy(&pixels, from, kPart);
  to = __builtin_convertvector(__builtin_convertvector(pixels, PartShorts), PartSums);
#endif
}

// Four perfect shuffles of 16 rows are a transposition.
void transpose(Bytes (&rows)[kBlock]) {
  for (int round = 0; round < 4; ++round) {
    Bytes shuffled[kBlock];
    for (long i = 0; i < kBlock / 2; ++i) {
      const Bytes a = rows[i], b = rows[i + kBlock / 2];
      shuffled[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      shuffled[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (long i = 0; i < kBlock; ++i) rows[i] = shuffled[i];
  }
}

// 16 pixels of output i; tap k's are n bytes at x + k * step.
void weigh(Bytes& y, const ResampleAxis<unsigned char>& p, long i, const unsigned char* x, long step, long n) {
  PartSums sums[kParts];
  for (PartSums& sum : sums) sum = PartSums{} + (1 << (kResampleBits - 1));
  for (long k = 0; k < p.count[i]; ++k) {
    const unsigned char* from = x + k * step;
    Bytes some;
    if (n < kBlock) {
      load(some, from, n);
      from = reinterpret_cast<const unsigned char*>(&some);
    }
    for (long part = 0; part < kParts; ++part) {
      PartSums pixels;
      widen(pixels, from + part * kPart);
      sums[part] += pixels * p.weights[i * p.taps + k];
    }
  }
  for (long part = 0; part < kParts; ++part) {
    PartShorts value = __builtin_convertvector(sums[part] >> kResampleBits, PartShorts);
    value = value < 0 ? PartShorts{} : value;
    value = value > 255 ? PartShorts{} + 255 : value;
    const PartBytes pixels = __builtin_convertvector(value, PartBytes);
    __builtin_memcpy(reinterpret_cast<unsigned char*>(&y) + part * kPart, &pixels, kPart);
  }
}

// scratch (in, 16) = rows [line, line + 16) of x, of which the last is repeated if there are fewer.
void turn(const ResampleAxis<unsigned char>& p, long line) {
  for (long x = 0; x < p.in; x += kBlock) {
    Bytes block[kBlock];
    for (long r = 0; r < kBlock; ++r) {
      const long row = line + r < p.lines ? line + r : p.lines - 1;
      load(block[r], p.x + row * p.x_stride + x, p.in - x);
    }
    transpose(block);
    for (long i = 0; i < kBlock && x + i < p.in; ++i) store(p.scratch + (x + i) * kBlock, block[i], kBlock);
  }
}

}  // namespace

template <class T>
void resample_horizontal(const ResampleAxis<T>& p) {
  for (long line = 0; line < p.lines; line += kBlock) {
    turn(p, line);
    for (long x = 0; x < p.out; x += kBlock) {
      Bytes block[kBlock] = {};
      for (long i = 0; i < kBlock && x + i < p.out; ++i)
        weigh(block[i], p, x + i, p.scratch + p.first[x + i] * kBlock, kBlock, kBlock);
      transpose(block);
      for (long r = 0; r < kBlock && line + r < p.lines; ++r) store(p.y + (line + r) * p.out + x, block[r], p.out - x);
    }
  }
}

template <class T>
void resample_vertical(const ResampleAxis<T>& p) {
  for (long i = 0; i < p.out; ++i)
    for (long x = 0; x < p.lines; x += kBlock) {
      Bytes pixels;
      weigh(pixels, p, i, p.x + (p.first[i] - p.skipped) * p.x_stride + x, p.x_stride, p.lines - x);
      store(p.y + i * p.lines + x, pixels, p.lines - x);
    }
}

}  // namespace KERNELS_ISA

KERNEL(resample_horizontal, ResampleAxis, unsigned char);
KERNEL(resample_vertical, ResampleAxis, unsigned char);

}  // namespace kernels
