// The typefaces that "glyphs" is drawn with: 97 font files of 18 families, all from Debian packages under free
// licences.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vit/data/glyphs/outline.h"

namespace lookhere {

inline constexpr std::string_view kCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct Typeface {
  std::string file;
  std::array<Outline, kCharacters.size()> glyphs;  // of kCharacters
};
struct FontFamily {  // all that one package has: relatives by design, too, are on one side of the split
  std::string package;
  std::vector<Typeface> faces;
};
struct Fonts {
  std::vector<FontFamily> families;
  std::uint64_t hash = 0;  // of the files' bytes
  long faces() const;
};

// The folder that fonts are looked for in: $LOOKHERE_FONTS, by default /usr/share/fonts.
std::string font_folder();
// The families to train with, or those to test with. Throws Error, naming the packages to install, if a file is
// missing, and naming the file if it is no font or lacks a character.
Fonts load_fonts(bool train, const std::string& folder = font_folder());
// One file's.
Typeface load_typeface(const std::string& path);

}  // namespace lookhere
