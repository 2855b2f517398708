// A library to preload (LD_PRELOAD) under which the k-th allocation of a program fails, counted from where main is
// called and over all threads: the heap, mmap and new threads. $FAULT_AT is k, 0 to fail none; with $FAULT_ON set every
// later one fails as well, with $FAULT_THREADS only new threads count; $FAULT_COUNT names a file for the number of
// calls there were. $FAULT_EXITS is a number of threads that call exit(1) at the same time, while main works, as those
// of OpenMP's library do that get no memory.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// glibc's own, whoever stands before them.
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* __libc_calloc(std::size_t, std::size_t);
extern "C" void* __libc_realloc(void*, std::size_t);
extern "C" void* __libc_memalign(std::size_t, std::size_t);

namespace {

using Main = int (*)(int, char**, char**);
using StartMain = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
using CreateThread = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

std::atomic<bool> counting = false;
std::atomic<long> calls = 0;
long fail_at = 0;
bool fail_on = false, only_threads = false;
CreateThread create_thread;
Main real_main;
std::atomic<long> exits = 0;

bool refuse(bool is_thread = false) {
  if (!counting.load(std::memory_order_relaxed) || (only_threads && !is_thread)) return false;
  const long call = ++calls;
  const bool refused = fail_at > 0 && (fail_on ? call >= fail_at : call == fail_at);
  if (refused) errno = ENOMEM;
  return refused;
}

void* exit_with_others(void*) {
  for (--exits; exits > 0;) {
  }
  std::exit(1);
}

int main_among_exits(int argc, char** argv, char** environment) {
  const long threads = exits;
  if (threads > 0) ++exits;  // main's
  for (long thread = threads; thread > 0; --thread)
    if (pthread_t unused; create_thread(&unused, nullptr, exit_with_others, nullptr) != 0) return 1;
  while (exits > 1) sched_yield();  // all have begun
  if (threads > 0) --exits;
  counting = true;
  const int code = real_main(argc, argv, environment);
  while (threads > 0) pause();  // it was done before them, but is to end by them
  return code;
}

void write_count() {
  counting = false;
  const char* path = std::getenv("FAULT_COUNT");
  const int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
  if (file < 0) return;
  dprintf(file, "%ld\n", calls.load());
  close(file);
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) { return refuse() ? nullptr : __libc_malloc(size); }
void* calloc(std::size_t count, std::size_t size) { return refuse() ? nullptr : __libc_calloc(count, size); }
void* realloc(void* block, std::size_t size) { return refuse() ? nullptr : __libc_realloc(block, size); }
void* memalign(std::size_t alignment, std::size_t size) {
  return refuse() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return refuse() ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  void* memory = refuse() ? nullptr : __libc_memalign(alignment, size);
  if (memory) *block = memory;
  return memory ? 0 : ENOMEM;
}
void* mmap(void* where, std::size_t size, int protection, int flags, int file, off_t offset) {
  if (refuse()) return MAP_FAILED;
  return reinterpret_cast<void*>(syscall(SYS_mmap, where, size, protection, flags, file, offset));
}
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  return refuse(true) ? EAGAIN : create_thread(thread, attributes, run, argument);
}

// Before main there are the libraries' own beginnings, which no program can mend.
int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*loader_fini)(),
                      void* stack_end) {
  const auto start = reinterpret_cast<StartMain>(dlsym(RTLD_NEXT, "__libc_start_main"));
  create_thread = reinterpret_cast<CreateThread>(dlsym(RTLD_NEXT, "pthread_create"));
  if (const char* at = std::getenv("FAULT_AT")) fail_at = std::atol(at);
  fail_on = std::getenv("FAULT_ON") != nullptr;
  only_threads = std::getenv("FAULT_THREADS") != nullptr;
  if (const char* count = std::getenv("FAULT_EXITS")) exits = std::atol(count);
  real_main = main;
  std::atexit(write_count);
  return start(main_among_exits, argc, argv, init, fini, loader_fini, stack_end);
}

}  // extern "C"
