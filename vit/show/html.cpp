// The style is plain CSS; nothing is fetched from anywhere and no script runs.
#include "vit/show/html.h"

#include "tensor/error.h"
#include "vit/show/png.h"
#include "vit/show/svg.h"

namespace lookhere {
namespace {

constexpr const char* kStyle = R"(
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 75rem; margin: 0 auto; padding: 0 1rem 3rem; }
h1 { line-height: 1.2; margin-bottom: 0; } h1 + p { color: #555; margin-top: .3rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
p, pre, code { overflow-wrap: anywhere; } p { max-width: 48rem; }
pre { background: #f4f4f4; padding: .7rem; white-space: pre-wrap; }
.scroll { overflow-x: auto; } table { width: max-content; border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
.caption, figcaption { color: #555; margin-bottom: 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child { position: sticky; left: 0; background: #fff; max-width: min(24rem, 36vw); padding-left: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #888; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } .charts svg { width: min(100%, 35rem); height: auto; }
img { max-width: 100%; height: auto; } figure { margin: 1rem 0; }
@media screen and (max-width: 700px) { img { max-width: none; } }
@media print { body { max-width: none; font-size: 11px; } h2, p, figure, tr, svg { break-inside: avoid; } h2, h2 + p, .caption { break-after: avoid; }
  .charts { display: block; } .charts svg { width: 49%; } .scroll { overflow: visible; } th:first-child { position: static; overflow-wrap: break-word; }
  img { max-height: 24cm; } table { width: auto; font-size: 10px; } th, td { padding: .15rem .3rem; } thead th { white-space: normal; } }
)";

// "lh90:directions=halves" may break behind : and =.
std::string breakable(const std::string& name) {
  std::string text;
  for (const char c : name) {
    text += c;
    if (c == ':' || c == '=') text += "<wbr/>";
  }
  return text;
}

}  // namespace

HtmlPage::HtmlPage(const std::string& title, const std::string& subtitle) : title_(escape_xml(title)) {
  body_ = "<h1>" + title_ + "</h1>\n<p>" + escape_xml(subtitle) + "</p>\n";
}

void HtmlPage::heading(const std::string& text) { body_ += "<h2>" + escape_xml(text) + "</h2>\n"; }
void HtmlPage::paragraph(const std::string& text) { body_ += "<p>" + escape_xml(text) + "</p>\n"; }

void HtmlPage::table(const std::string& caption, const std::vector<HtmlRow>& rows) {
  body_ += "<p class=\"caption\">" + escape_xml(caption) + "</p>\n<div class=\"scroll\" tabindex=\"0\"><table>\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    body_ += r == 0 ? "<thead><tr>" : r == 1 ? "<tbody>\n<tr>" : "<tr>";
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const auto& [text, strong] = rows[r][c];
      const std::string shown = escape_xml(text);
      const char* scope = r == 0 ? " scope=\"col\"" : " scope=\"row\"";
      if (r == 0 || c == 0)
        body_ += std::string("<th") + scope + ">" + breakable(shown) + "</th>";
      else
        body_ += "<td>" + (strong ? "<b>" + shown + "</b>" : shown) + "</td>";
    }
    body_ += r == 0 ? "</tr></thead>\n" : "</tr>\n";
  }
  body_ += rows.size() > 1 ? "</tbody>\n</table></div>\n" : "</table></div>\n";
}

void HtmlPage::charts(const std::vector<std::string>& svgs) {
  body_ += "<div class=\"charts\">\n";
  for (const std::string& svg : svgs) body_ += svg;
  body_ += "</div>\n";
}

void HtmlPage::picture(const std::string& svg, const std::string& description) {
  const std::string text = escape_xml(description);
  body_ += "<figure><div class=\"scroll\" tabindex=\"0\"><img alt=\"" + text + "\" src=\"data:image/svg+xml;base64," +
           base64(svg) + "\"/></div><figcaption>" + text + "</figcaption></figure>\n";
}

void HtmlPage::pictures(const std::vector<std::string>& svgs, const std::string& description) {
  for (std::size_t i = 0; i < svgs.size(); ++i)
    picture(svgs[i], svgs.size() == 1 ? description : concat(description, ", ", i + 1, " of ", svgs.size()));
}

void HtmlPage::code(const std::string& text) {
  // Line breaks stay: every line by itself is made valid.
  body_ += "<pre>";
  std::string line;
  for (const char c : text + "\n") {
    if (c != '\n') {
      line += c;
      continue;
    }
    body_ += escape_xml(line) + "\n";
    line.clear();
  }
  body_ += "</pre>\n";
}

std::string HtmlPage::str() const {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
         title_ + "</title>\n<style>" + kStyle + "</style></head>\n<body>\n" + body_ + "</body></html>\n";
}

}  // namespace lookhere
