// Without MPI: one process.
#include "tensor/world.h"

#include <cstring>

#include "tensor/error.h"

namespace lookhere {

// Each of several would train the same model.
Communicator& world() {
  if (const char* size = started_together(); size && std::strcmp(size, "1") != 0)
    fail("started as one of ", size, " processes, and built without MPI: make MPI=1 builds what works with others");
  return alone();
}
long rank_in_world() noexcept { return 0; }
long ranks_on_machine() { return 1; }
long rank_on_machine() { return 0; }
std::string note_of_start() { return ""; }
void leave_world() noexcept {}
void end_world(int) noexcept {}

}  // namespace lookhere
