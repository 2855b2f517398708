// Python's pickle (protocols 2 to 5) as data: numbers, texts, lists, dicts and PyTorch's tensors. A pickle is a program
// that names functions to call; here nothing is looked up and nothing is called. The few names that tensors are made
// with are known (pickle_calls.cpp); whatever any other would make becomes an object without content that carries its
// name, and whoever needs its value refuses it by that name.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lookhere {

enum class PickleKind { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor, object };

using PickleIndex = std::uint32_t;  // of a value in Pickle::values

struct PickleValue {
  PickleKind kind = PickleKind::none;
  long integer = 0;  // also a boolean; of a storage the number of elements; of a tensor the first element
  double real = 0;
  std::string text = {};  // also a global's "module name", which an object has of its maker; a storage's key
  // Elements of a tuple or list; keys and values of a dict in turn; a storage's type; a tensor's storage, sizes and
  // strides.
  std::vector<PickleIndex> items = {};
};

struct Pickle {
  static constexpr long kMaxBytes = 64L << 20;
  static constexpr long kMaxValues = 1L << 20;  // and as many on the stack, marks and memo entries
  static constexpr long kMaxName = 256;         // bytes, of a global and of a storage's key: these are copied

  std::vector<PickleValue> values;
  PickleIndex root = 0;

  const PickleValue& at(PickleIndex i) const { return values[i]; }
  // A dict's value, or nullptr: not a dict, or no such text key.
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;
};

// Throws Error, starting with `path`, with the opcode and its place for all that is no pickle of protocol 2 to 5, is
// cut off, takes from an empty stack, is past the limits or has an opcode that is not known here.
Pickle read_pickle(std::string_view bytes, const std::string& path);

// What `callee`, a global or an object, makes of the tuple `arguments`: the index of a value, which may be a new one of
// `values`. Throws Error for PyTorch's own with arguments of another form than theirs.
PickleIndex call_of_pickle(std::vector<PickleValue>& values, PickleIndex callee, PickleIndex arguments);
// The storage that a persistent id stands for: ("storage", type, key, location, elements). Throws Error for others.
PickleValue storage_of_pickle(const std::vector<PickleValue>& values, PickleIndex id);

}  // namespace lookhere
