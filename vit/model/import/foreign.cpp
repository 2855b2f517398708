// Which of a checkpoint's dicts has the weights, and its other values as JSON.
#include "vit/model/import/foreign.h"

#include <algorithm>

#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tensor/text.h"
#include "tensor/torch_file.h"

namespace lookhere {
namespace {

using Kind = PickleKind;

ForeignFile from_safetensors(const std::string& path) {
  const auto file = std::make_shared<Safetensors>(path);
  ForeignFile foreign{.path = path, .format = "safetensors", .tensors = {}, .config = nlohmann::json::object()};
  for (const Safetensors::Entry& entry : file->entries())
    foreign.tensors[entry.name] = {entry.shape, [file, name = entry.name] { return file->read(name); }};
  for (const char* key : {"lookhere.config", "preprocessing", "class_names"})  // what `lookhere export` leaves
    if (const auto found = file->metadata().find(key); found != file->metadata().end())
      foreign.config[key] = found->second;
  return foreign;
}

bool holds_tensors(const Pickle& pickle, const PickleValue& dict) {
  if (dict.kind != Kind::dict) return false;
  for (std::size_t i = 1; i < dict.items.size(); i += 2)
    if (pickle.at(dict.items[i]).kind == Kind::tensor) return true;
  return false;
}

// The keys of a dict, to say what is there instead of weights.
std::string keys_of(const Pickle& pickle, const PickleValue& dict) {
  constexpr std::size_t kMost = 20;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < dict.items.size() && keys.size() <= kMost; i += 2)
    keys.push_back(keys.size() == kMost                          ? "..."
                   : pickle.at(dict.items[i]).kind != Kind::text ? "a key that is no text"
                                                                 : shown(pickle.at(dict.items[i]).text));
  return keys.empty() ? "nothing" : joined(keys);
}

// What numbers, texts and lists of them are as JSON; `depth` levels of lists. What is too long for a configuration is
// null: the same value may be named again and again.
constexpr std::size_t kMostItems = 256, kLongestText = 1024;
nlohmann::json json_of(const Pickle& pickle, const PickleValue& value, int depth) {
  switch (value.kind) {
    case Kind::boolean:
      return value.integer != 0;
    case Kind::integer:
      return value.integer;
    case Kind::real:
      return value.real;
    case Kind::text:
      if (value.text.size() > kLongestText) return nullptr;
      return value.text;
    case Kind::tuple:
    case Kind::list: {
      auto list = nlohmann::json::array();
      if (depth > 0 && value.items.size() <= kMostItems)
        for (const PickleIndex item : value.items) list.push_back(json_of(pickle, pickle.at(item), depth - 1));
      return list;
    }
    default:
      return nullptr;
  }
}

struct Found {
  std::string key;  // empty: the file is the dict itself
  const PickleValue* weights;
};
Found find_weights(const TorchFile& file, bool averaged) {
  const Pickle& pickle = file.pickle();
  const PickleValue& root = pickle.at(pickle.root);
  check(root.kind != Kind::object, file.path(), ": holds a whole object of the class ", shown(root.text),
        ", which only its own code can make: save the model's state_dict() instead");
  check(root.kind == Kind::dict, file.path(), ": wanted a dict of tensors");
  const std::vector<std::string> keys = averaged ? std::vector<std::string>{"state_dict_ema", "model_ema"}
                                                 : std::vector<std::string>{"state_dict", "model", "weights"};
  for (const std::string& key : keys) {
    const PickleValue* value = pickle.find(root, key);
    check(value == nullptr || value->kind != Kind::object, file.path(), ": ", shown(key), " is an object of the class ",
          shown(value ? value->text : ""), ", which only its own code can make: save its state_dict() instead");
    if (value != nullptr && holds_tensors(pickle, *value)) return {key, value};
  }
  check(!averaged && holds_tensors(pickle, root), file.path(), ": wanted a dict of tensors",
        averaged ? "" : ", by itself or", " under ", joined(keys), ", got ", keys_of(pickle, root));
  return {"", &root};
}

ForeignFile from_torch(const std::string& path, bool averaged) {
  const auto file = std::make_shared<TorchFile>(path);
  const Pickle& pickle = file->pickle();
  const auto [key, weights] = find_weights(*file, averaged);
  ForeignFile foreign{.path = path, .format = "PyTorch", .tensors = {}, .config = nlohmann::json::object()};
  if (!key.empty()) foreign.format += ", its key " + key;
  for (std::size_t i = 0; i < weights->items.size(); i += 2) {
    const PickleValue &name = pickle.at(weights->items[i]), &tensor = pickle.at(weights->items[i + 1]);
    check(name.kind == Kind::text, path, ": a tensor whose name is no text");
    check(std::ssize(name.text) <= SafetensorsHeader::kMaxName, path, ": the name ", shown(name.text), " has ",
          name.text.size(), " bytes, at most ", SafetensorsHeader::kMaxName);
    check(tensor.kind != Kind::object, path, ": ", shown(name.text), " is made by ", shown(tensor.text),
          ", which is not known here");
    const Shape shape = file->shape_of(tensor, name.text);
    const auto read = [file, &tensor, name = name.text] { return file->read(tensor, name); };
    check(foreign.tensors.emplace(name.text, ForeignTensor{shape, read}).second, path, ": tensor ", shown(name.text),
          " appears twice");
  }
  if (const PickleValue* config = key.empty() ? nullptr : pickle.find(pickle.at(pickle.root), "config");
      config != nullptr && config->kind == Kind::dict && config->items.size() <= kMostItems) {
    for (std::size_t i = 0; i < config->items.size(); i += 2)
      if (pickle.at(config->items[i]).kind == Kind::text)
        foreign.config[pickle.at(config->items[i]).text] = json_of(pickle, pickle.at(config->items[i + 1]), 1);
  }
  return foreign;
}

void drop_prefixes(ForeignTensors& tensors) {
  const auto all_begin = [&](const std::string& prefix) {
    return !tensors.empty() &&
           std::ranges::all_of(tensors, [&](const auto& item) { return item.first.starts_with(prefix); });
  };
  for (bool again = true; again;) {
    again = false;
    for (const std::string prefix : {"module.", "_orig_mod.", "model."}) {
      if (!all_begin(prefix)) continue;
      ForeignTensors renamed;
      for (auto& [name, tensor] : tensors) renamed[name.substr(prefix.size())] = std::move(tensor);
      tensors = std::move(renamed), again = true;
    }
  }
}

}  // namespace

ForeignFile open_foreign(const std::string& path, bool averaged) {
  // A pickle may begin with any length of a header, and JSON with no zip: the zip decides, and of others what is known.
  const MappedFile file(path);
  const bool safetensors = file.size() > 8 && file.text()[8] == '{';
  check(!safetensors || !averaged, path, ": a safetensors file has no averaged weights beside the others");
  ForeignFile foreign = safetensors ? from_safetensors(path) : from_torch(path, averaged);
  drop_prefixes(foreign.tensors);
  return foreign;
}

}  // namespace lookhere
