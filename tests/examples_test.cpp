// Every lesson of the course runs, and says what it is there to say.
#include "tests/program.h"

namespace lookhere {
namespace {

// The output of build/examples/<lesson>, given as its name and arguments, holds this line.
void expect_says(const Words& lesson, const std::string& line) {
  const std::string program = built("examples/" + lesson[0]);
  if (!std::filesystem::exists(program)) GTEST_SKIP() << "not built";
  const Finished end = run_program({lesson.begin() + 1, lesson.end()}, {.program = program, .seconds = 600});
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find(line), std::string::npos) << end.out;
}

TEST(Examples, Tensors) { expect_says({"1_tensors"}, "the images hold 5, the clone 0"); }
TEST(Examples, Autograd) { expect_says({"2_autograd"}, "2.074058014              2.074058014"); }
TEST(Examples, Attention) { expect_says({"3_attention"}, "   0.6   2.8  12.4  55.6   0.0   0.0   0.0"); }
TEST(Examples, Train) { expect_says({"4_train", "4"}, "accuracy on 1024 new images"); }
TEST(Examples, Extrapolate) { expect_says({"5_extrapolate", "1"}, "learned"); }

}  // namespace
}  // namespace lookhere
