// Shared memory of a block: arrays that begin as NaN, know who read and wrote each element, and refuse an index
// outside.
#pragma once
#include <cstdint>
#include <cstring>
#include <typeinfo>
#include <vector>

#include "kernels/cuda/emulator/trace.h"

namespace kernels::emulator {

// An index together with the line that it stands in: the conversion takes place where the array is used.
struct Index {
  long value;
  Where where;
  template <class I>
  Index(I i, Where here = Where::current())
      : value(static_cast<long>(i)), where(here) {}  // NOLINT: implicit on purpose
};

// What holds for arrays of any type. Two accesses to an element, one of them a write, by two threads are a race unless
// a barrier of the block stands between them, or an exchange or __syncwarp if they are of one warp.
class SharedArrayBase {
 public:
  SharedArrayBase(std::string name, long size, std::size_t bytes, std::size_t alignment)
      : name_(std::move(name)), size_(size), cells_(size) {
    if (Trace* trace = Block::current().trace()) trace->array(this, name_, size, bytes, alignment);
  }
  virtual ~SharedArrayBase() = default;

  void note_read(const Index& i) {
    Thread& me = begin_access("read", i);
    Cell& cell = cells_[i.value];
    if (cell.written && !is_before(cell.write, me)) fail_race("reads", i, "wrote", cell.write.thread, cell.write.where);
    if (std::ssize(cell.reads) <= me.warp()) cell.reads.resize(me.warp() + 1);
    Reads& reads = cell.reads[me.warp()];
    if (reads.barriers != me.barriers || reads.warp_barriers != me.warp_barriers) reads.lanes = 0;
    reads = {me.barriers, me.warp_barriers, reads.lanes | 1U << me.lane(), i.where};
  }

  void note_write(const Index& i) {
    Thread& me = begin_access("write", i);
    Cell& cell = cells_[i.value];
    if (cell.written && !is_before(cell.write, me))
      fail_race("writes", i, "wrote", cell.write.thread, cell.write.where);
    for (std::size_t warp = 0; warp < cell.reads.size(); ++warp) {
      const Reads& reads = cell.reads[warp];
      const bool own = static_cast<int>(warp) == me.warp();
      const unsigned others = own ? reads.lanes & ~(1U << me.lane()) : reads.lanes;
      if (!others || reads.barriers != me.barriers || (own && reads.warp_barriers != me.warp_barriers)) continue;
      fail_race("writes", i, "read", static_cast<int>(warp) * kWarpSize + __builtin_ctz(others), reads.where);
    }
    cell.written = true, cell.write = {me.number, me.barriers, me.warp_barriers, i.where};
  }

 private:
  struct Access {
    int thread;
    long barriers, warp_barriers;  // that the thread had passed
    Where where;
  };
  struct Reads {  // of one warp since its latest barrier
    long barriers = -1, warp_barriers = -1;
    unsigned lanes = 0;
    Where where;
  };
  struct Cell {
    bool written = false;
    Access write{};
    std::vector<Reads> reads;  // by warp
  };

  static bool is_before(const Access& access, const Thread& me) {
    return access.thread == me.number || access.barriers < me.barriers ||
           (access.thread / kWarpSize == me.warp() && access.warp_barriers < me.warp_barriers);
  }
  Thread& begin_access(const char* kind, const Index& i) {
    Block& block = Block::current();
    block.maybe_switch();
    if (i.value < 0 || i.value >= size_)
      block.fail(text(name_, "[", i.value, "] at ", text_of(i.where), ": the array has ", size_, " elements"));
    if (Trace* trace = block.trace()) trace->access(kind, block.thread().number, this, i.value, i.where);
    return block.thread();
  }
  [[noreturn]] void fail_race(const char* does, const Index& i, const char* did, int other, const Where& where) const {
    Block::current().fail(text("race on ", name_, "[", i.value, "]: ", does, " it at ", text_of(i.where), ", thread ",
                               other, " ", did, " it at ", text_of(where), ", without a barrier in between"));
  }

  std::string name_;
  long size_;
  std::vector<Cell> cells_;
};

template <class T>
class SharedArray : public SharedArrayBase {
 public:
  SharedArray(std::string name, long size)
      : SharedArrayBase(std::move(name), size, sizeof(T), alignof(T)), values_(size) {
    std::memset(static_cast<void*>(values_.data()), 0xFF, values_.size() * sizeof(T));
  }

  class Element {
   public:
    Element(SharedArray& array, const Index& i) : array_(array), i_(i) {}
    Element(const Element&) = default;
    operator T() const {  // NOLINT: stands for the value
      array_.note_read(i_);
      return array_.values_[i_.value];
    }
    Element& operator=(const T& value) {
      array_.note_write(i_);
      array_.values_[i_.value] = value;
      return *this;
    }
    Element& operator=(const Element& other) { return *this = static_cast<T>(other); }  // NOLINT: copies the value
    Element& operator+=(const T& value) { return *this = static_cast<T>(*this) + value; }

   private:
    SharedArray& array_;
    Index i_;
  };
  Element operator[](const Index& i) { return {*this, i}; }

 private:
  std::vector<T> values_;
};

template <class T>
SharedArray<T>& shared_array(const char* name, long size, const Where& where = Where::current()) {
  const std::string key = std::string(name) + " " + typeid(T).name() + " " + where.file + std::to_string(where.line);
  return static_cast<SharedArray<T>&>(
      Block::current().shared(key, [&] { return std::make_unique<SharedArray<T>>(name, size); }));
}

}  // namespace kernels::emulator
