// The machine of pickles: a stack, marks in it, and a memo. Its values lie in one list and name each other by index, so
// that neither loops nor depth cost anything here.
#include "tensor/pickle.h"

#include <bit>
#include <cstring>
#include <unordered_map>

#include "tensor/error.h"
#include "tensor/file.h"

namespace lookhere {
namespace {

using Kind = PickleKind;

const char* name_of(Kind kind) {
  static constexpr const char* kNames[] = {"None", "bool", "int",    "float",   "text",   "tuple",
                                           "list", "dict", "global", "storage", "tensor", "object"};
  return kNames[static_cast<int>(kind)];
}

class Machine {
 public:
  explicit Machine(std::string_view bytes) : bytes_(bytes) {}
  long at() const { return opcode_at_; }
  Pickle run();

 private:
  bool step_value(unsigned char opcode);
  bool step_container(unsigned char opcode);
  bool step_memo(unsigned char opcode);
  bool step_call(unsigned char opcode);

  std::string_view take(std::uint64_t count) {
    check(count <= bytes_.size() - next_, "it wants ", count, " bytes, but ", bytes_.size() - next_, " follow");
    const std::string_view taken = bytes_.substr(next_, count);
    next_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const std::size_t end = bytes_.find('\n', next_);
    check(end != bytes_.npos, "a line without end");
    const std::string_view text = take(end - next_);
    next_ = end + 1;
    return text;
  }
  long long_integer(std::uint64_t count);

  void push(PickleIndex index) {
    check(std::ssize(stack_) < Pickle::kMaxValues, "more than ", Pickle::kMaxValues, " values on the stack");
    stack_.push_back(index);
  }
  void push(PickleValue value) {
    push(static_cast<PickleIndex>(values_.size()));
    values_.push_back(std::move(value));
  }
  void push_global(std::string_view module, std::string_view name) {
    check(std::ssize(module) + std::ssize(name) < Pickle::kMaxName, "a global's name of ", module.size() + name.size(),
          " bytes, at most ", Pickle::kMaxName - 1);
    push({.kind = Kind::global, .text = concat(module, ' ', name)});
  }
  void push_text(std::string_view text) { push({.kind = Kind::text, .text = std::string(text)}); }
  void push_integer(long value, Kind kind = Kind::integer) { push({.kind = kind, .integer = value}); }
  // Nothing below the last mark may be taken.
  PickleIndex pop() {
    check(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "the stack is empty");
    const PickleIndex index = stack_.back();
    stack_.pop_back();
    return index;
  }
  PickleIndex top() {
    const PickleIndex index = pop();
    stack_.push_back(index);
    return index;
  }
  std::vector<PickleIndex> pop_to_mark() {
    check(!marks_.empty(), "there is no mark");
    const auto begin = stack_.begin() + static_cast<long>(marks_.back());
    std::vector<PickleIndex> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }
  void push_container(Kind kind, std::vector<PickleIndex> items) {
    check(kind != Kind::dict || items.size() % 2 == 0, "a dict of ", items.size(), " keys and values");
    PickleValue value{.kind = kind};
    value.items = std::move(items);
    push(std::move(value));
  }
  // Items for the list or dict on top; an object without content takes no notice.
  void add(Kind kind, const std::vector<PickleIndex>& items) {
    PickleValue& to = values_[top()];
    if (to.kind == Kind::object) return;
    check(to.kind == kind, "items for a ", name_of(kind), ", but there is a ", name_of(to.kind));
    check(kind != Kind::dict || items.size() % 2 == 0, "a dict of ", items.size(), " keys and values");
    to.items.insert(to.items.end(), items.begin(), items.end());
  }
  void remember(std::uint64_t place) {
    memo_[place] = top();
    check(std::ssize(memo_) <= Pickle::kMaxValues, "more than ", Pickle::kMaxValues, " memo entries");
  }
  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    check(found != memo_.end(), "the memo has no entry ", place);
    push(found->second);
  }

