// A fixed list, so that the data are the same wherever these packages are, whatever else is.
#include "vit/data/glyphs/fonts.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_BBOX_H
#include FT_OUTLINE_H

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"
#include "tensor/text.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

struct Files {
  const char* package;
  bool train;
  const char *begin, *styles, *end;  // a file is begin + style + end; styles are told apart by commas
};
constexpr std::array<Files, 18> kFiles{{
    {"fonts-cantarell", true, "opentype/cantarell/Cantarell-", "Bold,ExtraBold,Light,Regular,Thin", ".otf"},
    {"fonts-courier-prime", true, "opentype/courier-prime/Courier Prime",
     ", Bold, Bold Italic, Italic, Code, Code Italic, Sans, Sans Bold, Sans Bold Italic, Sans Italic", ".otf"},
    {"fonts-crosextra-caladea", true, "truetype/crosextra/Caladea-", "Bold,BoldItalic,Italic,Regular", ".ttf"},
    {"fonts-crosextra-carlito", true, "truetype/crosextra/Carlito-", "Bold,BoldItalic,Italic,Regular", ".ttf"},
    {"fonts-dejavu-core", true, "truetype/dejavu/DejaVu", "Sans,Sans-Bold,SansMono,SansMono-Bold,Serif,Serif-Bold",
     ".ttf"},
    {"fonts-dosis", true, "opentype/dosis/Dosis-", "Bold,Book,ExtraBold,ExtraLight,Light,Medium,SemiBold", ".otf"},
    {"fonts-fanwood", true, "truetype/fanwood/Fanwood", ",-Italic,Text,Text-Italic", ".otf"},
    {"fonts-gfs-didot", true, "opentype/didot/GFSDidot", ",Bold,BoldItalic,Italic", ".otf"},
    {"fonts-inconsolata", true, "truetype/inconsolata/Inconsolata", "", ".otf"},
    {"fonts-junction", true, "opentype/junction/Junction", "", ".otf"},
    {"fonts-karla", true, "truetype/karla/Karla-",
     "Bold,BoldItalic,ExtraBold,ExtraBoldItalic,ExtraLight,ExtraLightItalic,Italic,Light,LightItalic,Medium,"
     "MediumItalic,Regular",
     ".otf"},
    {"fonts-lobster", true, "opentype/lobster/lobster", "", ".otf"},
    {"fonts-oldstandard", true, "truetype/fonts-oldstandard/OldStandard-", "Bold,Italic,Regular", ".ttf"},
    {"fonts-cabin", false, "opentype/cabin/Cabin-",
     "Bold,BoldItalic,Italic,Medium,MediumItalic,Regular,SemiBold,SemiBoldItalic", ".otf"},
    {"fonts-comic-neue", false, "opentype/comic-neue/ComicNeue-", "Bold,BoldItalic,Italic,Light,LightItalic,Regular",
     ".otf"},
    {"fonts-ebgaramond", false, "opentype/ebgaramond/EBGaramond", "08-Italic,08-Regular,12-Bold,12-Italic,12-Regular",
     ".otf"},
    {"fonts-liberation2", false, "truetype/liberation2/Liberation",
     "Mono-Bold,Mono-BoldItalic,Mono-Italic,Mono-Regular,Sans-Bold,Sans-BoldItalic,Sans-Italic,Sans-Regular,"
     "Serif-Bold,Serif-BoldItalic,Serif-Italic,Serif-Regular",
     ".ttf"},
    {"fonts-quicksand", false, "truetype/quicksand/Quicksand-", "Bold,Light,Medium,Regular", ".ttf"},
}};

std::vector<std::string> paths_of(const Files& files, const std::string& folder) {
  std::vector<std::string> paths;
  const std::string_view styles = files.styles;
  for (std::size_t begin = 0; begin <= styles.size();) {
    const std::size_t end = std::min(styles.find(',', begin), styles.size());
    paths.push_back(concat(folder, "/", files.begin, std::string(styles.substr(begin, end - begin)), files.end));
    begin = end + 1;
  }
  return paths;
}

