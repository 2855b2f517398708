// CUDA's atomic functions on the host, for global memory (T*) and shared memory (SharedPointer<T> or an array itself):
// each returns the value before. Blocks run on several OS threads, so that those of global memory are the machine's
// own; between the threads of a block each is a place where others may run.
#pragma once
#include <algorithm>
#include <atomic>
#include <concepts>
#include <memory>

#include "kernels/cuda/emulator/shared.h"

namespace kernels::emulator {

template <class T, class... Types>
concept one_of = (std::same_as<T, Types> || ...);

// What a pointer, or an array, points to.
template <class P>
using Pointee = typename std::pointer_traits<std::decay_t<P>>::element_type;

template <class T, class F>
T update(T* at, const Where&, F next) {
  Block::current().maybe_switch();
  const std::atomic_ref<T> value(*at);
  T before = value.load();
  while (!value.compare_exchange_weak(before, next(before))) {
  }
  return before;
}
template <class T, class F>
T update(const SharedPointer<T>& at, const Where& where, F next) {
  at.array().note(Kind::update, at.first(), 1, where);
  const T before = at.array().load(at.first());
  at.array().store(at.first(), next(before));
  return before;
}
template <class T, class F>
T update(SharedArray<T>& at, const Where& where, F next) {
  return update(SharedPointer<T>(at), where, next);
}

}  // namespace kernels::emulator

template <class P, class T = kernels::emulator::Pointee<P>>
requires kernels::emulator::one_of<T, int, unsigned, unsigned long long, float, double> T
atomicAdd(P&& at, std::type_identity_t<T> value,
          const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::update(at, where, [=](T before) {
    if constexpr (std::same_as<T, int>)  // beyond the largest it begins again at the smallest
      return static_cast<int>(static_cast<unsigned>(before) + static_cast<unsigned>(value));
    else
      return before + value;
  });
}
template <class P, class T = kernels::emulator::Pointee<P>>
requires kernels::emulator::one_of<T, int, unsigned> T
atomicMax(P&& at, std::type_identity_t<T> value,
          const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::update(at, where, [=](T before) { return std::max(before, value); });
}
template <class P, class T = kernels::emulator::Pointee<P>>
requires kernels::emulator::one_of<T, int, unsigned> T
atomicMin(P&& at, std::type_identity_t<T> value,
          const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::update(at, where, [=](T before) { return std::min(before, value); });
}
template <class P, class T = kernels::emulator::Pointee<P>>
requires kernels::emulator::one_of<T, int, unsigned, unsigned long long, float> T
atomicExch(P&& at, std::type_identity_t<T> value,
           const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::update(at, where, [=](T) { return value; });
}
// Where it holds what was expected, it gets the value.
template <class P, class T = kernels::emulator::Pointee<P>>
requires kernels::emulator::one_of<T, int, unsigned, unsigned long long> T
atomicCAS(P&& at, std::type_identity_t<T> expected, std::type_identity_t<T> value,
          const kernels::emulator::Where& where = kernels::emulator::Where::current()) {
  return kernels::emulator::update(at, where, [=](T before) { return before == expected ? value : before; });
}
