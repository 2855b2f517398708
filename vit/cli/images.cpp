// The element type decides what the numbers mean.
#include "vit/cli/images.h"

#include "tensor/finite.h"
#include "tensor/npy.h"
#include "vit/model/preprocessing.h"
#include "vit/model/weights.h"

namespace lookhere {

Tensor load_images(const std::string& path, const Safetensors& model, bool one) {
  const ViTConfig config = config_of(model);
  const NpyArray array = load_npy_array(path);
  const bool bytes = array.type == "|u1";
  check(bytes || array.values.dtype() != Dtype::i64, path, ": images are float32, float64 or uint8, got ", array.type);
  Tensor images = array.values;
  Shape shape = images.shape();
  if (one && shape.rank() == 3) images = images.reshape({1, shape[0], shape[1], shape[2]});
  check(!one || (images.shape().rank() == 4 && images.shape()[0] == 1), path,
        ": wanted one image [channels, height, width], got ", shape);
  shape = images.shape();
  check(shape.rank() == 4 && shape[1] == config.channels, path, ": wanted images [batch, ", config.channels,
        ", height, width], got ", shape);
  check(shape[0] >= 1 && shape[2] >= config.patch && shape[3] >= config.patch && shape[2] % config.patch == 0 &&
            shape[3] % config.patch == 0,
        path, ": wanted at least one image with height and width divisible by the patch size ", config.patch, ", got ",
        shape);
  if (bytes) {
    const auto preprocessing = preprocessing_of(model, config.channels);
    check(preprocessing.has_value(), path, ": uint8 images are normalised as the model says, but ", model.path(),
          " does not say how: normalise them and store float32");
    images = normalised(images, *preprocessing);
  }
  images = images.to(Dtype::f32);
  check_finite(images, path, ": the array as float32");
  return images;
}

}  // namespace lookhere
