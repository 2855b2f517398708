// Asynchronous copies and matrix instructions as the PTX ISA describes them.
#include "kernels/cuda/emulator/instructions.h"

#include <algorithm>

namespace kernels::emulator {
namespace {

void carry_out(const AsyncCopy& copy) {
  std::byte* const to = copy.to->at(copy.first);
  if (copy.source_bytes) std::memcpy(to, copy.from, copy.source_bytes);
  std::memset(to + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

void check_alignment(const char* what, const SharedAddress& to, int bytes, const Where& where) {
  if (to.array->byte_of(to.first) % bytes)
    Block::current().fail(text(what, " at ", text_of(where), ": ", to.array->name_of(to.first), " is at byte ",
                               to.array->byte_of(to.first), " of shared memory, which is no multiple of ", bytes));
}

long elements(const SharedAddress& of, int bytes) {
  return (bytes + of.array->element_bytes() - 1) / of.array->element_bytes();
}

struct Operands {
  unsigned a[4], b[2];
};

// sum += a·b, 16 × kDepth by kDepth × 8, where a register holds kParts elements, each of which `value` takes out.
template <int kDepth, int kParts, class Value>
void multiply(const char* what, float (&sum)[4], const Operands& mine, const Where& where, Value value) {
  Block& block = Block::current();
  const auto* given = block.exchange(~0U, what, &mine, sizeof mine, where, false);
  Operands operands[kWarpSize];
  for (int lane = 0; lane < kWarpSize; ++lane) std::memcpy(&operands[lane], given[lane], sizeof mine);
  const int lane = block.thread().lane();
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < kDepth; ++k) {
      const int holder = k / kParts % 4, half = k / kParts / 4, part = k % kParts;
      sum[i] += value(operands[row % 8 * 4 + holder].a[row / 8 + 2 * half], part) *
                value(operands[column * 4 + holder].b[half], part);
    }
  }
}

}  // namespace

void begin_copy(const SharedAddress& to, const void* from, int bytes, int source_bytes, const Where& where) {
  Block& block = Block::current();
  if (source_bytes < 0 || source_bytes > bytes)
    block.fail(text("cp_async at ", text_of(where), ": wants ", source_bytes, " bytes for a copy of ", bytes));
  if (reinterpret_cast<std::uintptr_t>(from) % bytes)
    block.fail(text("cp_async at ", text_of(where), ": its source is no multiple of ", bytes, " bytes"));
  check_alignment("cp_async", to, bytes, where);
  const long count = elements(to, bytes);
  to.array->note(Kind::copy, to.first, count, where);
  Thread& me = block.thread();
  me.copies.push_back({to.array, to.first, count, from, bytes, source_bytes, me.groups, block.draw_late()});
  if (!me.copies.back().late) carry_out(me.copies.back());
}

void commit_copies() { ++Block::current().thread().groups; }

void wait_for_copies(long but) {
  Block& block = Block::current();
  block.maybe_switch();
  Thread& me = block.thread();
  std::erase_if(me.copies, [&](const AsyncCopy& copy) {
    if (copy.group >= me.groups - but) return false;
    if (copy.late) carry_out(copy);
    copy.to->note_copied(copy.first, copy.count);
    return true;
  });
}

void load_matrices(unsigned* to, int matrices, bool transposed, const SharedAddress& row, const Where& where) {
  constexpr int kSide = 8, kRowBytes = 16;
  Block& block = Block::current();
  const int lane = block.thread().lane();
  std::byte mine[kRowBytes] = {};
  if (lane < kSide * matrices) {  // the other lanes' addresses mean nothing
    check_alignment("ldmatrix", row, kRowBytes, where);
    row.array->note(Kind::read_for_warp, row.first, elements(row, kRowBytes), where);
    std::memcpy(mine, row.array->at(row.first), kRowBytes);
  }
  const auto* rows = block.exchange(~0U, "ldmatrix", mine, kRowBytes, where, false);
  for (int m = 0; m < matrices; ++m) {
    std::uint16_t pair[2];
    for (int i = 0; i < 2; ++i) {
      const int along = lane % 4 * 2 + i, across = lane / 4;
      const int r = transposed ? along : across, c = transposed ? across : along;
      std::memcpy(&pair[i], rows[kSide * m + r] + sizeof pair[i] * c, sizeof pair[i]);
    }
    to[m] = pair[0] | unsigned{pair[1]} << 16;
  }
}

void multiply_bf16(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, const Where& where) {
  multiply<16, 2>("mma_m16n8k16", sum, {{a[0], a[1], a[2], a[3]}, {b0, b1}}, where,
                  [](unsigned pair, int part) { return std::bit_cast<float>(pair >> 16 * part << 16); });
}
void multiply_tf32(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, const Where& where) {
  multiply<8, 1>("mma_m16n8k8", sum, {{a[0], a[1], a[2], a[3]}, {b0, b1}}, where,
                 [](unsigned value, int) { return std::bit_cast<float>(value & ~0x1FFFU); });
}

}  // namespace kernels::emulator
