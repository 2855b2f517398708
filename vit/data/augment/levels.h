// Grey levels by table: the same new value for every pixel of a channel that has the same old one. As Pillow's
// ImageOps.
#pragma once
#include "vit/data/augment/picture.h"

namespace lookhere {

// What is not below the threshold becomes its negative.
void solarize(Picture& picture, double threshold = 128);
// Lightens what is below 128 by `add`, 0 to 128, up to white.
void solarize_add(Picture& picture, int add);
void invert(Picture& picture);
// Keeps the highest bits, 0 to 8 of them.
void posterize(Picture& picture, int bits);
// Each channel's darkest pixel becomes 0, its brightest 255.
void auto_contrast(Picture& picture);
// Each channel's levels become equally frequent, as nearly as a table can.
void equalize(Picture& picture);

}  // namespace lookhere
