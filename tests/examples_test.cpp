// Every lesson of the course runs, and says what it is there to say.
#include "tests/testing.h"

namespace lookhere {
namespace {

// The output of build/examples/<lesson>; passive waiting, since other programs may be using the same processors.
std::string run_example(const std::string& lesson) {
  const TemporaryFolder folder;
  const std::string command =
      "OMP_WAIT_POLICY=passive " + built("examples/" + lesson) + " >'" + folder / "out" + "' 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_file(folder / "out");
  return read_file(folder / "out");
}

void expect_says(const std::string& lesson, const std::string& line) {
  if (!std::filesystem::exists(built("examples/" + lesson.substr(0, lesson.find(' '))))) GTEST_SKIP() << "not built";
  const std::string output = run_example(lesson);
  EXPECT_NE(output.find(line), std::string::npos) << output;
}

TEST(Examples, Tensors) { expect_says("1_tensors", "the images hold 5, the clone 0"); }
TEST(Examples, Autograd) { expect_says("2_autograd", "2.074058014              2.074058014"); }
TEST(Examples, Attention) { expect_says("3_attention", "   0.6   2.8  12.4  55.6   0.0   0.0   0.0"); }
TEST(Examples, Train) { expect_says("4_train 4", "accuracy on 1024 new images"); }
TEST(Examples, Extrapolate) { expect_says("5_extrapolate 1", "learned"); }

}  // namespace
}  // namespace lookhere
