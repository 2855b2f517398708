// A trace: what one block of a launch did, in the order in which it did it. LOOKHERE_TRACE=FILE asks for one of the
// first launch whose kernel has LOOKHERE_TRACE_KERNEL in its name, of block LOOKHERE_TRACE_BLOCK=x,y,z (0,0,0).
//
// A trace is text. Threads, arrays and elements count from 0; an address is in bytes, within the block's shared memory,
// where arrays stand in the order of their first use, each aligned as its type. After what the launch was
//
//   lookhere trace 1
//   kernel normalise_row<T>                           as LAUNCH spells it
//   launched layer_norm.cu:55
//   grid 5 1 1
//   block 64 1 1
//   index 0 0 0                                       which block this is
//   seed 0
//
// come events, each a line, and the number of them:
//
//   array 0 0 4 32 values                             number, address, bytes of an element, elements, name
//   write 32 0 1 4 reduce.h:27                        thread, array, element, address, place
//   read 5 0 1 4 reduce.h:29
//   barrier 5 reduce.h:28                             a thread has come to it,
//   release reduce.h:28                               and now all have
//   exchange 5 ffffffff __shfl_xor_sync reduce.h:25   a shuffle, vote or __syncwarp: thread, mask, what, place
//   done 5                                            the thread has ended
//   failed block (0, 0, 0): deadlock, ...             the report that ended the launch, its lines joined by ';'
//   end 8
#pragma once
#include <map>
#include <memory>
#include <string>

#include "kernels/cuda/emulator/block.h"
#include "kernels/cuda/emulator/whole_file.h"

namespace kernels::emulator {

class Trace {
 public:
  // The one that the environment asks for, if it is this launch, else null. Throws Failure if it asks for what cannot
  // be had.
  static std::unique_ptr<Trace> of(const Block::Launch& launch);
  Trace(const std::string& file, const Block::Launch& launch, const Dim3& index);
  bool is_of(const Dim3& index) const { return index == index_; }

  void array(const void* array, const std::string& name, long elements, std::size_t bytes, std::size_t alignment);
  void access(const char* kind, int thread, const void* array, long element, const Where& where);
  void barrier(int thread, const Where& where) { event("barrier ", thread, " ", text_of(where)); }
  void release(const Where& where) { event("release ", text_of(where)); }
  void exchange(int thread, unsigned mask, const char* what, const Where& where);
  void done(int thread) { event("done ", thread); }
  // The block has ended, with a report or with "". Returns what went wrong with the file, as another line.
  std::string finish(const std::string& report);

 private:
  struct Array {
    std::size_t number, address, bytes;
  };
  template <class... Parts>
  void event(const Parts&... parts) {
    file_.write(text(parts..., "\n"));
    ++events_;
  }

  Dim3 index_;
  WholeFile file_;
  std::map<const void*, Array> arrays_;
  std::size_t next_address_ = 0;
  long events_ = 0;
};

}  // namespace kernels::emulator
