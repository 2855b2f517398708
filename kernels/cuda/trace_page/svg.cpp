// Elements and attributes as text.
#include "kernels/cuda/trace_page/svg.h"

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/emulator/text.h"

namespace kernels::trace_page {
namespace {

using emulator::text;

// The bytes of the character at the begin of `text`, which is valid UTF-8 and no control character; else 0.
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f ? 1 : 0;
  const std::size_t bytes = byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < bytes) return 0;
  std::uint32_t point = byte(0) & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kLeast[] = {0x80 + 0x20, 0x800, 0x10000};  // what fewer bytes could say, and C1 controls
  const bool surrogate = point >= 0xd800 && point < 0xe000, none = (point & 0xfffeU) == 0xfffeU;
  return point >= kLeast[bytes - 2] && point <= 0x10ffff && !surrogate && !none ? bytes : 0;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : printable(text)) switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      default:
        result += c;
    }
  return result;
}

std::string outline(const char* color, int width) {
  return color == std::string_view("none") ? "" : text(" stroke=\"", color, "\" stroke-width=\"", width, "\"");
}

}  // namespace

std::string cut(std::string_view text, std::size_t most) {
  const auto is_begin = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  std::string whole = printable(text);
  if (static_cast<std::size_t>(std::ranges::count_if(whole, is_begin)) <= most) return whole;
  std::string result;
  for (const char c : whole) {
    if (is_begin(c) && most-- <= 3) break;
    result += c;
  }
  return result + "...";
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    result += bytes ? text.substr(0, bytes) : "?";
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return result;
}

void Svg::rectangle(int x, int y, int width, int height, const std::string& fill, const char* stroke,
                    int stroke_width) {
  body_ += text("<rect x=\"", x, "\" y=\"", y, "\" width=\"", width, "\" height=\"", height, "\" fill=\"", fill, "\"",
                outline(stroke, stroke_width), "/>\n");
}

void Svg::circle(int x, int y, int radius, const std::string& fill, const char* stroke, int stroke_width) {
  body_ += text("<circle cx=\"", x, "\" cy=\"", y, "\" r=\"", radius, "\" fill=\"", fill, "\"",
                outline(stroke, stroke_width), "/>\n");
}

void Svg::line(int x, int y, int to_x, int to_y, const char* color, int width) {
  body_ +=
      text("<line x1=\"", x, "\" y1=\"", y, "\" x2=\"", to_x, "\" y2=\"", to_y, "\"", outline(color, width), "/>\n");
}

void Svg::label(int x, int y, std::string_view words, const Font& font) {
  body_ += text("<text x=\"", x, "\" y=\"", y, "\" font-size=\"", font.size, "\" fill=\"", font.color, "\"",
                font.anchor == std::string_view("start") ? "" : text(" text-anchor=\"", font.anchor, "\""),
                font.bold ? " font-weight=\"bold\"" : "", font.code ? " font-family=\"monospace\"" : "", ">",
                escaped(words), "</text>\n");
}

void Svg::code(int x, int y, std::string_view words, int most_width, Font font) {
  font.code = true;
  label(x, y, cut(words, static_cast<std::size_t>(most_width * 1000 / (602 * font.size))), font);
}

void Svg::use(const std::string& id, int x, int y) {
  body_ += text("<use href=\"#", id, "\" x=\"", x, "\" y=\"", y, "\"/>\n");
}

std::string Svg::page(int height) const {
  return text(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", width_, "\" height=\"", height, "\" viewBox=\"0 0 ", width_,
      " ", height,
      "\" role=\"img\" font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n<title>",
      escaped(title_), "</title>\n<rect x=\"0\" y=\"0\" width=\"", width_, "\" height=\"", height,
      "\" fill=\"#ffffff\"/>\n", body_, "</svg>\n");
}

}  // namespace kernels::trace_page
