// A page of shapes and text in SVG, in whole pixels, filled from the top down. It needs nothing but itself: no script,
// no font, no file.
#pragma once
#include <string>
#include <string_view>

namespace kernels::trace_page {

// Valid UTF-8 without control characters; what is neither becomes '?'.
std::string printable(std::string_view text);
// At most this many letters of it (at least 4), "..." at the end where some are missing.
std::string cut(std::string_view text, std::size_t most);

struct Font {
  int size = 16;
  bool bold = false, code = false;  // code: every letter 0.602 of the size wide
  const char* anchor = "start";     // or "middle", "end"
  const char* color = "#1a1a1a";
};

class Svg {
 public:
  Svg(int width, std::string_view title) : width_(width), title_(title) {}

  void rectangle(int x, int y, int width, int height, const std::string& fill, const char* stroke = "none",
                 int stroke_width = 1);
  void line(int x, int y, int to_x, int to_y, const char* color, int width);
  void circle(int x, int y, int radius, const std::string& fill, const char* stroke = "none", int stroke_width = 1);
  // (x, y): the baseline's start, middle or end.
  void label(int x, int y, std::string_view words, const Font& font = {});
  // Code cut, with dots at the end, where it would be wider.
  void code(int x, int y, std::string_view words, int most_width, Font font = {});
  // What draw() draws, once, to be placed by use().
  template <class F>
  void symbol(const std::string& id, F draw) {
    body_ += "<symbol id=\"" + id + "\" overflow=\"visible\">\n";
    draw();
    body_ += "</symbol>\n";
  }
  void use(const std::string& id, int x, int y);

  std::string page(int height) const;

 private:
  int width_;
  std::string title_, body_;
};

}  // namespace kernels::trace_page
