// Elements and attributes as text.
#include "vit/show/svg.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>

#include "vit/show/png.h"
#include "vit/show/text.h"

namespace lookhere {
namespace {

// Advance widths in hundredths of the font size, rounded up, of the printable ASCII characters in DejaVu Sans and in
// DejaVu Sans Bold, the widest that a reader's system is likely to take for sans-serif. What is not ASCII counts as
// 1 and 1.15, more than nearly all letters and signs have.
constexpr std::array<std::array<std::uint8_t, 95>, 2> kAdvance{
    {{32, 41, 46, 84, 64, 96, 78, 28, 40,  40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
      64, 64, 34, 34, 84, 84, 84, 54, 100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79,
      61, 79, 70, 64, 62, 74, 69, 99, 69,  62, 69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36, 64,
      64, 28, 28, 58, 28, 98, 64, 62, 64,  64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84},
     {35, 46, 53, 84, 70, 101, 88, 31,  46,  46, 53, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70,  70, 70,
      70, 70, 40, 40, 84, 84,  84, 59,  100, 78, 77, 74, 84, 69, 69, 83, 84, 38, 38, 78, 64, 100, 84, 86,
      74, 86, 78, 73, 69, 82,  78, 111, 78,  73, 73, 46, 37, 46, 84, 50, 50, 68, 72, 60, 72, 68,  44, 72,
      72, 35, 35, 67, 35, 105, 72, 69,  72,  72, 50, 60, 48, 72, 66, 93, 65, 66, 59, 72, 37, 72,  84}}};

std::string attributes(const Ink& ink) {
  std::string text = fmt::format(" fill=\"{}\"", ink.fill);
  if (ink.stroke != "none")
    text += fmt::format(" stroke=\"{}\" stroke-width=\"{}\"", ink.stroke, svg_number(ink.width));
  if (ink.dashed) text += " stroke-dasharray=\"7 4\"";
  if (ink.rounded > 0) text += fmt::format(" rx=\"{}\"", svg_number(ink.rounded));
  return text;
}

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string result;
  for (const char c : one_line(text)) switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  return result;
}

std::string svg_number(double value) {
  std::string text = fmt::format("{:.2f}", std::isfinite(value) ? value : 0);
  text.resize(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

double text_width(const std::string& text, double size, bool bold) {
  double hundredths = 0;
  for (const char c : one_line(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80U) continue;  // inside a code point
    const bool known = byte >= 32 && byte < 127;
    hundredths += known ? kAdvance[bold][byte - 32] : bold ? 115 : 100;
  }
  return hundredths / 100 * size;
}

double fitted_size(const std::string& text, const Font& font) {
  const double width = text_width(text, font.size, font.bold);
  return font.max_width > 0 && width > font.max_width ? font.size * font.max_width / width : font.size;
}

Svg::Svg(double width, double height, const std::string& title) {
  const std::string w = svg_number(width), h = svg_number(height);
  head_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
      "font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n<title>{2}</title>\n",
      w, h, escape_xml(title));
  rect(0, 0, width, height, {.fill = "#ffffff"});
}

void Svg::rect(double x, double y, double width, double height, const Ink& ink) {
  body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}/>\n", svg_number(x), svg_number(y),
                       svg_number(width), svg_number(height), attributes(ink));
}

void Svg::line(Point from, Point to, const Ink& ink) {
  body_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}/>\n", svg_number(from.x), svg_number(from.y),
                       svg_number(to.x), svg_number(to.y), attributes(ink));
}

void Svg::polyline(const std::vector<Point>& points, const Ink& ink) {
  std::string list;
  for (const Point& p : points) list += (list.empty() ? "" : " ") + svg_number(p.x) + "," + svg_number(p.y);
  body_ += fmt::format("<polyline points=\"{}\"{} stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n", list,
                       attributes(ink));
}

void Svg::circle(Point center, double radius, const Ink& ink) {
  body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}/>\n", svg_number(center.x), svg_number(center.y),
                       svg_number(radius), attributes(ink));
}

void Svg::path(const std::string& commands, const Ink& ink) {
  body_ += fmt::format("<path d=\"{}\"{}/>\n", commands, attributes(ink));
}

void Svg::text(double x, double y, const std::string& text, const Font& font) {
  const std::string turn = font.turn == 0 ? ""
                                          : fmt::format(" transform=\"rotate({} {} {})\"", svg_number(font.turn),
                                                        svg_number(x), svg_number(y));
  body_ += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{}{}{}>{}</text>\n", svg_number(x),
                       svg_number(y), svg_number(fitted_size(text, font)), font.color,
                       font.anchor == "start" ? "" : fmt::format(" text-anchor=\"{}\"", font.anchor),
                       font.bold ? " font-weight=\"bold\"" : "", turn, escape_xml(text));
}

namespace {

// The element without what it begins with.
std::string image_attributes(double width, double height, const std::string& png, bool pixelated) {
  return fmt::format("width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\"{} href=\"data:image/png;base64,{}\"/>",
                     svg_number(width), svg_number(height), pixelated ? " style=\"image-rendering:pixelated\"" : "",
                     base64(png));
}

}  // namespace

void Svg::image(double x, double y, double width, double height, const std::string& png, bool pixelated,
                double opacity) {
  body_ += fmt::format("<image x=\"{}\" y=\"{}\" ", svg_number(x), svg_number(y)) +
           (opacity < 1 ? fmt::format("opacity=\"{}\" ", svg_number(opacity)) : "") +
           image_attributes(width, height, png, pixelated) + "\n";
}

void Svg::define_image(const std::string& id, double width, double height, const std::string& png, bool pixelated) {
  define(fmt::format("<image id=\"{}\" ", id) + image_attributes(width, height, png, pixelated));
}

void Svg::use(const std::string& id, double scale) {
  body_ += fmt::format("<use href=\"#{}\" transform=\"scale({:.4g})\"/>\n", id, scale);
}

std::string Svg::str() const {
  return head_ + (defs_.empty() ? "" : "<defs>\n" + defs_ + "</defs>\n") + body_ + "</svg>\n";
}

}  // namespace lookhere
