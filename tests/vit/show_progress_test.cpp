// The progress line on terminals of several widths and in a log, by a clock that the test turns.
#include "vit/show/progress.h"

#include <sstream>

#include "tests/testing.h"
#include "vit/show/text.h"

namespace lookhere {
namespace {

const std::string kClear = "\r\033[K";

class Variable {  // restores an environment variable
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Variable() { had_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

struct Screen {
  std::ostringstream out;
  double now = 100;
  int width = 80;
  ProgressOptions options(bool terminal, bool unicode = false, bool color = false) {
    return {.out = &out,
            .terminal = terminal,
            .unicode = unicode,
            .color = color,
            .width = [this] { return width; },
            .now = [this] { return now; }};
  }
  std::string taken() {  // what was written since the last call
    std::string text = out.str();
    out.str("");
    return text;
  }
};

TEST(Progress, RedrawsOneLineOnATerminal) {
  Screen screen;
  Progress progress("train", 100, screen.options(true));
  progress.update(0);
  EXPECT_EQ(screen.taken(), kClear + "train  [" + std::string(28, ' ') + "]    0 %  0:00");
  screen.now = 110;
  progress.update(25, "loss 0.412  lr 9.1e-04");
  EXPECT_EQ(screen.taken(), kClear + "train  [=====                 ]   25 %  0:10, 0:30 left  loss 0.412  lr 9.1e-04");
  screen.now = 110.05;  // too soon
  progress.update(26);
  EXPECT_EQ(screen.taken(), "");
  progress.update(100);  // but the end is always shown
  EXPECT_EQ(screen.taken(), kClear + "train  [" + std::string(28, '=') + "]  100 %  0:10");
  screen.now = 141.5;
  progress.finish("loss 0.31");
  EXPECT_EQ(screen.taken(), kClear + "train  loss 0.31  (0:41)\n");
  progress.finish();
  progress.update(3);
  EXPECT_EQ(screen.taken(), "");
}

TEST(Progress, DrawsAtMostTenTimesASecond) {
  Screen screen;
  Progress progress("train", 1000000, screen.options(true));
  for (int i = 0; i < 5000; ++i, screen.now += 0.001) progress.update(i);
  const std::string text = screen.taken();
  const long draws = std::count(text.begin(), text.end(), '\r');
  EXPECT_GE(draws, 45);
  EXPECT_LE(draws, 51);
}

TEST(Progress, UsesTheLocalesBarAndColor) {
  Screen screen;
  Progress plain("a", 60, screen.options(true, true));
  plain.update(31);
  EXPECT_EQ(screen.taken(), kClear + "a  " + repeat("━", 15) + "╸" + repeat("─", 14) + "   51 %  0:00");
  Progress colored("a", 60, screen.options(true, true, true));
  colored.update(30);
  EXPECT_EQ(screen.taken(),
            kClear + "a  \033[32m" + repeat("━", 15) + "\033[0m\033[2m" + repeat("─", 15) + "\033[0m   50 %  0:00");
}

TEST(Progress, FitsEveryWidth) {
  for (const bool unicode : {false, true})
    for (int width = 1; width <= 130; ++width) {
      Screen screen;
      screen.width = width;
      Progress progress("époque 3/20", 1875, screen.options(true, unicode));
      screen.now += 75;
      progress.update(800, "loss 0.412  lr 9.1e-04  1843 images/s");
      const std::string line = screen.taken().substr(kClear.size());
      EXPECT_LT(columns(line), width) << line;
      EXPECT_EQ(line, one_line(line)) << "cut inside a code point";
      EXPECT_TRUE(width < 40 || line.find("42 %  1:15, 1:40 left") != std::string::npos) << line;
      EXPECT_TRUE(width < 64 || line.find("left  loss 0.412") != std::string::npos) << line;
      EXPECT_EQ(line.find("images/s") != std::string::npos, width >= 87) << line;
    }
}

TEST(Progress, WritesFewLinesToALog) {
  Screen screen;
  Progress progress("train", 400, screen.options(false, true));
  for (int i = 0; i <= 400; ++i, screen.now += 0.0625) progress.update(i, "loss\t1.5\n");
  progress.finish("loss 1.5");
  EXPECT_EQ(screen.taken(),
            "train   40 %  0:10, 0:15 left  loss 1.5 \n"
            "train   80 %  0:20, 0:05 left  loss 1.5 \n"
            "train  loss 1.5  (0:25)\n");
}

TEST(Progress, SaysNothingOfShortThingsButTheirEnd) {
  Screen screen;
  Progress progress("eval", 10, screen.options(false));
  for (int i = 0; i <= 10; ++i, screen.now += 0.125) progress.update(i);
  EXPECT_EQ(screen.taken(), "");
  progress.finish("top-1 91.2 %");
  EXPECT_EQ(screen.taken(), "eval  top-1 91.2 %  (1.4 s)\n");
}

TEST(Progress, LeavesTheCursorOnANewLineAfterAnError) {
  Screen screen;
  try {
    Progress progress("train", 10, screen.options(true));
    progress.update(1);
    screen.taken();
    fail("disk full");
  } catch (const Error&) {
  }
  EXPECT_EQ(screen.taken(), "\n");
  { const Progress quiet("train", 10, screen.options(true)); }
  EXPECT_EQ(screen.taken(), "");
}

TEST(Progress, TimeLeftFollowsTheSpeedOfLate) {
  Screen screen;
  Progress progress("train", 1000, screen.options(true));
  for (int i = 1; i <= 100; ++i, screen.now += 1) progress.update(i);        // one a second
  for (int i = 110; i <= 800; i += 10, screen.now += 1) progress.update(i);  // then ten
  screen.taken();
  progress.update(810);
  const std::string line = screen.taken();
  EXPECT_NE(line.find("0:2"), std::string::npos) << line;  // 190 steps at about ten a second
}

TEST(Progress, WorkToldOfInLumpsGivesATimeLeftAllTheSame) {
  Screen screen;
  Progress progress("compare", 1000, screen.options(false));
  for (int i = 1; i <= 100; ++i, screen.now += 10)
    progress.update(i / 20 * 20);  // 20 every 200 seconds, asked every 10
  screen.taken();
  progress.update(100);
  const std::string line = screen.taken();
  EXPECT_NE(line.find(", 2:3"), std::string::npos) << line;  // 900 at one in ten seconds: two and a half hours
}

TEST(Progress, AResumedRunIsNotFast) {
  Screen screen;
  ProgressOptions options = screen.options(false);
  options.start = 900;
  Progress progress("train", 1000, options);
  screen.now += 20;
  progress.update(920);
  EXPECT_EQ(screen.taken(), "train   92 %  0:20, 1:20 left\n");
}

TEST(Progress, CountsWhereTheTotalIsUnknown) {
  Screen screen;
  Progress progress("reading", 0, screen.options(true));
  screen.now += 3725;
  progress.update(812, "12 MB");
  EXPECT_EQ(screen.taken(), kClear + "reading  812  1:02:05  12 MB");
}

TEST(Progress, StandardErrorKnowsNoColorAndLocale) {
  EXPECT_GE(standard_error().width(), 1);
  const double now = standard_error().now();
  EXPECT_LE(now, standard_error().now());
  const Variable all("LC_ALL", nullptr), type("LC_CTYPE", "");
  {
    const Variable lang("LANG", "de_DE.UTF-8"), color("NO_COLOR", "");
    EXPECT_TRUE(standard_error().unicode);
    EXPECT_TRUE(color_wanted());
  }
  const Variable lang("LANG", "C.utf8"), ctype("LC_CTYPE", "C"), color("NO_COLOR", "1"), dumb("TERM", "dumb");
  EXPECT_FALSE(standard_error().unicode);
  EXPECT_FALSE(color_wanted());
  EXPECT_FALSE(standard_error().color);
  EXPECT_FALSE(standard_error().terminal);
}

}  // namespace
}  // namespace lookhere
