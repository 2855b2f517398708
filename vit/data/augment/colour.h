// Colours of 8-bit images, as Pillow's and torchvision's functions change them. Images have one channel, or red, green
// and blue; others are an Error where colours are mixed. A grey image has no saturation and no hue: it stays as it is.
#pragma once
#include "vit/data/augment/picture.h"

namespace lookhere {

// (height, width), ITU-R 601: 0.299 red + 0.587 green + 0.114 blue.
std::vector<std::uint8_t> grey_levels(const Picture& picture);
void grayscale(Picture& picture);

// Factors are 1 for no change and at least 0: from black, the mean grey level, the grey image, or the smoothed image
// to this one, and beyond.
void adjust_brightness(Picture& picture, double factor);
void adjust_contrast(Picture& picture, double factor);
void adjust_saturation(Picture& picture, double factor);
void adjust_sharpness(Picture& picture, double factor);
// Turns the hue by this part of the circle, in [-0.5, 0.5].
void adjust_hue(Picture& picture, double turn);

}  // namespace lookhere
