// What torch.save writes since PyTorch 1.6 (.pth, .pt, .bin): a zip archive with a pickle, which says what there is,
// and an entry for each storage. Read as data, no code is run (tensor/pickle.h).
#pragma once
#include <string>

#include "tensor/pickle.h"
#include "tensor/tensor.h"
#include "tensor/zip.h"

namespace lookhere {

class TorchFile {
 public:
  // Throws Error, naming the file: not such an archive (the older formats are told by name), a TorchScript archive, a
  // pickle that is damaged or past the limits.
  explicit TorchFile(const std::string& path);
  const std::string& path() const { return file_.path(); }
  const Pickle& pickle() const { return pickle_; }

  // Of a value of kind `tensor`; `name` is for messages. Throws Error unless the file has all of its elements, for more
  // than 5 sizes, and for types other than float, double, half, bfloat16 and long.
  Shape shape_of(const PickleValue& tensor, const std::string& name) const;
  // In host memory, contiguous, whatever its strides: f32 of float and half, f64, bf16 and i64 as they are. Throws
  // Error as shape_of does, and for a damaged storage.
  Tensor read(const PickleValue& tensor, const std::string& name) const;

 private:
  struct View;
  View view_of(const PickleValue& tensor, const std::string& name) const;

  MappedFile file_;
  StoredZip zip_;
  std::string folder_;  // of all entries, with the slash
  Pickle pickle_;
};

}  // namespace lookhere
