// Small pictures in rows and columns, each with a line below: what several models make of the same images.
#pragma once
#include <string>
#include <vector>

#include "vit/data/image.h"

namespace lookhere {

struct SmallPicture {
  std::string png, over;  // files; the second is laid over the first, half transparent; empty: none
  std::string caption;    // a short line
};
struct PictureRow {
  std::string name;
  std::vector<SmallPicture> pictures;
};

// columns: their headings. As many SVGs of a few rows each as it takes for none to be higher than a sheet of paper.
std::vector<std::string> picture_tables(const std::string& title, const std::vector<std::string>& columns,
                                        const std::vector<PictureRow>& rows);

// The image without its colours, so that what is laid over it has all of them: a PNG file.
std::string grey_png(const Image& image);

}  // namespace lookhere
