// Text: UTF-8 against the JSON library's opinion, what messages make of bytes, numbers that keep their digits.
#include "tensor/text.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/testing.h"

namespace lookhere {
namespace {

bool json_agrees(const std::string& text) {
  try {
    return is_utf8(text) == !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return !is_utf8(text);
  }
}

TEST(Text, Utf8OfOneAndTwoBytes) {
  for (int a = 0; a < 256; ++a) {
    EXPECT_EQ(is_utf8(std::string(1, static_cast<char>(a))), a < 128) << a;
    for (int b = 0; b < 256; ++b)
      EXPECT_TRUE(json_agrees({static_cast<char>(a), static_cast<char>(b)})) << a << ' ' << b;
  }
}

TEST(Text, Utf8OfThreeAndFourBytes) {
  for (int a = 0xE0; a < 256; ++a)
    for (int b = 0x7F; b < 0xC1; ++b)
      for (const int c : {0x7F, 0x80, 0xBF, 0xC0}) {
        const std::string three{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        EXPECT_TRUE(json_agrees(three)) << a << ' ' << b << ' ' << c;
        for (const int d : {0x7F, 0x80, 0xBF, 0xC0})
          EXPECT_TRUE(json_agrees(three + static_cast<char>(d))) << a << ' ' << b << ' ' << c << ' ' << d;
      }
}

TEST(Text, Printable) {
  EXPECT_EQ(printable("a b\tc\n"), "a b?c?");
  EXPECT_EQ(printable("grün 日本 🙂"), "grün 日本 🙂");
  EXPECT_EQ(printable("\xff\xc3"), "??");
  EXPECT_EQ(printable("x\xed\xa0\x80y"), "x???y") << "a surrogate";
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m\xc2\xa0"),
            "?31m\xc2\xa0")
      << "a control character of two bytes";
  EXPECT_EQ(printable(std::string("\0\x7f\x1b", 3)), "???");
}

TEST(Text, MessagesKeepEveryDigit) {
  EXPECT_EQ(concat(9e15, ' ', 9e15 + 1), "9000000000000000 9000000000000001");
  EXPECT_EQ(concat(0.1, ' ', 0.1F, ' ', 1.0 / 3, ' ', 1e-300), "0.1 0.1 0.3333333333333333 1e-300");
  EXPECT_EQ(concat(1000.0, ' ', -0.5, ' ', std::numeric_limits<double>::infinity()), "1000 -0.5 inf");
  for (const double value : {1e22, 1.0 + 0x1p-52, 5e-324, 1.7976931348623157e308, 0.30000000000000004})
    EXPECT_EQ(std::strtod(exact(value).c_str(), nullptr), value) << exact(value);
}

}  // namespace
}  // namespace lookhere
