// What is known about each cell of shared memory, and the reports of what two threads may not do to one.
#include "kernels/cuda/emulator/shared.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/emulator/trace.h"

namespace kernels::emulator {
namespace {

struct Verb {
  const char *does, *did, *done;  // "reads it", "read it", "is read"
  const char* traced;
};
constexpr Verb kVerbs[] = {{"reads it", "read it", "read", "read"},
                           {"reads it for its warp", "read it for its warp", "read", "read"},
                           {"writes it", "wrote it", "written", "write"},
                           {"copies to it", "copied to it", "copied to", "copy"},
                           {"updates it", "updated it", "updated", "update"}};
const Verb& verb_of(Kind kind) { return kVerbs[static_cast<int>(kind)]; }

bool changes(Kind kind) { return kind == Kind::write || kind == Kind::copy; }

// `own` is the lane whose uses are this thread's own; a read for the warp is another's as well.
constexpr int kNobody = -1;

bool is_before(const SharedMemory::Write& write, const Thread& me, int own) {
  if (write.thread < 0) return true;
  if (write.in_flight) return false;
  return write.barriers < me.barriers || (own != kNobody && write.thread == me.number) ||
         (write.thread / kWarpSize == me.warp() && write.warp_barriers < me.warp_barriers);
}

// Which of the uses nothing sets apart from what this thread does now, null if none.
const Where* concurrent(const SharedMemory::Uses& uses, const Thread& me, int own, int& lane) {
  if (uses.barriers != me.barriers) return nullptr;
  const bool same_warp = uses.warp == me.warp();
  if (same_warp && uses.warp_barriers != me.warp_barriers) return nullptr;
  for (int i = 0; i < 2; ++i)
    if (uses.lanes[i] >= 0 && !(same_warp && uses.lanes[i] == own)) return lane = uses.lanes[i], &uses.where[i];
  return nullptr;
}

void record_use(SharedMemory::Cell& cell, Kind kind, const Thread& me, int own, const Where& where) {
  SharedMemory::Uses& uses = cell.uses[0];
  const auto continues = [&] { return uses.warp == me.warp() && uses.kind == kind; };
  if (!continues()) std::swap(uses, cell.uses[1]);
  if (!continues() || uses.barriers != me.barriers || uses.warp_barriers != me.warp_barriers)
    uses = {static_cast<std::int16_t>(me.warp()), kind, {-1, -1}, me.barriers, me.warp_barriers, {}};
  const auto lane = static_cast<std::int16_t>(me.lane());
  if (uses.lanes[0] != lane) uses.lanes[1] = uses.lanes[0], uses.where[1] = uses.where[0];
  uses.lanes[0] = lane, uses.where[0] = where;
  if (own == kNobody) uses.lanes[1] = static_cast<std::int16_t>((lane + 1) % kWarpSize), uses.where[1] = where;
}

}  // namespace

SharedArrayBase::SharedArrayBase(std::string name, long size, long cells_each, std::shared_ptr<SharedMemory> memory,
                                 long first_byte)
    : name_(std::move(name)),
      size_(size),
      cells_each_(cells_each),
      element_bytes_(cells_each * memory->cell_bytes),
      first_byte_(first_byte),
      first_cell_(first_byte / memory->cell_bytes),
      memory_(std::move(memory)) {}

void SharedArrayBase::note(Kind kind, long first, long count, const Where& where) {
  Block& block = Block::current();
  block.maybe_switch();
  if (first < 0 || first > size_ - count)
    block.fail(text(name_of(first < 0 ? first : std::max(first, size_)), " at ", text_of(where), ": the array has ",
                    size_, " elements"));
  const Thread& me = block.thread();
  if (Trace* trace = block.trace()) trace->access(verb_of(kind).traced, me.number, *this, first, count, where);
  for (long i = first; i < first + count; ++i) {
    Cell* const cells = &memory_->cells[first_cell_ + i * cells_each_];
    for (long c = 0; c < cells_each_; ++c) note_cell(cells[c], me, kind, i, where);
  }
}

void SharedArrayBase::note_cell(Cell& cell, const Thread& me, Kind kind, long i, const Where& where) const {
  const bool for_warp = kind == Kind::read_for_warp;
  const Kind use = for_warp ? Kind::read : kind;
  const int own = for_warp ? kNobody : me.lane();
  if (!is_before(cell.write, me, own)) fail_race(kind, i, where, cell.write);
  int lane = 0;
  for (const SharedMemory::Uses& uses : cell.uses)
    if (const Where* const at = uses.kind == use ? nullptr : concurrent(uses, me, own, lane))
      fail_race(kind, i, where, {.thread = uses.warp * kWarpSize + lane, .kind = uses.kind, .where = *at});
  if (changes(kind))
    cell.write = {me.number, me.barriers, me.warp_barriers, kind, kind == Kind::copy, where};
  else
    record_use(cell, use, me, own, where);
}

void SharedArrayBase::note_copied(long first, long count) {
  const Thread& me = Block::current().thread();
  for (long c = first * cells_each_; c < (first + count) * cells_each_; ++c) {
    SharedMemory::Write& write = memory_->cells[first_cell_ + c].write;
    write.in_flight = false, write.barriers = me.barriers, write.warp_barriers = me.warp_barriers;
  }
}

void SharedArrayBase::fail_race(Kind kind, long i, const Where& where, const SharedMemory::Write& other) const {
  Block& block = Block::current();
  const std::string element = name_of(i), at = text(" at ", text_of(where));
  if (other.in_flight && other.thread == block.thread().number)
    block.fail(text(element, at, " is ", verb_of(kind).done, " before its copy has been waited for, which began at ",
                    text_of(other.where)));
  block.fail(text("race on ", element, ": ", verb_of(kind).does, at, ", thread ", other.thread, " ",
                  other.in_flight ? verb_of(other.kind).does : verb_of(other.kind).did, " at ", text_of(other.where),
                  other.in_flight ? " and has not waited for the copy" : ", without a barrier in between"));
}

void trace_array(const SharedArrayBase& array) {
  if (Trace* trace = Block::current().trace()) trace->array(array);
}

std::shared_ptr<SharedMemory> launched_memory() {
  Block& block = Block::current();
  const long size = (block.launch().shared_bytes + kViewCell - 1) / kViewCell;
  std::unique_ptr<SharedArrayBase>& array = block.shared({});
  if (!array) array = std::make_unique<SharedArray<std::uint16_t>>("the launch's shared memory", size);
  return array->memory();
}

void check_view(const char* name, long byte, long bytes, const Where& where) {
  Block& block = Block::current();
  const long most = block.launch().shared_bytes;
  const std::string view = text(name, " at ", text_of(where), " begins at byte ", byte);
  if (byte < 0 || byte % kSharedAlignment)
    block.fail(text(view, ", which is no multiple of ", kSharedAlignment, byte < 0 ? " from 0 on" : ""));
  if (bytes < 0 || byte + bytes > most)
    block.fail(text(view, " and has ", bytes, " bytes: the launch gives the block ", most));
}

}  // namespace kernels::emulator
