// A message is copied when it is sent, since its sender may fail and be gone before it is taken.
#include "tensor/thread_team.h"

#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include "tensor/error.h"

namespace lookhere {
namespace {

// Of a rank that has failed because another one has.
class Stranded : public Error {
 public:
  explicit Stranded(long failed) : Error(concat("rank ", failed, " has failed"), Exit::io) {}
};

}  // namespace

struct ThreadTeam::Post {
  using Way = std::tuple<long, long, long>;  // from, to, tag
  using Name = std::pair<Way, long>;         // the n-th message of a way
  std::mutex mutex;
  std::map<Name, std::vector<std::byte>> messages;
  long failed = -1;  // the first rank that has

  void fail(long rank) {
    const std::lock_guard lock(mutex);
    if (failed < 0) failed = rank;
  }
};

class ThreadTeam::Rank : public Communicator {
 public:
  Rank(Post& post, long rank, long size) : post_(post), rank_(rank), size_(size) {}
  long rank() const override { return rank_; }
  long size() const override { return size_; }

  Transfer send(long to, long tag, const void* data, long bytes) override {
    const Post::Way way{rank_, to, tag};
    const auto* first = static_cast<const std::byte*>(data);
    const std::lock_guard lock(post_.mutex);
    post_.messages[{way, sent_[way]++}].assign(first, first + bytes);
    return {.id = -1, .peer = to, .sent = true};
  }
  Transfer receive(long from, long tag, void* data, long bytes) override {
    const Post::Way way{from, rank_, tag};
    wanted_[next_] = {.name = {way, received_[way]++}, .data = data, .bytes = bytes};
    return {.id = next_++, .peer = from, .sent = false};
  }
  bool arrived(const Transfer& transfer) override {
    if (transfer.sent) return true;
    const auto wanted = wanted_.find(transfer.id);
    const auto message = take(wanted->second.name);
    if (!message) return false;
    check(static_cast<long>(message->size()) == wanted->second.bytes, "rank ", transfer.peer, " has sent ",
          message->size(), " bytes, wanted ", wanted->second.bytes);
    std::memcpy(wanted->second.data, message->data(), message->size());
    wanted_.erase(wanted);
    return true;
  }

 private:
  struct Wanted {
    Post::Name name;
    void* data;
    long bytes;
  };
  std::optional<std::vector<std::byte>> take(const Post::Name& name) const {
    const std::lock_guard lock(post_.mutex);
    const auto found = post_.messages.find(name);
    if (found != post_.messages.end()) return std::move(post_.messages.extract(found).mapped());
    if (post_.failed >= 0) throw Stranded(post_.failed);
    return {};
  }

  Post& post_;
  const long rank_, size_;
  std::map<Post::Way, long> sent_, received_;
  std::map<long, Wanted> wanted_;
  long next_ = 0;
};

ThreadTeam::ThreadTeam(long ranks) : ranks_(ranks), post_(std::make_unique<Post>()) {
  check(ranks >= 1, "team: wanted at least one rank, got ", ranks);
}
ThreadTeam::~ThreadTeam() = default;

void ThreadTeam::run(const std::function<void(Communicator&)>& f) {
  post_->messages.clear(), post_->failed = -1;
  std::vector<std::exception_ptr> errors(ranks_);
  const auto work = [&](long rank) {
    try {
      Rank own(*post_, rank, ranks_);
      f(own);
    } catch (const Stranded&) {  // who failed first says why
    } catch (const Error& error) {
      errors[rank] = rank == 0
                         ? std::current_exception()
                         : std::make_exception_ptr(Error(concat("rank ", rank, ": ", error.what()), error.code()));
      post_->fail(rank);
    } catch (...) {
      errors[rank] = std::current_exception();
      post_->fail(rank);
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      for (long rank = 1; rank < ranks_; ++rank) others.emplace_back(work, rank);
      work(0);
    } catch (const std::system_error& error) {
      errors[0] =
          std::make_exception_ptr(Error(concat("cannot start a thread: ", error.code().message()), Exit::memory));
      post_->fail(0);
    }
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace lookhere
