// Elements and attributes as text.
#include "vit/show/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vit/show/png.h"
#include "vit/show/text.h"

namespace lookhere {
namespace {

std::string attributes(const Ink& ink) {
  std::string text = fmt::format(" fill=\"{}\"", ink.fill);
  if (ink.stroke != "none")
    text += fmt::format(" stroke=\"{}\" stroke-width=\"{}\"", ink.stroke, svg_number(ink.width));
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
  double ems = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;  // inside a code point
    const bool narrow = std::string(" .,:;'|!ijlIft()[]").find(c) != std::string::npos;
    const bool wide = (c >= 'A' && c <= 'Z') || c == '%' || c == '&' || c == 'm' || c == 'w';
    ems += narrow ? 0.3 : wide ? 0.72 : 0.57;
  }
  return ems * size * (bold ? 1.06 : 1);
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

void Svg::image(double x, double y, double width, double height, const std::string& png, bool pixelated) {
  body_ += fmt::format(
      "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\"{} "
      "href=\"data:image/png;base64,{}\"/>\n",
      svg_number(x), svg_number(y), svg_number(width), svg_number(height),
      pixelated ? " style=\"image-rendering:pixelated\"" : "", base64(png));
}

std::string Svg::str() const {
  return head_ + (defs_.empty() ? "" : "<defs>\n" + defs_ + "</defs>\n") + body_ + "</svg>\n";
}

}  // namespace lookhere
