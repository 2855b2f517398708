// Finds where names and values begin and end. A value's own text is JSON but for a few spellings, so JSON's parser
// reads it.
#include "vit/train/recipe_file.h"

#include <set>

#include "tensor/text.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-'; }

class Reader {
 public:
  Reader(std::string_view text, const std::string& path) : text_(text), path_(path) {
    accept("\xEF\xBB\xBF");  // the byte order mark of some editors
  }

  void read(const std::function<void(const std::string&, const nlohmann::json&)>& set) {
    std::set<std::string> seen;
    for (skip_lines(); at_ < text_.size(); skip_lines()) {
      const long line = line_;
      const std::string name(take_while(is_word));
      if (name.empty()) wanted("a name");
      skip_spaces();
      if (!accept("=")) wanted("= after a name");
      skip_spaces();
      const nlohmann::json value = peek() == '[' ? read_list() : read_value();
      skip_spaces();
      if (at_ < text_.size() && peek() != '#' && !at_line_end()) wanted("the end of the line");
      try {
        check(seen.insert(name).second, "wanted each name once, got ", name, " again");
        set(name, value);
      } catch (const Error& error) {
        fail(path_, ": line ", line, ": ", error.what());
      }
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_line_end() const { return peek() == '\n' || text_.substr(at_).starts_with("\r\n"); }
  bool accept(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view take_while(auto holds) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && holds(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  void skip_spaces() {
    take_while([](char c) { return c == ' ' || c == '\t'; });
  }
  // Goes on over comments and ends of lines. A comment may say anything that is text.
  void skip_lines() {
    for (bool more = true; more;) {
      skip_spaces();
      if (const std::size_t begin = at_; peek() == '#') {
        while (at_ < text_.size() && !at_line_end()) ++at_;
        check_text(text_.substr(begin, at_ - begin));
      }
      more = accept("\r\n") || accept("\n");
      line_ += more;
    }
  }

  nlohmann::json read_list() {
    nlohmann::json list = nlohmann::json::array();
    accept("[");
    for (skip_lines(); !accept("]"); skip_lines()) {
      list.push_back(read_value());
      skip_lines();
      if (!accept(",") && peek() != ']') wanted("a comma or ]");
    }
    return list;
  }
  nlohmann::json read_value() {
    if (peek() == '"' || peek() == '\'') return read_text(peek());
    const std::size_t begin = at_;
    const std::string_view word = take_while([](char c) { return is_word(c) || c == '+' || c == '.'; });
    nlohmann::json value = word == "true" || word == "false" ? nlohmann::json(word == "true") : number(word);
    if (value.is_discarded()) at_ = begin, wanted("a number, true, false or text in quotes");
    return value;
  }
  // JSON has no plus in front and no _ between digits.
  static nlohmann::json number(std::string_view word) {
    std::string plain;
    for (std::size_t i = word.starts_with('+') ? 1 : 0; i < word.size(); ++i) {
      const bool between = i > 0 && i + 1 < word.size() && is_digit(word[i - 1]) && is_digit(word[i + 1]);
      if (word[i] != '_' || !between) plain += word[i];
    }
    const bool signs = word.starts_with("+-") || plain.starts_with('+');
    nlohmann::json value = parse_json(signs ? "" : plain, "number");
    return value.is_number() ? value : nlohmann::json(nlohmann::json::value_t::discarded);
  }
  nlohmann::json read_text(char quote) {
    const std::size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n')
      at_ += quote == '"' && text_[at_] == '\\' ? 2 : 1;
    const bool ends = peek() == quote;
    const std::string_view token = text_.substr(begin, at_ - begin);
    at_ = begin;
    if (!ends) wanted("text with its closing quote on the line");
    check_text(token);
    at_ += token.size() + 1;
    if (quote == '\'') return token.substr(1);
    std::string json;  // which has no tabs within
    for (const char c : token) json += c == '\t' ? std::string("\\t") : std::string(1, c);
    nlohmann::json value = parse_json(json + quote, "text");
    if (value.is_discarded()) at_ = begin, wanted("text with escapes such as \\\" \\\\ \\n \\u00e9");
    return value;
  }

  void check_text(std::string_view text) const {
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20 && c != '\t')
        fail(path_, ": line ", line_, ": wanted text, got byte ", int{c});
    check(is_utf8(text), path_, ": line ", line_, ": wanted UTF-8 text, got ", shown(text));
  }
  [[noreturn]] void wanted(const char* what) const {
    const std::string_view rest = text_.substr(std::min(at_, text_.size()));
    const std::string_view line = rest.substr(0, rest.find_first_of("\r\n"));
    fail(path_, ": line ", line_, ": wanted ", what, ", got ",
         rest.empty()   ? "the end of the file"
         : line.empty() ? "the end of the line"
                        : shown(line));
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  long line_ = 1;
};

}  // namespace

void read_recipe_file(std::string_view text, const std::string& path,
                      const std::function<void(const std::string&, const nlohmann::json&)>& set) {
  check(std::ssize(text) <= kMaxRecipeFile, path, ": wanted a file of at most ", kMaxRecipeFile, " bytes, got ",
        text.size());
  Reader(text, path).read(set);
}

}  // namespace lookhere
