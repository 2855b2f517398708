// What mpirun needs on a machine for tests: as root, too; more ranks than cores; nothing of it is asked of another
// machine.
#pragma once
#include "tests/program.h"

namespace lookhere {

inline const Words kMpiEnvironment{"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                                   "OMPI_MCA_rmaps_base_oversubscribe=1", "OMPI_MCA_plm_rsh_agent=false",
                                   "OMPI_MCA_btl_vader_single_copy_mechanism=none"};

#define SKIP_WITHOUT_MPI()                                                                            \
  if (!std::filesystem::exists("/usr/bin/mpirun") || !std::filesystem::exists(built("mpi/lookhere"))) \
  GTEST_SKIP() << "there is no mpirun (Debian's openmpi-bin) or no " << built("mpi/lookhere")

}  // namespace lookhere
