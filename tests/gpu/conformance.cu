// Whether a GPU does what the emulator does: every instruction of kernels/cuda/instructions.h, the exchanges between
// lanes, atomics and block_reduce, each on the same random operands. Two programs are made of this file: by g++ with
// the emulator, and by nvcc.
//
//   conformance RESULTS              writes what came out
//   conformance RESULTS EXPECTED     also compares it with what another one wrote: a line for each instruction, the sum
//                                    of it last. Exit code 1: they differ; 77: there is no GPU.
#include "tests/gpu/conformance.h"

#include "kernels/cuda/instructions.h"
#include "kernels/cuda/reduce.h"

namespace conformance {
namespace {

using namespace kernels::cuda;
using kernels::Cuda;

constexpr int kBlocks = 64;  // each a case of its own

// -- copies ----------------------------------------------------------------------------------------------------------

template <int kBytes>
__global__ void copy(unsigned* out, const unsigned* from, const unsigned* wanted) {
  constexpr int kWords = kBytes / 4;
  SHARED(unsigned, to, 32 * kWords);
  const int i = static_cast<int>(threadIdx.x), at = static_cast<int>(blockIdx.x) * 32 + i;
  cp_async<kBytes>(&to[i * kWords], from + at * kWords, static_cast<int>(wanted[at] % (kBytes + 1)));
  cp_async_commit();
  cp_async_wait<0>();
  for (int w = 0; w < kWords; ++w) out[at * kWords + w] = to[i * kWords + w];
}
template <int kBytes>
void copies(Report& report) {
  const OnDevice<unsigned> from(report.draw(kBlocks * 32 * kBytes / 4)), wanted(report.draw(kBlocks * 32));
  OnDevice<unsigned> out(from.size());
  LAUNCH(copy<kBytes>, dim3(kBlocks), dim3(32), context(), out.get(), from.get(), wanted.get());
  report.add("cp_async<" + std::to_string(kBytes) + ">, part of the bytes", out);
}

// Two stages: while one is summed, with its neighbour's part, the other is filled.
__global__ void sum_stages(unsigned* out, const unsigned* from) {
  constexpr int kStages = 7, kThreads = 64;
  SHARED(unsigned, stage, 2 * kThreads);
  const int i = static_cast<int>(threadIdx.x);
  const unsigned* mine = from + static_cast<int>(blockIdx.x) * kStages * kThreads + i;
  unsigned sum = 0;
  cp_async<4>(&stage[i], mine);
  cp_async_commit();
  for (int s = 0; s < kStages; ++s) {
    if (s + 1 < kStages) {
      cp_async<4>(&stage[(s + 1) % 2 * kThreads + i], mine + (s + 1) * kThreads);
      cp_async_commit();
      cp_async_wait<1>();
    } else {
      cp_async_wait_all();
    }
    __syncthreads();
    sum = sum * 31 + stage[s % 2 * kThreads + (i + 1) % kThreads];
    __syncthreads();
  }
  out[blockIdx.x * kThreads + i] = sum;
}
void stages(Report& report) {
  const OnDevice<unsigned> from(report.draw(kBlocks * 7 * 64));
  OnDevice<unsigned> out(kBlocks * 64);
  LAUNCH(sum_stages, dim3(kBlocks), dim3(64), context(), out.get(), from.get());
  report.add("cp_async_wait, two stages", out);
}

// -- matrices --------------------------------------------------------------------------------------------------------

// A lane's row is drawn, also of lanes that give none.
template <int kMatrices, bool kTransposed>
__global__ void load(unsigned* out, const unsigned* from, const unsigned* rows) {
  constexpr int kRows = 64;
  SHARED(unsigned, memory, kRows * 4);
  const int lane = static_cast<int>(threadIdx.x), block = static_cast<int>(blockIdx.x);
  for (int i = lane; i < kRows * 4; i += 32) memory[i] = from[block * kRows * 4 + i];
  __syncwarp();
  unsigned registers[kMatrices];
  const int row = static_cast<int>(rows[block * 32 + lane] % kRows);
  if constexpr (kTransposed)
    ldmatrix_transposed(registers, &memory[row * 4]);
  else
    ldmatrix(registers, &memory[row * 4]);
  for (int m = 0; m < kMatrices; ++m) out[(block * 32 + lane) * kMatrices + m] = registers[m];
}
template <int kMatrices, bool kTransposed>
void loads(Report& report) {
  const OnDevice<unsigned> from(report.draw(kBlocks * 64 * 4)), rows(report.draw(kBlocks * 32));
  OnDevice<unsigned> out(kBlocks * 32 * kMatrices);
  const auto kernel = load<kMatrices, kTransposed>;
  LAUNCH(kernel, dim3(kBlocks), dim3(32), context(), out.get(), from.get(), rows.get());
  report.add((kTransposed ? "ldmatrix_transposed, x" : "ldmatrix, x") + std::to_string(kMatrices), out);
}

template <bool kBf16>
__global__ void multiply(float* sums, const unsigned* a, const unsigned* b) {
  const int at = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  float sum[4];
  unsigned left[4];
  for (int i = 0; i < 4; ++i) sum[i] = sums[at * 4 + i], left[i] = a[at * 4 + i];
  if constexpr (kBf16)
    mma_m16n8k16(sum, left, b[at * 2], b[at * 2 + 1]);
  else
    mma_m16n8k8(sum, left, b[at * 2], b[at * 2 + 1]);
  for (int i = 0; i < 4; ++i) sums[at * 4 + i] = sum[i];
}
// An operand of so many random bits.
using Operand = unsigned (*)(unsigned);
unsigned bits_of(int value) { return std::bit_cast<unsigned>(static_cast<float>(value)); }
unsigned small_integer(unsigned random) { return bits_of(static_cast<int>(random % 17) - 8); }
unsigned small_and_more(unsigned random) { return small_integer(random >> 13) | (random & 0x1FFFU); }
unsigned from_half_to_one(unsigned random) { return 0x3F000000U | (random & 0x7FFFFFU); }
unsigned pair(unsigned high, unsigned low) { return (high & 0xFFFF0000U) | low >> 16; }
unsigned small_pair(unsigned random) { return pair(small_integer(random >> 16), small_integer(random & 0xFFFFU)); }
unsigned pair_to_one(unsigned random) { return 0x3F003F00U | (random & 0x007F007FU); }

// Sums of small integers are exact in any order: bits. All others are positive: nothing cancels, and the order shows as
// units in the last place.
template <bool kBf16>
void products(Report& report, const char* name, Operand operand, Operand of_sum, Compare compare) {
  const OnDevice<unsigned> a(report.draw(kBlocks * 128, operand)), b(report.draw(kBlocks * 64, operand));
  OnDevice<unsigned> sums(report.draw(kBlocks * 128, of_sum));
  LAUNCH(multiply<kBf16>, dim3(kBlocks), dim3(32), context(), reinterpret_cast<float*>(sums.get()), a.get(), b.get());
  report.add(name, sums, compare);
}

// -- conversions -----------------------------------------------------------------------------------------------------

__global__ void convert(unsigned* pairs, unsigned* rounded, const float* from) {
  const unsigned i = blockIdx.x * 32 + threadIdx.x;
  pairs[i] = pack_bf16(from[2 * i], from[2 * i + 1]);
  rounded[2 * i] = to_tf32(from[2 * i]), rounded[2 * i + 1] = to_tf32(from[2 * i + 1]);
}
unsigned ordinary(unsigned random) {  // every fourth half way between two bf16, or two tf32
  if (random % 4 == 0) random = (random & ~0xFFFFU) | 0x8000U;
  if (random % 4 == 1) random = (random & ~0x1FFFU) | 0x1000U;
  return (random >> 23 & 0xFFU) % 0xFFU ? random : random ^ 0x40000000U;
}
unsigned subnormal(unsigned random) { return random & 0x807FFFFFU; }
unsigned not_a_number(unsigned random) { return random | 0x7F800001U; }
unsigned infinite(unsigned random) { return (random & 0x80000000U) | 0x7F800000U; }
void conversions(Report& report, const std::string& name, Operand operand) {
  const OnDevice<unsigned> from(report.draw(kBlocks * 64, operand));
  OnDevice<unsigned> pairs(kBlocks * 32), rounded(kBlocks * 64);
  const auto* values = reinterpret_cast<const float*>(from.get());
  LAUNCH(convert, dim3(kBlocks), dim3(32), context(), pairs.get(), rounded.get(), values);
  report.add("pack_bf16, " + name, pairs), report.add("to_tf32, " + name, rounded);
}

// -- exchanges and sums ----------------------------------------------------------------------------------------------

__global__ void exchange(unsigned* out, const unsigned* from) {
  const int lane = static_cast<int>(threadIdx.x), at = static_cast<int>(blockIdx.x) * 32 + lane;
  const unsigned mine = from[at];
  out += at * 8;
  out[0] = __shfl_sync(~0U, mine, static_cast<int>(mine % 32)), out[1] = __shfl_xor_sync(~0U, mine, 5);
  out[2] = __shfl_down_sync(~0U, mine, 3), out[3] = __shfl_up_sync(~0U, mine, 7);
  out[4] = __ballot_sync(~0U, mine % 2), out[5] = __any_sync(~0U, mine % 32 == 0);
  out[6] = __all_sync(~0U, mine % 32 != 0), out[7] = 0;
  if (lane % 2) out[7] = __shfl_xor_sync(0xAAAAAAAAU, mine, 2);  // half of the lanes alone
}
void exchanges(Report& report) {
  const OnDevice<unsigned> from(report.draw(kBlocks * 32));
  OnDevice<unsigned> out(from.size() * 8);
  LAUNCH(exchange, dim3(kBlocks), dim3(32), context(), out.get(), from.get());
  report.add("shuffles and votes", out);
}

struct Plus {
  __device__ float operator()(float a, float b) const { return a + b; }
};
__global__ void reduce(float* out, const float* from) {
  const unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  out[at] = block_reduce(from[at], Plus());
}
void reductions(Report& report) {
  for (const unsigned threads : {32U, 96U, 256U}) {
    const OnDevice<unsigned> from(report.draw(kBlocks * threads, from_half_to_one));
    OnDevice<unsigned> out(from.size());
    LAUNCH(reduce, dim3(kBlocks), dim3(threads), context(), reinterpret_cast<float*>(out.get()),
           reinterpret_cast<const float*>(from.get()));
    report.add("block_reduce, " + std::to_string(threads) + " threads", out);
  }
}

// -- atomics ---------------------------------------------------------------------------------------------------------

// Every function that there is for T, one after another, and what each returns.
template <class T, class P>
__device__ void one_after_another(T* out, P at, const T* operands) {
  constexpr bool kInteger = std::is_integral_v<T>;
  for (int i = 1; i < 16; ++i) {
    const T value = operands[i];
    *out++ = atomicAdd(at, value);
    if constexpr (!std::is_same_v<T, double>)
      if (i % 5 == 0) *out++ = atomicExch(at, value);
    if constexpr (kInteger && sizeof(T) == 4) *out++ = atomicMax(at, operands[i / 2]), *out++ = atomicMin(at, value);
    if constexpr (kInteger) {
      const T seen = atomicCAS(at, value, operands[i / 3]);
      *out++ = seen, *out++ = atomicCAS(at, static_cast<T>(i % 2 ? seen : value), operands[i / 2]);
    }
  }
}
constexpr int kOperands = 16, kResults = 80;
template <class T>
__global__ void update_alone(T* out, T* memory, const T* operands) {
  SHARED(T, shared, 2);
  operands += blockIdx.x * kOperands, out += 2 * static_cast<int>(blockIdx.x) * kResults;
  memory += blockIdx.x, *memory = operands[0], shared[1] = operands[0];
  one_after_another(out, memory, operands), one_after_another(out + kResults, &shared[1], operands);
  out[kResults - 1] = *memory, out[2 * kResults - 1] = shared[1];
}
template <class T>
void updates_alone(Report& report, const char* name, Operand operand) {
  constexpr int kWords = sizeof(T) / 4;
  const OnDevice<unsigned> operands(report.draw(kBlocks * kOperands * kWords, operand));
  OnDevice<unsigned> out(2 * kBlocks * kResults * kWords), memory(kBlocks * kWords);
  LAUNCH(update_alone<T>, dim3(kBlocks), dim3(1), context(), reinterpret_cast<T*>(out.get()),
         reinterpret_cast<T*>(memory.get()), reinterpret_cast<const T*>(operands.get()));
  report.add(std::string("atomics, ") + name, out);
}

// All at once, in ways whose outcome is the same in any order. `seen`: each value is returned to one thread.
struct Counters {
  int count, most, least;
  unsigned sum, unsigned_most, unsigned_least;
  float halves, quarters;
  double whole;
  unsigned long long wide, power;
};
__global__ void update_together(Counters* to, unsigned* seen, const unsigned* from) {
  SHARED(unsigned, block_sum, 1);
  if (threadIdx.x == 0) block_sum[0] = 0;
  __syncthreads();
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, value = from[i];
  atomicAdd(&seen[atomicAdd(&to->count, 1)], 1U);
  atomicMax(&to->most, static_cast<int>(value)), atomicMin(&to->least, static_cast<int>(value));
  atomicMax(&to->unsigned_most, value), atomicMin(&to->unsigned_least, value);
  atomicAdd(&to->halves, 0.5F), atomicAdd(&to->quarters, 0.25F), atomicAdd(&to->whole, static_cast<double>(value)),
      atomicAdd(&to->wide, 1ULL << 40);
  atomicAdd(&block_sum[0], value);
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(&to->sum, block_sum[0]);
  if (i >= 61) return;
  unsigned long long expected = 1;
  for (unsigned long long found = 0; (found = atomicCAS(&to->power, expected, 2 * expected)) != expected;)
    expected = found;
}
void updates_together(Report& report) {
  static_assert(sizeof(Counters) % 4 == 0);
  const OnDevice<unsigned> from(report.draw(kBlocks * 96));
  Counters begin{};
  begin.unsigned_least = ~0U, begin.power = 1;
  std::vector<unsigned> words(sizeof begin / 4);
  std::memcpy(words.data(), &begin, sizeof begin);
  OnDevice<unsigned> counters(words), seen(std::vector<unsigned>(from.size()));
  LAUNCH(update_together, dim3(kBlocks), dim3(96), context(), reinterpret_cast<Counters*>(counters.get()), seen.get(),
         from.get());
  report.add("atomics, all threads at once", counters), report.add("atomicAdd, who saw what", seen);
}

}  // namespace

void run(Report& report) {
  copies<4>(report), copies<8>(report), copies<16>(report), stages(report);
  loads<1, false>(report), loads<2, false>(report), loads<4, false>(report);
  loads<1, true>(report), loads<2, true>(report), loads<4, true>(report);
  products<true>(report, "mma_m16n8k16, exact", small_pair, small_integer, Compare::bits);
  products<true>(report, "mma_m16n8k16, rounded", pair_to_one, from_half_to_one, Compare::rounding);
  products<false>(report, "mma_m16n8k8, exact", small_integer, small_integer, Compare::bits);
  products<false>(report, "mma_m16n8k8, exact, more bits than tf32", small_and_more, small_integer, Compare::bits);
  products<false>(report, "mma_m16n8k8, rounded", from_half_to_one, from_half_to_one, Compare::rounding);
  conversions(report, "ordinary", ordinary), conversions(report, "subnormal", subnormal);
  conversions(report, "infinite", infinite), conversions(report, "NaN", not_a_number);
  exchanges(report), reductions(report);
  const Operand any = [](unsigned random) { return random; };
  updates_alone<int>(report, "int", any), updates_alone<unsigned>(report, "unsigned", any);
  updates_alone<unsigned long long>(report, "unsigned long long", any);
  updates_alone<float>(report, "float", from_half_to_one), updates_alone<double>(report, "double", from_half_to_one);
  updates_together(report);
}

}  // namespace conformance

int main(int count, char** arguments) { return conformance::main(count, arguments); }
