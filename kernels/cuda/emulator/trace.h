// A trace: what one block of a launch did, in the order in which it did it. LOOKHERE_TRACE=FILE asks for one of the
// first launch whose kernel has LOOKHERE_TRACE_KERNEL in its name, of block LOOKHERE_TRACE_BLOCK=x,y,z (0,0,0).
//
// A trace is text. Threads, arrays and elements count from 0; an address is in bytes, within the block's shared memory,
// where arrays stand in the order in which the first thread comes to them, each at a multiple of 16. Views of the
// launch's memory (SHARED_VIEW) are arrays that share addresses; all of it stands where the first of them is come to.
// After what the launch was
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
//   write 32 0 1 1 4 reduce.h:27                      thread, array, first element, how many, address, place
//   read 5 0 1 1 4 reduce.h:29                        by ldmatrix: a row of a matrix
//   copy 5 0 8 4 32 gemm.cu:31                        cp.async has begun to copy there
//   update 5 0 1 1 4 sum.cu:12                        an atomic
//   barrier 5 reduce.h:28                             a thread has come to it,
//   release reduce.h:28                               and now all have
//   exchange 5 ffffffff __shfl_xor_sync reduce.h:25   a shuffle, vote or __syncwarp: thread, mask, what, place
//   instruction 5 ffffffff ldmatrix gemm.cu:40        the same of an instruction that is no barrier: ldmatrix, mma
//   done 5                                            the thread has ended
//   failed block (0, 0, 0): deadlock, ...             the report that ended the launch, its lines joined by ';'
//   end 11
#pragma once
#include <map>
#include <memory>
#include <string>

#include "kernels/cuda/emulator/block.h"
#include "kernels/cuda/emulator/shared.h"
#include "kernels/cuda/emulator/whole_file.h"

namespace kernels::emulator {

class Trace {
 public:
  // The one that the environment asks for, if it is this launch, else null. Throws Failure if it asks for what cannot
  // be had.
  static std::unique_ptr<Trace> of(const Block::Launch& launch);
  Trace(const std::string& file, const Block::Launch& launch, const Dim3& index);
  bool is_of(const Dim3& index) const { return index == index_; }

  void array(const SharedArrayBase& array);
  void access(const char* kind, int thread, const SharedArrayBase& array, long first, long count, const Where& where);
  void barrier(int thread, const Where& where) { event("barrier ", thread, " ", text_of(where)); }
  void release(const Where& where) { event("release ", text_of(where)); }
  void exchange(int thread, unsigned mask, const char* what, const Where& where, bool is_barrier);
  void done(int thread) { event("done ", thread); }
  // The block has ended, with a report or with "". Returns what went wrong with the file, as another line.
  std::string finish(const std::string& report);

 private:
  long address_of(const SharedArrayBase& array, long element) const {
    return places_.at(array.memory().get()) + array.byte_of(element);
  }
  template <class... Parts>
  void event(const Parts&... parts) {
    file_.write(text(parts..., "\n"));
    ++events_;
  }

  Dim3 index_;
  WholeFile file_;
  std::map<const SharedArrayBase*, std::size_t> numbers_;
  std::map<const SharedMemory*, long> places_;
  long next_place_ = 0, events_ = 0;
};

}  // namespace kernels::emulator
