// EXIF (a TIFF structure in a picture's file): how the camera was held.
#pragma once
#include "vit/data/photo/decode.h"

namespace lookhere {

// 1 to 8: what to do with the stored rows for an upright picture; 1, nothing, also where these bytes are no TIFF or do
// not say. Damaged EXIF is no reason to refuse a picture.
int exif_orientation(Bytes tiff);

}  // namespace lookhere
