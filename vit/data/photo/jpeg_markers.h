// What a JPEG file's markers say, found without decoding anything.
#pragma once
#include "vit/data/photo/decode.h"

namespace lookhere {

struct JpegMarkers {
  long scans = 0;  // passes over the picture, before its end
  Bytes exif;      // the TIFF structure of the first EXIF segment; empty if there is none
};

JpegMarkers jpeg_markers(Bytes bytes);

}  // namespace lookhere
