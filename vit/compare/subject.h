// A trained run as it is judged and drawn: its model, and test images at any size.
#pragma once
#include <optional>

#include "tensor/safetensors.h"
#include "vit/data/loader.h"
#include "vit/model/vit.h"
#include "vit/train/recipe.h"

namespace lookhere {

// Of the test set, or what --holdout has left out of the training set.
enum class Images { test, held_out };

class Subject {
 public:
  // The model is the checkpoint's with its averaged weights, where it has any: of the last epoch, not the best one,
  // which would be chosen by the test images.
  // test_images: as Comparison has them.
  Subject(const std::string& checkpoint, long test_images);
  // Of any model file, with the recipe that says which data, which batches and which loss.
  Subject(const std::string& model, Recipe recipe, long test_images);

  ViT& model() { return model_; }
  const Recipe& recipe() const { return recipe_; }
  bool averaged() const { return averaged_; }  // are the weights means over the updates
  // The same weights with another value of the encoding's tunable number (PositionEncoding::tunable).
  ViT tuned(double value) const;
  // Images for a model's input of this size, cropped as crop_for_side says; they stay until others are asked for.
  const Dataset& images(long size, Images which = Images::test);
  // Batches of them: at larger sizes of as many images as have the pixels of a batch at the model's size.
  Loader loader(long size, Images which = Images::test);

 private:
  const Safetensors file_;
  long test_images_;
  Recipe recipe_;
  bool averaged_;
  ViT model_;
  std::optional<Dataset> images_;
  long size_ = 0;
  Images which_ = Images::test;
};

}  // namespace lookhere
