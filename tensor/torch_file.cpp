// From the pickle's tensors to ours: where the elements lie, and that they do lie there.
#include "tensor/torch_file.h"

#include <cstring>

#include "tensor/half.h"

namespace lookhere {
namespace {

struct StorageType {
  const char* name;
  Dtype dtype;  // of the result
  bool half = false;
  long bytes() const { return half ? 2 : size_of(dtype); }
};
constexpr StorageType kTypes[]{{"torch FloatStorage", Dtype::f32},
                               {"torch DoubleStorage", Dtype::f64},
                               {"torch HalfStorage", Dtype::f32, true},
                               {"torch BFloat16Storage", Dtype::bf16},
                               {"torch LongStorage", Dtype::i64}};

const MappedFile& archive(const MappedFile& file) {
  const std::string_view text = file.text();
  const bool legacy = text.starts_with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46") || text.find("ustar") == 257;
  check(!legacy, file.path(),
        ": PyTorch's format from before version 1.6: load it there and save it again, or save it as safetensors");
  check(StoredZip::begins(text), file.path(),
        ": neither safetensors nor a file of torch.save, which is a zip archive since PyTorch 1.6");
  return file;
}

// Integers of a tuple.
std::vector<long> numbers(const Pickle& pickle, PickleIndex tuple) {
  std::vector<long> all;
  const std::size_t count = pickle.at(tuple).items.size();
  check(count <= Shape::kMaxRank, "at most ", Shape::kMaxRank, " sizes, got ", count);
  for (const PickleIndex item : pickle.at(tuple).items) {
    check(pickle.at(item).kind == PickleKind::integer, "a size or stride that is no integer");
    all.push_back(pickle.at(item).integer);
  }
  return all;
}

// The elements in row-major order out of a storage with these strides.
void gather(char* to, const char* from, const Shape& shape, const std::vector<long>& strides, long item) {
  std::vector<long> index(strides.size());
  long at = 0;
  for (long i = 0; i < shape.numel(); ++i) {
    std::memcpy(to + i * item, from + at * item, static_cast<std::size_t>(item));
    for (int d = shape.rank() - 1; d >= 0; --d) {
      at += strides[d];
      if (++index[d] < shape[d]) break;
      at -= strides[d] * index[d];
      index[d] = 0;
    }
  }
}

// Throws unless all elements of the view are in a storage of `elements`; in a view that is none of a storage's elements
// twice, as of expand(), there are no more of them than that.
void check_view(const Shape& shape, const std::vector<long>& strides, long offset, long elements) {
  check(std::ssize(strides) == shape.rank(), shape.rank(), " sizes, but ", strides.size(), " strides");
  check(offset >= 0, "it begins at element ", offset);
  const long count = shape.numel();
  check(count <= elements, shape, " of a storage of ", elements, " elements");
  if (count == 0) return check(offset <= elements, "it begins at element ", offset, " of ", elements);
  long last = offset;
  for (int d = 0; d < shape.rank(); ++d) {
    check(strides[d] >= 0, "the stride ", strides[d]);
    check(!__builtin_add_overflow(last, checked_mul(shape[d] - 1, strides[d]), &last), "strides that overflow");
  }
  check(last < elements, "it reaches to element ", last, " of a storage of ", elements);
}

}  // namespace

TorchFile::TorchFile(const std::string& path) : file_(path), zip_(archive(file_)) {
  const std::string name = zip_.find_ending("/data.pkl");
  check(!name.empty(), path, ": a zip archive without data.pkl, so no file of torch.save");
  folder_ = name.substr(0, name.size() - std::strlen("data.pkl"));
  check(!zip_.contains(folder_ + "constants.pkl"), path,
        ": a TorchScript archive, which is a program: save the model's state_dict() instead");
  check(!zip_.contains(folder_ + "byteorder") || zip_.read(folder_ + "byteorder") == "little", path,
        ": its numbers are big-endian");
  pickle_ = read_pickle(zip_.read(name), path);
}

// Where a tensor's elements are.
struct TorchFile::View {
  Shape shape;
  std::vector<long> strides;
  long offset = 0;  // elements
  const StorageType* type = nullptr;
  std::string entry;  // of the archive
};

TorchFile::View TorchFile::view_of(const PickleValue& tensor, const std::string& name) const {
  check(tensor.kind == PickleKind::tensor, path(), ": ", shown(name), " is no tensor");
  const PickleValue& storage = pickle_.at(tensor.items.at(0));
  View view;
  const std::string& type_name = pickle_.at(storage.items.at(0)).text;
  for (const StorageType& known : kTypes)
    if (type_name == known.name) view.type = &known;
  check(view.type != nullptr, path(), ": tensor ", shown(name),
        ": wanted Float-, Double-, Half-, BFloat16- or LongStorage, got ", shown(type_name));
  view.entry = folder_ + "data/" + storage.text;
  const long bytes = zip_.size_of(view.entry), item = view.type->bytes();
  try {
    check(checked_mul(storage.integer, item) == bytes, storage.integer, " elements of ", item,
          " bytes, but the storage has ", bytes, " bytes");
    view.shape = Shape(numbers(pickle_, tensor.items.at(1)));
    view.strides = numbers(pickle_, tensor.items.at(2));
    view.offset = tensor.integer;
    check_view(view.shape, view.strides, view.offset, storage.integer);
    return view;
  } catch (const Error& error) {
    fail(path(), ": tensor ", shown(name), ": ", error.what());
  }
}

Shape TorchFile::shape_of(const PickleValue& tensor, const std::string& name) const {
  return view_of(tensor, name).shape;
}

Tensor TorchFile::read(const PickleValue& tensor, const std::string& name) const {
  const View view = view_of(tensor, name);
  const long item = view.type->bytes();
  const std::string_view bytes = zip_.read(view.entry);
  const char* from = bytes.data() + view.offset * item;
  Tensor result = empty(view.shape, view.type->dtype, Device::cpu);
  if (!view.type->half) {
    gather(reinterpret_cast<char*>(result.host<std::byte>()), from, view.shape, view.strides, item);
  } else {
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(view.shape.numel()));
    gather(reinterpret_cast<char*>(halves.data()), from, view.shape, view.strides, item);
    for (std::size_t i = 0; i < halves.size(); ++i) result.host<float>()[i] = from_half(halves[i]);
  }
  file_.release(reinterpret_cast<const unsigned char*>(bytes.data()), std::ssize(bytes));
  return result;
}

}  // namespace lookhere
