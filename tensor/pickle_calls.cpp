// The names in a pickle that have a meaning here: what torch.save writes for tensors, parameters and dicts.
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/pickle.h"

namespace lookhere {
namespace {

using Kind = PickleKind;
using Values = std::vector<PickleValue>;
using Arguments = std::vector<PickleIndex>;

// (storage, offset, sizes, strides, ...)
PickleValue tensor_from(const Values& values, const Arguments& arguments) {
  const auto is = [&](std::size_t i, Kind kind) { return values[arguments[i]].kind == kind; };
  check(
      arguments.size() >= 4 && is(0, Kind::storage) && is(1, Kind::integer) && is(2, Kind::tuple) && is(3, Kind::tuple),
      "a tensor that is not made of storage, offset, sizes and strides");
  PickleValue tensor{.kind = Kind::tensor, .integer = values[arguments[1]].integer};
  tensor.items = {arguments[0], arguments[2], arguments[3]};
  return tensor;
}

}  // namespace

PickleIndex call_of_pickle(Values& values, PickleIndex callee, PickleIndex arguments) {
  const PickleValue& function = values[callee];
  check(function.kind == Kind::global || function.kind == Kind::object, "a call of what is no function");
  check(values[arguments].kind == Kind::tuple, "a call whose arguments are no tuple");
  const Arguments& given = values[arguments].items;
  PickleValue made{.kind = Kind::object, .text = function.text};
  if (function.kind == Kind::global) {
    if (function.text == "torch._utils _rebuild_parameter") {
      check(!given.empty() && values[given[0]].kind == Kind::tensor, "a parameter that is not made of a tensor");
      return given[0];
    }
    if (function.text == "torch._utils _rebuild_tensor_v2" || function.text == "torch._utils _rebuild_tensor")
      made = tensor_from(values, given);
    else if (function.text == "collections OrderedDict" && given.empty())
      made = {.kind = Kind::dict};
  }
  values.push_back(std::move(made));
  return static_cast<PickleIndex>(values.size() - 1);
}

PickleValue storage_of_pickle(const Values& values, PickleIndex id) {
  const PickleValue& tuple = values[id];
  const auto item = [&](std::size_t i) -> const PickleValue& { return values[tuple.items[i]]; };
  const bool storage = tuple.kind == Kind::tuple && tuple.items.size() >= 5 && item(0).kind == Kind::text &&
                       item(0).text == "storage" && item(1).kind == Kind::global && item(2).kind == Kind::text &&
                       item(4).kind == Kind::integer;
  check(storage, "a persistent id that is none of a storage");
  check(item(4).integer >= 0, "a storage of ", item(4).integer, " elements");
  check(std::ssize(item(2).text) <= Pickle::kMaxName, "a storage's key of ", item(2).text.size(), " bytes, at most ",
        Pickle::kMaxName);
  PickleValue made{.kind = Kind::storage, .integer = item(4).integer, .text = item(2).text};
  made.items = {tuple.items[1]};
  return made;
}

}  // namespace lookhere
