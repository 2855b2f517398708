// Text from anywhere, made fit to print.
#include "vit/show/text.h"

#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Text, BecomesOneLineOfValidUtf8) {
  EXPECT_EQ(one_line("Größe €𝛿"), "Größe €𝛿");
  EXPECT_EQ(one_line("a\033[31m\nb\x7f"), "a [31m b ");
  EXPECT_EQ(one_line("\xc2\x9b"
                     "31m"),
            " 31m");                                                           // a control character in two bytes
  EXPECT_EQ(one_line("caf\xe9"), "caf\uFFFD");                                 // Latin-1
  EXPECT_EQ(one_line("\xc0\xaf"), "\uFFFD\uFFFD");                             // overlong
  EXPECT_EQ(one_line("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");                   // a surrogate
  EXPECT_EQ(one_line("\xef\xbf\xbf\xf4\x90\x80\x80").substr(0, 3), "\uFFFD");  // not characters
  EXPECT_EQ(columns("Größe"), 5);
  EXPECT_EQ(clip("Größe", 5, true), "Größe");
  EXPECT_EQ(clip("Größe", 4, true), "Grö…");
  EXPECT_EQ(clip("Größe", 3, false), "Gr~");
  EXPECT_EQ(clip("Größe", 0, true), "");
}

}  // namespace
}  // namespace lookhere