// One line for both splits, so that nobody has to install twice.
void check_installed(const std::string& folder) {
  std::string packages, first;
  for (const Files& files : kFiles) {
    const std::vector<std::string> paths = paths_of(files, folder);
    std::error_code ignored;
    const auto missing =
        std::ranges::find_if(paths, [&](const std::string& path) { return !fs::is_regular_file(path, ignored); });
    if (missing == paths.end()) continue;
    if (first.empty()) first = *missing;
    packages += concat(" ", files.package);
  }
  check_io(packages.empty(), "glyphs: no font file ", first, ": install Debian's", packages,
           ", or use --data shapes, which needs none");
}

struct Library {
  FT_Library of = nullptr;
  Library() { check(FT_Init_FreeType(&of) == 0, "glyphs: FreeType cannot be started"); }
  ~Library() { FT_Done_FreeType(of); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

// Centred, and of size 1. `what` is for messages.
Outline normalised(FT_Outline& from, const std::string& what) {
  FT_BBox box{};
  check(from.n_points > 0 && from.n_contours > 0 && FT_Outline_Get_BBox(&from, &box) == 0, what, " has no outline");
  const auto width = static_cast<double>(box.xMax - box.xMin), height = static_cast<double>(box.yMax - box.yMin);
  check(width > 0 && height > 0, what, " has no area");
  const double longer = std::max(width, height), x = static_cast<double>(box.xMin) + width / 2,
               y = static_cast<double>(box.yMin) + height / 2;
  Outline outline;
  outline.flags = from.flags & ~FT_OUTLINE_OWNER;
  outline.ends.assign(from.contours, from.contours + from.n_contours);
  for (long i = 0; i < from.n_points; ++i)
    outline.points.push_back({.x = (static_cast<double>(from.points[i].x) - x) / longer,
                              .y = (static_cast<double>(from.points[i].y) - y) / longer,
                              .tag = static_cast<unsigned char>(from.tags[i])});
  return outline;
}

// The typeface in a file's bytes, which the library reads no more afterwards.
Typeface typeface_in(const MappedFile& file, const Library& library) {
  const std::string& path = file.path();
  FT_Face face = nullptr;
  check(FT_New_Memory_Face(library.of, file.data(), file.size(), 0, &face) == 0, path,
        ": wanted a font file, FreeType cannot read it");
  const std::unique_ptr<FT_FaceRec_, decltype(&FT_Done_Face)> owner(face, FT_Done_Face);
  Typeface typeface{.file = path, .glyphs = {}};
  for (std::size_t i = 0; i < kCharacters.size(); ++i) {
    const std::string what = concat(path, ": '", std::string(1, kCharacters[i]), "'");
    const FT_UInt index = FT_Get_Char_Index(face, static_cast<FT_ULong>(kCharacters[i]));
    check(index != 0 && FT_Load_Glyph(face, index, FT_LOAD_NO_SCALE | FT_LOAD_NO_BITMAP) == 0 &&
              face->glyph->format == FT_GLYPH_FORMAT_OUTLINE,
          what, " is missing");
    typeface.glyphs[i] = normalised(face->glyph->outline, what);
  }
  return typeface;
}

}  // namespace

long Fonts::faces() const {
  long count = 0;
  for (const FontFamily& family : families) count += std::ssize(family.faces);
  return count;
}

std::string font_folder() {
  const char* chosen = std::getenv("LOOKHERE_FONTS");
  return chosen ? chosen : "/usr/share/fonts";
}

Typeface load_typeface(const std::string& path) { return typeface_in(MappedFile(path), Library()); }

Fonts load_fonts(bool train, const std::string& folder) {
  check_installed(folder);
  Fonts fonts;
  const Library library;
  std::vector<std::uint64_t> hashes;
  for (const Files& files : kFiles) {
    if (files.train != train) continue;
    FontFamily& family = fonts.families.emplace_back(FontFamily{.package = files.package, .faces = {}});
    for (const std::string& path : paths_of(files, folder)) {
      const MappedFile file(path);
      hashes.push_back(hash_of(file.data(), file.size()));
      family.faces.push_back(typeface_in(file, library));
    }
  }
  fonts.hash = hash_of(hashes.data(), std::ssize(hashes) * static_cast<long>(sizeof hashes[0]));
  return fonts;
}

}  // namespace lookhere
