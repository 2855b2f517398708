// Ranks that are threads of this process, each with a GPU of its own for example.
#pragma once
#include <functional>
#include <memory>

#include "tensor/communicator.h"

namespace lookhere {

class ThreadTeam {
 public:
  explicit ThreadTeam(long ranks);
  ~ThreadTeam();
  // f of every rank at the same time, of the first one on this thread. Where one throws, the others do so as well when
  // they next wait for anybody, and what it threw is thrown here: of several the lowest rank's, named if it is not the
  // first. Throws Error (Exit::memory) where threads cannot be started.
  void run(const std::function<void(Communicator&)>& f);

 private:
  class Rank;
  struct Post;
  long ranks_;
  std::unique_ptr<Post> post_;
};

}  // namespace lookhere
