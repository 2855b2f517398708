// The processes that were started together, by mpirun, and how they begin and end. Two versions: `world/mpi.cpp` is in
// the program that `make MPI=1` builds, `world/alone.cpp` in all others.
#pragma once
#include "tensor/communicator.h"

namespace lookhere {

// Of all processes that were started together; joins them on the first call. Throws Error where several were, and this
// program cannot speak to others.
Communicator& world();
long rank_in_world() noexcept;  // 0 as long as none were joined
long ranks_on_machine();        // of them, on this machine: they share its memory and its GPUs
long rank_on_machine();         // 0 ... ranks_on_machine() - 1
// What the user should know about how this process was started, one line; "": nothing.
std::string note_of_start();
// How many there are, as mpirun (Open MPI, MPICH) tells whom it starts; nullptr: started otherwise. What srun starts
// may be runs of their own.
const char* started_together();
// Which of the `gpus` that a process sees is for the rank of this number on a machine. `listed`: CUDA_VISIBLE_DEVICES,
// or null; one that lists fewer than there are ranks is a choice that was made before, and 0 its first. Throws Error
// where there are too few.
int gpu_of_rank(const char* listed, int gpus, long rank, long ranks);
// Of a process that may use `bound` of its machine's processors, and wants so many.
std::string note_of_binding(int bound, int processors, int wanted);
// At the end of a process that has done its part: waits for the others.
void leave_world() noexcept;
// At the end of one that has not: ends all others, too, with this exit code. Does nothing where there are none.
void end_world(int code) noexcept;

}  // namespace lookhere
