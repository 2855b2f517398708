// Shared memory of a block: arrays that begin as NaN, know who used each element and how, and refuse an index outside.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <typeinfo>
#include <vector>

#include "kernels/cuda/emulator/block.h"

namespace kernels::emulator {

// An index together with the line that it stands in: the conversion takes place where the array is used.
struct Index {
  long value;
  Where where;
  template <class I>
  Index(I i, Where here = Where::current())
      : value(static_cast<long>(i)), where(here) {}  // NOLINT: implicit on purpose
};

inline constexpr long kSharedAlignment = 16;  // of arrays and of what is in the launch's memory, in bytes

// What a thread does to shared memory: atomics update it; a read for the warp is one of all its lanes.
enum class Kind : std::uint8_t { read, read_for_warp, write, copy, update };

// The bytes of one array, or of several that share them, and what is known about each cell of a few bytes.
struct SharedMemory {
  struct Write {
    int thread = -1;                      // nobody yet
    int barriers = 0, warp_barriers = 0;  // that the thread had passed
    Kind kind = Kind::write;
    bool in_flight = false;  // an asynchronous copy that its thread has not waited for
    Where where;
  };
  struct Uses {  // reads or updates by lanes of one warp since its latest barrier: the two latest lanes
    std::int16_t warp = -1;
    Kind kind = Kind::read;
    std::int16_t lanes[2] = {-1, -1};
    int barriers = 0, warp_barriers = 0;
    Where where[2];
  };
  // Two are enough: whoever is in conflict with a lane or a warp that is forgotten is so with one of these.
  struct Cell {
    Write write;
    Uses uses[2];
  };
  SharedMemory(long size, long bytes_of_cell)
      : cell_bytes(bytes_of_cell), bytes(size, std::byte{0xFF}), cells(size / bytes_of_cell) {}

  long cell_bytes;
  std::vector<std::byte> bytes;
  std::vector<Cell> cells;
};

// What holds for arrays of any type. Two uses of an element by two threads, but for two reads or two updates, are a
// race unless a barrier of the block stands between them, or an exchange or __syncwarp if they are of one warp.
class SharedArrayBase {
 public:
  // Elements of cells_each cells, from first_byte on.
  SharedArrayBase(std::string name, long size, long cells_each, std::shared_ptr<SharedMemory> memory, long first_byte);
  virtual ~SharedArrayBase() = default;

  void note_read(const Index& i) { note(Kind::read, i.value, 1, i.where); }
  void note_write(const Index& i) { note(Kind::write, i.value, 1, i.where); }
  // Elements [first, first + count) are used. To be called before they are.
  void note(Kind kind, long first, long count, const Where& where);
  // The thread has waited for its copy to them.
  void note_copied(long first, long count);

  const std::string& name() const { return name_; }
  std::string name_of(long i) const { return text(name_, "[", i, "]"); }
  long size() const { return size_; }
  long element_bytes() const { return element_bytes_; }
  long byte_of(long i) const { return first_byte_ + i * element_bytes_; }  // within the memory
  std::byte* at(long i) { return memory_->bytes.data() + byte_of(i); }
  const std::shared_ptr<SharedMemory>& memory() const { return memory_; }

 private:
  using Cell = SharedMemory::Cell;
  void note_cell(Cell& cell, const Thread& me, Kind kind, long i, const Where& where) const;
  [[noreturn]] void fail_race(Kind kind, long i, const Where& where, const SharedMemory::Write& other) const;

  std::string name_;
  long size_, cells_each_, element_bytes_, first_byte_, first_cell_;
  std::shared_ptr<SharedMemory> memory_;
};

// What a kernel has as void*: the first of some elements.
struct SharedAddress {
  SharedArrayBase* array;
  long first;
};

template <class T>
class SharedPointer;

template <class T>
class SharedArray : public SharedArrayBase {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using element_type = T;
  SharedArray(std::string name, long size)
      : SharedArrayBase(std::move(name), size, 1, std::make_shared<SharedMemory>(size * sizeof(T), sizeof(T)), 0) {}
  SharedArray(std::string name, long size, long cells_each, std::shared_ptr<SharedMemory> memory, long first_byte)
      : SharedArrayBase(std::move(name), size, cells_each, std::move(memory), first_byte) {}

