// Messages by MPI. Nothing here waits: who waits asks again (Communicator::wait), which also moves MPI on.
#define OMPI_SKIP_MPICXX 1  // C++ classes that nothing here uses
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>
#include <string>

#include "tensor/error.h"
#include "tensor/machine.h"
#include "tensor/world.h"

namespace lookhere {
namespace {

void check_mpi(int code, const char* what, long peer) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING + 1] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(concat("MPI cannot ", what, " rank ", peer, ": ", std::string(text, length)), Exit::io);
}

class MpiWorld : public Communicator {
 public:
  MpiWorld() {
    int level = 0;
    // Threads take turns.
    check_io(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level) == MPI_SUCCESS, "MPI does not start");
    check_io(level >= MPI_THREAD_SERIALIZED, "MPI is for one thread alone");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    const char* started = started_together();
    check_io(size_ > 1 || !started || std::atoi(started) <= 1, "mpirun has started ", started ? started : "",
             " processes, and this program's MPI knows of one: wanted the mpirun of the MPI that it was built with");
    share_machine();
  }
  long rank_on_machine() const { return rank_here_; }
  long ranks_on_machine() const { return ranks_here_; }
  std::string note() const { return note_of_binding(omp_get_num_procs(), processors_, wanted_); }
  long rank() const override { return rank_; }
  long size() const override { return size_; }

  Transfer send(long to, long tag, const void* data, long bytes) override {
    Transfer transfer = begin(to, bytes, true);
    check_mpi(MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, static_cast<int>(to), static_cast<int>(tag),
                        MPI_COMM_WORLD, &requests_[transfer.id]),
              "send to", to);
    return transfer;
  }
  Transfer receive(long from, long tag, void* data, long bytes) override {
    Transfer transfer = begin(from, bytes, false);
    check_mpi(MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, static_cast<int>(from), static_cast<int>(tag),
                        MPI_COMM_WORLD, &requests_[transfer.id]),
              "receive from", from);
    return transfer;
  }
  bool arrived(const Transfer& transfer) override {
    int done = 0;
    check_mpi(MPI_Test(&requests_[transfer.id], &done, MPI_STATUS_IGNORE), transfer.sent ? "send to" : "receive from",
              transfer.peer);
    if (done) free_.push_back(transfer.id);
    return done != 0;
  }

 private:
  // Those that mpirun could have given: in a container or a batch job not all of the machine.
  static int processors_of_parent() {
    cpu_set_t set;
    return sched_getaffinity(getppid(), sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                               : static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  }
  // Ranks of one machine that are not bound to processors of their own would each start a thread for every one.
  void share_machine() {
    MPI_Comm here = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &ranks_here_), MPI_Comm_rank(here, &rank_here_);
    MPI_Comm_free(&here);
    processors_ = processors_of_parent();
    const bool chosen = std::getenv("OMP_NUM_THREADS") != nullptr;
    wanted_ = chosen ? std::min(thread_count(), processors_) : std::max(processors_ / ranks_here_, 1);
    if (thread_count() > wanted_ && !chosen) set_thread_count(wanted_);
  }
  Transfer begin(long peer, long bytes, bool sent) {
    check(bytes <= INT_MAX, "MPI: wanted a message below 2 GiB, got ", bytes, " bytes");
    if (free_.empty()) {
      free_.push_back(static_cast<long>(requests_.size()));
      requests_.push_back(MPI_REQUEST_NULL);
    }
    const long id = free_.back();
    free_.pop_back();
    return {.id = id, .peer = peer, .sent = sent};
  }
  int rank_ = 0, size_ = 1, rank_here_ = 0, ranks_here_ = 1;
  int processors_ = 1, wanted_ = 1;    // wanted: by this rank
  std::vector<MPI_Request> requests_;  // by id
  std::vector<long> free_;             // ids without a transfer
};

bool running() {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  return begun && !ended;
}

// Null: this process is alone, and MPI need not be waited for.
MpiWorld* world_of_mpi() {
  static const bool one = !started_together() && !std::getenv("PMIX_RANK");  // srun's
  if (one) return nullptr;
  static MpiWorld all;
  return &all;
}

}  // namespace

Communicator& world() {
  MpiWorld* const all = world_of_mpi();
  return all ? static_cast<Communicator&>(*all) : alone();
}
long ranks_on_machine() {
  const MpiWorld* const all = world_of_mpi();
  return all ? all->ranks_on_machine() : 1;
}
long rank_on_machine() {
  const MpiWorld* const all = world_of_mpi();
  return all ? all->rank_on_machine() : 0;
}
std::string note_of_start() {
  const MpiWorld* const all = world_of_mpi();
  return all ? all->note() : "";
}
long rank_in_world() noexcept {
  int rank = 0;
  if (running()) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}
void leave_world() noexcept {
  if (!running()) return;
  alarm(20);  // one that has died meanwhile would be waited for
  MPI_Finalize();
  alarm(0);
}
void end_world(int code) noexcept {
  if (running()) MPI_Abort(MPI_COMM_WORLD, code);
}

}  // namespace lookhere
