// A page that needs nothing but itself: headings, text, tables, charts and pictures, for screens of any width, for
// print, and for readers who tell no colours apart.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

struct HtmlCell {
  std::string text;
  bool strong = false;
  HtmlCell(std::string value, bool is_strong = false)  // NOLINT(google-explicit-constructor): text is a cell
      : text(std::move(value)), strong(is_strong) {}
  HtmlCell(const char* value) : text(value) {}  // NOLINT(google-explicit-constructor)
};
using HtmlRow = std::vector<HtmlCell>;

// Text may come from users: it is escaped, and made valid by one_line first.
class HtmlPage {
 public:
  HtmlPage(const std::string& title, const std::string& subtitle);

  void heading(const std::string& text);
  void paragraph(const std::string& text);
  // The first row is the head, the first cell of each other row names it. Wide ones scroll within the page, names stay.
  void table(const std::string& caption, const std::vector<HtmlRow>& rows);
  // SVG without ids, as line_charts writes it, side by side where there is room.
  void charts(const std::vector<std::string>& svgs);
  // SVG of any kind, in a document of its own, so that its ids meet no others. On narrow screens it keeps its size and
  // scrolls.
  void picture(const std::string& svg, const std::string& description);
  // Several that belong together, one below another.
  void pictures(const std::vector<std::string>& svgs, const std::string& description);
  void code(const std::string& text);

  std::string str() const;

 private:
  std::string title_, body_;
};

}  // namespace lookhere
