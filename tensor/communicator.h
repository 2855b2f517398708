// Communicator: processes that work on one thing together ("ranks"), and what they tell each other. A transport brings
// messages from one rank's memory into another's (MPI: tensor/world/mpi.cpp); all else here is made of those.
#pragma once
#include <string>
#include <vector>

#include "tensor/parallel.h"

namespace lookhere {

class Communicator {
 public:
  // Whoever waits longer than `patience` seconds for one of the others gives up.
  explicit Communicator(double patience = 600) : patience_(patience) {}
  virtual ~Communicator() = default;
  virtual long rank() const = 0;  // 0 ... size - 1
  virtual long size() const = 0;
  bool alone() const { return size() == 1; }

  // A message on its way. Its memory must stay as it is, or unread, until it has arrived.
  struct Transfer {
    long id = 0;
    long peer = 0;  // the other rank
    bool sent = false;
  };
  // Messages of one tag (0 ... 32767) between two ranks arrive in the order in which they were sent, others in any.
  // Both sides say the same number of bytes, below 2^31. Throw Error (Exit::io) where the transport fails. Not for
  // several threads at once.
  virtual Transfer send(long to, long tag, const void* data, long bytes) = 0;
  virtual Transfer receive(long from, long tag, void* data, long bytes) = 0;
  // Once true the transfer is forgotten: do not ask again.
  virtual bool arrived(const Transfer& transfer) = 0;

  // Forgets those that have arrived; true if none is left.
  bool all_arrived(std::vector<Transfer>& transfers);
  // Throws Error (Exit::io) naming a rank of which nothing has come for `patience` seconds.
  void wait(std::vector<Transfer>& transfers);

  // Every rank has filled shard_range(all.size(), rank, size) of `all`; afterwards every rank has all of it. Asked of
  // all ranks in the same order.
  template <class T>
  void share(std::vector<T>& all) {
    static_assert(std::is_trivially_copyable_v<T>);
    share(all.data(), static_cast<long>(all.size()), sizeof(T));
  }
  // The same for `count` rows of `row_bytes` bytes.
  void share(void* all, long count, long row_bytes);
  // Every rank's text, by rank.
  std::vector<std::string> texts(const std::string& mine);
  // Returns when every rank has come, however long one of them takes.
  void meet();
  // Does any rank say so? Everybody gets the same answer.
  bool any(bool mine);
  // Throws Error if a rank has another text than rank 0: "rank 2 has other WHAT than rank 0".
  void require_same(const std::string& text, const std::string& what);

 private:
  void wait(std::vector<Transfer>& transfers, double patience);
  void share(void* all, long count, long row_bytes, double patience);
  double patience_;
};

// Of this process alone.
Communicator& alone();

}  // namespace lookhere