  class Element {
   public:
    Element(SharedArray& array, const Index& i) : array_(array), i_(i) {}
    Element(const Element&) = default;
    operator T() const {  // NOLINT: stands for the value
      array_.note_read(i_);
      return array_.load(i_.value);
    }
    // static_cast<float>(row[i]) where row has another type that becomes a float only when it is told to.
    template <class U>
    requires(std::is_arithmetic_v<U> && !std::is_same_v<U, T>) explicit operator U() const {
      return static_cast<U>(static_cast<T>(*this));
    }
    Element& operator=(const T& value) {
      array_.note_write(i_);
      array_.store(i_.value, value);
      return *this;
    }
    Element& operator=(const Element& other) { return *this = static_cast<T>(other); }  // NOLINT: copies the value
    Element& operator+=(const T& value) { return *this = static_cast<T>(*this) + value; }
    SharedPointer<T> operator&() const { return {array_, i_.value}; }  // NOLINT: &row[i], as everywhere

   private:
    SharedArray& array_;
    Index i_;
  };
  Element operator[](const Index& i) { return {*this, i}; }
  operator SharedAddress() { return {this, 0}; }  // NOLINT: as to void*

  // Unnoticed. Several arrays of different types may lie on the same bytes.
  T load(long i) {
    T value;
    std::memcpy(static_cast<void*>(&value), at(i), sizeof value);
    return value;
  }
  void store(long i, const T& value) { std::memcpy(at(i), static_cast<const void*>(&value), sizeof value); }
};

// T* to shared memory.
template <class T>
class SharedPointer {
 public:
  using element_type = T;
  SharedPointer(SharedArray<T>& array, long first = 0) : array_(&array), first_(first) {}  // NOLINT: as in C++
  operator SharedAddress() const { return {array_, first_}; }                              // NOLINT: as to void*
  typename SharedArray<T>::Element operator[](const Index& i) const { return {*array_, {first_ + i.value, i.where}}; }
  SharedPointer operator+(long n) const { return {*array_, first_ + n}; }
  SharedPointer& operator+=(long n) { return *this = *this + n; }
  SharedArray<T>& array() const { return *array_; }
  long first() const { return first_; }

 private:
  SharedArray<T>* array_;
  long first_;
};
template <class T>
SharedPointer<T> operator+(SharedArray<T>& array, long n) {
  return {array, n};
}

// To the trace, if there is one: `array` is declared.
void trace_array(const SharedArrayBase& array);

// What SHARED declares: one array for the block, made by whichever of its threads comes first.
template <class T>
SharedArray<T>& shared_array(const char* name, long size, const Where& where = Where::current()) {
  std::unique_ptr<SharedArrayBase>& array =
      Block::current().shared({name, where.file, where.line, &typeid(T), size, 0});
  if (!array) array = std::make_unique<SharedArray<T>>(name, size), trace_array(*array);
  return static_cast<SharedArray<T>&>(*array);
}

// What SHARED_VIEW declares: elements of the shared memory whose size the launch says, from `byte` on.
inline constexpr long kViewCell = 2;  // bytes that two threads may use at a time without a race
std::shared_ptr<SharedMemory> launched_memory();
void check_view(const char* name, long byte, long bytes, const Where& where);

template <class T>
SharedPointer<T> shared_view(const char* name, long size, long byte, const Where& where = Where::current()) {
  static_assert(sizeof(T) % kViewCell == 0, "views are of types of an even number of bytes");
  check_view(name, byte, size * sizeof(T), where);
  std::unique_ptr<SharedArrayBase>& array =
      Block::current().shared({name, where.file, where.line, &typeid(T), size, byte});
  if (!array) {
    array = std::make_unique<SharedArray<T>>(name, size, sizeof(T) / kViewCell, launched_memory(), byte);
    trace_array(*array);
  }
  return static_cast<SharedArray<T>&>(*array);
}

}  // namespace kernels::emulator
