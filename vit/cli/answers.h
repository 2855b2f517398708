// What a model takes pictures for, collected as a gallery.
#pragma once
#include "vit/cli/picture.h"
#include "vit/show/gallery.h"

namespace lookhere {

class Answers {
 public:
  explicit Answers(std::string name) { dataset_.name = std::move(name); }
  // Probabilities of all classes. Pictures of other sizes or channels than the first are told by an Error.
  void add(const CommandImage& picture, const std::vector<float>& probabilities);
  std::string svg();

 private:
  Dataset dataset_;
  std::vector<std::uint8_t> pixels_;
  std::vector<Prediction> predictions_;
};

// The model's probabilities for a picture. Throws Error, beginning with what the answer is called, if they are not
// finite.
std::vector<float> answer_to(ViT& model, const CommandImage& picture, const std::string& what);

}  // namespace lookhere
