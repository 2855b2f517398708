// What tests of the pictures read them with: a small XML checker, and PNGs from data URIs.
#pragma once
#include <png.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "vit/show/svg.h"

namespace lookhere {

// Is every tag closed, every attribute quoted, every & an entity? Empty if the text is well-formed (as far as an SVG of
// ours goes), else what is wrong.
inline std::string xml_error(const std::string& xml) {
  std::vector<std::string> open;
  long roots = 0;
  const auto bad_text = [](const std::string& text) -> bool {
    for (std::size_t at = 0; (at = text.find('&', at)) != std::string::npos; ++at) {
      const std::string entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;" && entity != "&#39;")
        return true;
    }
    return text.find('>') != std::string::npos;
  };
  for (std::size_t at = 0; at < xml.size();) {
    const std::size_t begin = xml.find('<', at);
    const std::string text = xml.substr(at, begin - at);
    if (bad_text(text)) return "text: " + text;
    if (begin == std::string::npos) {
      if (text.find_first_not_of(" \n") != std::string::npos) return "text after the end";
      break;
    }
    const std::size_t end = xml.find('>', begin);
    if (end == std::string::npos) return "open tag at the end";
    std::string tag = xml.substr(begin + 1, end - begin - 1);
    at = end + 1;
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != tag.substr(1)) return "closes " + tag;
      open.pop_back();
      continue;
    }
    const bool closed = tag.ends_with("/");
    if (closed) tag.pop_back();
    const std::size_t name_end = std::min(tag.find(' '), tag.size());
    if (open.empty() && ++roots > 1) return "two roots";
    for (std::size_t i = name_end; i < tag.size();) {  // name="value" ...
      const std::size_t equals = tag.find("=\"", i), quote = tag.find('"', equals + 2);
      if (tag[i] != ' ' || equals == std::string::npos || quote == std::string::npos) return "attributes: " + tag;
      const std::string name = tag.substr(i + 1, equals - i - 1), value = tag.substr(equals + 2, quote - equals - 2);
      if (name.empty() || name.find_first_of(" \"<&") != std::string::npos) return "attribute name: " + tag;
      if (value.find('<') != std::string::npos || bad_text(value)) return "attribute value: " + tag;
      i = quote + 1;
    }
    if (!closed) open.push_back(tag.substr(0, name_end));
  }
  if (!open.empty()) return "never closed: " + open.back();
  return roots == 1 ? "" : "no root";
}

inline long count(const std::string& text, const std::string& part) {
  long n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// What stands in every <text> element, entities as they are.
inline std::vector<std::string> texts(const std::string& svg) {
  std::vector<std::string> result;
  for (std::size_t at = 0; (at = svg.find("<text ", at)) != std::string::npos;) {
    at = svg.find('>', at) + 1;
    result.push_back(svg.substr(at, svg.find('<', at) - at));
  }
  return result;
}

// The attribute's value in every element of this name.
inline std::vector<std::string> attribute(const std::string& svg, const std::string& element, const std::string& name) {
  std::vector<std::string> result;
  for (std::size_t at = 0; (at = svg.find("<" + element + " ", at)) != std::string::npos; ++at) {
    const std::string tag = svg.substr(at, svg.find('>', at) - at);
    const std::size_t begin = tag.find(" " + name + "=\"");
    if (begin == std::string::npos) continue;
    const std::size_t value = begin + name.size() + 3;
    result.push_back(tag.substr(value, tag.find('"', value) - value));
  }
  return result;
}

inline std::string unescaped(std::string text) {
  for (const auto& [entity, character] :
       {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}})
    for (std::size_t at = 0; (at = text.find(entity, at)) != std::string::npos; ++at)
      text.replace(at, std::string(entity).size(), character);
  return text;
}

// The texts that leave the picture where the reader's fonts are the widest.
inline std::vector<std::string> texts_outside(const std::string& svg) {
  const auto number = [](const std::string& tag, const std::string& name) {
    const std::vector<std::string> found = attribute(tag, tag.substr(1, tag.find(' ') - 1), name);
    return found.empty() ? 0 : std::stod(found[0]);
  };
  std::vector<std::string> outside;
  std::vector<std::pair<double, double>> origins{{0, 0}};  // of the groups that are open
  double width = 0, height = 0;
  for (std::size_t at = 0; (at = svg.find('<', at)) != std::string::npos; ++at) {
    const std::size_t end = svg.find('>', at);
    const std::string tag = svg.substr(at, end - at);
    if (tag.starts_with("<svg ")) width = number(tag, "width"), height = number(tag, "height");
    if (tag.starts_with("<g ")) {
      std::pair<double, double> origin{};
      check(std::sscanf(tag.c_str(), "<g transform=\"translate(%lf %lf)", &origin.first, &origin.second) == 2, tag);
      origins.emplace_back(origins.back().first + origin.first, origins.back().second + origin.second);
    }
    if (tag == "</g") origins.pop_back();
    if (!tag.starts_with("<text ")) continue;
    const std::string text = unescaped(svg.substr(end + 1, svg.find('<', end) - end - 1));
    const double size = number(tag, "font-size"), x = origins.back().first + number(tag, "x"),
                 y = origins.back().second + number(tag, "y");
    const bool middle = tag.find("\"middle\"") != std::string::npos, last = tag.find("\"end\"") != std::string::npos;
    const double length = text_width(text, size, tag.find("\"bold\"") != std::string::npos);
    const double before = middle ? length / 2 : last ? length : 0, behind = length - before;
    const double above = 0.95 * size, below = 0.25 * size;
    const bool upwards = tag.find("rotate(-90 ") != std::string::npos;
    check(upwards || tag.find("rotate") == std::string::npos, tag);
    const bool within = upwards
                            ? x - above >= 0 && x + below <= width && y - behind >= 0 && y + before <= height
                            : x - before >= -0.1 && x + behind <= width + 0.1 && y - above >= 0 && y + below <= height;
    if (!within) outside.push_back(text);
  }
  return outside;
}

inline std::string from_base64(const std::string& text) {
  static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    if (c == '=') break;
    check(digits.find(c) != std::string::npos, "base64: ", c);
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    if ((have += 6) >= 8) bytes += static_cast<char>(bits >> (have -= 8) & 255U);
  }
  return bytes;
}

struct Pixels {
  long height = 0, width = 0;
  bool grey = false;
  std::vector<std::uint8_t> rgb;  // (height, width, 3)
};

inline Pixels read_png(const std::string& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  check(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) != 0, image.message);
  Pixels result{image.height, image.width, (image.format & PNG_FORMAT_FLAG_COLOR) == 0, {}};
  image.format = PNG_FORMAT_RGB;
  result.rgb.resize(PNG_IMAGE_SIZE(image));
  check(png_image_finish_read(&image, nullptr, result.rgb.data(), 0, nullptr) != 0, image.message);
  return result;
}

// Every embedded image of an SVG.
inline std::vector<Pixels> images(const std::string& svg) {
  std::vector<Pixels> result;
  const std::string scheme = "data:image/png;base64,";
  for (const std::string& uri : attribute(svg, "image", "href")) {
    check(uri.starts_with(scheme), uri.substr(0, 40));
    result.push_back(read_png(from_base64(uri.substr(scheme.size()))));
  }
  return result;
}

}  // namespace lookhere
