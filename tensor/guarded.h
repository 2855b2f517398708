// The memory of Device::guarded: closed to the whole process, except while an operation has it open. Whoever reads or
// writes it at another time dies of SIGSEGV, as one would who took a GPU's pointer for the host's.
#pragma once
#include <cstddef>

namespace lookhere::guarded {

// `bytes` bytes, a multiple of 64, aligned to 64; null when 4 GiB are taken. None are given back: tests need little.
std::byte* take(long bytes);

// Opens and closes all of it. Counted: it is open as long as anyone, on any thread, has opened it and not yet closed
// it.
void open();
void close() noexcept;

}  // namespace lookhere::guarded
