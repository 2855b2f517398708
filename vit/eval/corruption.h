// Test images made worse as cameras and networks make them (ImageNet-C, Hendrycks & Dietterich 2019, arXiv 1903.12261),
// and shifted.
#pragma once
#include <array>

#include "vit/model/preprocessing.h"

namespace lookhere {

enum class Corruption { noise, blur, contrast, jpeg };
inline constexpr std::array kCorruptions{Corruption::noise, Corruption::blur, Corruption::contrast, Corruption::jpeg};
inline constexpr long kStrengths = 5;
const char* name_of(Corruption corruption);

// Images [B, C, Y, X], normalised, f32, in host memory, at a strength from 1 to 5, with ImageNet-C's numbers: normal
// noise of 0.08 to 0.38; a Gaussian blur of 1 to 6 pixels at 224, at other sizes of as much of the side; contrast of
// 0.4 to 0.05 about each channel's mean; JPEG of quality 25 to 7. Pixels stay in [0, 1]. Noise follows from the image
// alone. Throws Error for other strengths, and where JPEG is to be made of neither 1 nor 3 channels.
Tensor corrupted(const Tensor& images, const Preprocessing& preprocessing, Corruption corruption, long strength);

// Every pixel moved by (dy, dx); what comes in from outside of the image is 0, the mean colour.
Tensor shifted(const Tensor& images, long dy, long dx);

}  // namespace lookhere