  std::string_view bytes_;
  std::size_t next_ = 0;
  long opcode_at_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleIndex> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleIndex> memo_;
};

// Little-endian two's complement.
long Machine::long_integer(std::uint64_t count) {
  const std::string_view digits = take(count);
  check(count <= 8, "an integer of ", count, " bytes, at most 8");
  std::uint64_t value = count > 0 && (digits.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  std::memcpy(&value, digits.data(), digits.size());
  return static_cast<long>(value);
}

// Numbers and texts.
bool Machine::step_value(unsigned char opcode) {
  switch (opcode) {
    case 'N':
      return push_integer(0, Kind::none), true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      return push_integer(opcode == 0x88, Kind::boolean), true;
    case 'J':  // BININT
      return push_integer(number<std::int32_t>()), true;
    case 'K':  // BININT1
      return push_integer(number<std::uint8_t>()), true;
    case 'M':  // BININT2
      return push_integer(number<std::uint16_t>()), true;
    case 0x8A:  // LONG1
      return push_integer(long_integer(number<std::uint8_t>())), true;
    case 'G': {  // BINFLOAT, big-endian
      const auto bits = __builtin_bswap64(number<std::uint64_t>());
      return push({.kind = Kind::real, .real = std::bit_cast<double>(bits)}), true;
    }
    case 'U':   // SHORT_BINSTRING
    case 'C':   // SHORT_BINBYTES
    case 0x8C:  // SHORT_BINUNICODE
      return push_text(take(number<std::uint8_t>())), true;
    case 'T':  // BINSTRING
    case 'B':  // BINBYTES
    case 'X':  // BINUNICODE
      return push_text(take(number<std::uint32_t>())), true;
    case 0x8D:  // BINUNICODE8
    case 0x8E:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      return push_text(take(number<std::uint64_t>())), true;
    default:
      return false;
  }
}

bool Machine::step_container(unsigned char opcode) {
  switch (opcode) {
    case '(':  // MARK
      check(std::ssize(marks_) < Pickle::kMaxValues, "more than ", Pickle::kMaxValues, " marks");
      return marks_.push_back(stack_.size()), true;
    case ')':  // EMPTY_TUPLE
      return push_container(Kind::tuple, {}), true;
    case ']':   // EMPTY_LIST
    case 0x8F:  // EMPTY_SET
      return push_container(Kind::list, {}), true;
    case '}':  // EMPTY_DICT
      return push_container(Kind::dict, {}), true;
    case 't':   // TUPLE
    case 0x91:  // FROZENSET
      return push_container(Kind::tuple, pop_to_mark()), true;
    case 0x85:    // TUPLE1
    case 0x86:    // TUPLE2
    case 0x87: {  // TUPLE3
      std::vector<PickleIndex> items(opcode - 0x84U);
      for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
      return push_container(Kind::tuple, std::move(items)), true;
    }
    case 'a': {  // APPEND
      const PickleIndex item = pop();
      return add(Kind::list, {item}), true;
    }
    case 's': {  // SETITEM
      const PickleIndex value = pop(), key = pop();
      return add(Kind::dict, {key, value}), true;
    }
    case 'e':     // APPENDS
    case 'u':     // SETITEMS
    case 0x90: {  // ADDITEMS
      const std::vector<PickleIndex> items = pop_to_mark();
      return add(opcode == 'u' ? Kind::dict : Kind::list, items), true;
    }
    case '0':  // POP
      return pop(), true;
    case '1':  // POP_MARK
      return pop_to_mark(), true;
    default:
      return false;
  }
}

bool Machine::step_memo(unsigned char opcode) {
  switch (opcode) {
    case 'q':  // BINPUT
      return remember(number<std::uint8_t>()), true;
    case 'r':  // LONG_BINPUT
      return remember(number<std::uint32_t>()), true;
    case 0x94:  // MEMOIZE
      return remember(memo_.size()), true;
    case 'h':  // BINGET
      return recall(number<std::uint8_t>()), true;
    case 'j':  // LONG_BINGET
      return recall(number<std::uint32_t>()), true;
    default:
      return false;
  }
}

// What Python would call.
bool Machine::step_call(unsigned char opcode) {
  switch (opcode) {
    case 'c': {  // GLOBAL
      const std::string_view module = line();
      return push_global(module, line()), true;
    }
    case 0x93: {  // STACK_GLOBAL
      const PickleIndex name = pop(), module = pop();
      check(values_[name].kind == Kind::text && values_[module].kind == Kind::text, "a global whose name is no text");
      return push_global(values_[module].text, values_[name].text), true;
    }
    case 'R':     // REDUCE
    case 0x81: {  // NEWOBJ
      const PickleIndex arguments = pop(), callee = pop();
      return push(call_of_pickle(values_, callee, arguments)), true;
    }
    case 'b': {  // BUILD gives an object its attributes: none that is kept has any that matter
      pop();
      const Kind kind = values_[top()].kind;
      check(kind == Kind::object || kind == Kind::dict || kind == Kind::tensor, "attributes for a ", name_of(kind));
      return true;
    }
    case 'Q':  // BINPERSID
      return push(storage_of_pickle(values_, pop())), true;
    default:
      return false;
  }
}

Pickle Machine::run() {
  check(std::ssize(bytes_) <= Pickle::kMaxBytes, "it has ", bytes_.size(), " bytes, at most ", Pickle::kMaxBytes);
  check(!bytes_.empty() && bytes_[0] == '\x80', "it does not begin with a protocol of 2 to 5");
  while (true) {
    opcode_at_ = static_cast<long>(next_);
    check(std::ssize(values_) <= Pickle::kMaxValues, "more than ", Pickle::kMaxValues, " values");
    const auto opcode = number<std::uint8_t>();
    if (opcode == '.') break;  // STOP
    if (opcode == 0x80) {      // PROTO
      const int protocol = number<std::uint8_t>();
      check(protocol >= 2 && protocol <= 5, "protocol ", protocol, ", wanted 2 to 5");
    } else if (opcode == 0x95) {  // FRAME
      number<std::uint64_t>();
    } else {
      check(step_value(opcode) || step_container(opcode) || step_memo(opcode) || step_call(opcode), "opcode ",
            static_cast<int>(opcode), " is not known here");
    }
  }
  Pickle pickle;
  pickle.root = pop();
  pickle.values = std::move(values_);
  return pickle;
}

}  // namespace

const PickleValue* Pickle::find(const PickleValue& dict, std::string_view key) const {
  if (dict.kind != Kind::dict) return nullptr;
  for (std::size_t i = dict.items.size(); i >= 2; i -= 2)  // the last of two equal keys counts, as in Python
    if (const PickleValue& k = at(dict.items[i - 2]); k.kind == Kind::text && k.text == key)
      return &at(dict.items[i - 1]);
  return nullptr;
}

Pickle read_pickle(std::string_view bytes, const std::string& path) {
  Machine machine(bytes);
  try {
    return machine.run();
  } catch (const Error& error) {
    fail(path, ": the pickle at byte ", machine.at(), ": ", error.what());
  }
}

}  // namespace lookhere
