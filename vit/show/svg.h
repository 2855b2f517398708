// A small SVG writer: shapes, text and embedded images, in the order drawn. Units are pixels, y grows downwards.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

std::string escape_xml(const std::string& text);  // made valid by one_line first
std::string svg_number(double value);             // at most two decimals, never -0

struct Ink {
  std::string fill = "none", stroke = "none";
  double width = 1;    // of the stroke
  double rounded = 0;  // radius of a rectangle's corners
  bool dashed = false;
};

struct Font {
  double size = 14;
  std::string anchor = "start";  // or "middle", "end"
  std::string color = "#222222";
  bool bold = false;
  double turn = 0;       // degrees, clockwise
  double max_width = 0;  // if not 0: the size shrinks until the text fits
};

// The font's size, or what it shrinks to so that the text fits.
double fitted_size(const std::string& text, const Font& font);
// The most that the text takes in the fonts that readers have; where they have a narrower one it takes less.
double text_width(const std::string& text, double size, bool bold = false);

struct Point {
  double x, y;
};

class Svg {
 public:
  // White, with a title for screen readers and tooltips.
  Svg(double width, double height, const std::string& title);

  void rect(double x, double y, double width, double height, const Ink& ink);
  void line(Point from, Point to, const Ink& ink);
  void polyline(const std::vector<Point>& points, const Ink& ink);
  void circle(Point center, double radius, const Ink& ink);
  void path(const std::string& commands, const Ink& ink);
  // (x, y): the baseline's start, middle or end.
  void text(double x, double y, const std::string& text, const Font& font = {});
  // A PNG file's bytes, embedded; pixelated: enlarged without smoothing.
  void image(double x, double y, double width, double height, const std::string& png, bool pixelated,
             double opacity = 1);
  // The same with its corner at the origin, to be drawn by use().
  void define_image(const std::string& id, double width, double height, const std::string& png, bool pixelated);
  void use(const std::string& id, double scale = 1);
  // A pattern or gradient, to be named by url(#id).
  void define(const std::string& xml) { defs_ += xml + "\n"; }
  // What draw() draws has its origin at (x, y).
  template <class F>
  void group(double x, double y, F draw) {
    body_ += "<g transform=\"translate(" + svg_number(x) + " " + svg_number(y) + ")\">\n";
    draw();
    body_ += "</g>\n";
  }

  std::string str() const;

 private:
  std::string head_, defs_, body_;
};

}  // namespace lookhere
