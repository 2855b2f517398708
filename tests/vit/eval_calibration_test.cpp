// Calibration by hand, and the picture of it.
#include "vit/eval/calibration.h"

#include "tests/testing.h"
#include "vit/show/reliability.h"

namespace lookhere {
namespace {

TEST(Calibration, AnswersByHand) {
  const float ln = std::log(3.0F);
  const float logits[]{0, ln, 0};
  const Answer softmax = answer_of(logits, 3, 1, false), sigmoid = answer_of(logits, 3, 0, true);
  EXPECT_NEAR(softmax.confidence, 0.6, 1e-7);  // 3 / (1 + 3 + 1)
  EXPECT_TRUE(softmax.right);
  EXPECT_NEAR(sigmoid.confidence, 0.75, 1e-7);  // 3 / (1 + 3)
  EXPECT_FALSE(sigmoid.right);
  const float large[]{1000, -1000};
  EXPECT_EQ(answer_of(large, 2, 0, false).confidence, 1);
  const float tie[]{2, 2};
  EXPECT_EQ(answer_of(tie, 2, 0, false).confidence, 0.5);
  EXPECT_FALSE(answer_of(tie, 2, 0, false).right);
  const float none[]{-1000, -2000};
  EXPECT_EQ(answer_of(none, 2, 0, true).confidence, 0);
}

TEST(Calibration, ErrorByHand) {
  // Of four bins: (0.25, 0.5] has 0.5 wrong; (0.75, 1] has 0.8 right, 0.9 wrong and 1 right.
  const Calibration c = calibration_of({{0.5, false}, {0.8, true}, {0.9, false}, {1, true}}, 4);
  EXPECT_EQ(c.count(), 4);
  EXPECT_EQ(c.bins[0].count, 0);
  EXPECT_EQ(c.bins[1].count, 1);
  EXPECT_EQ(c.bins[2].count, 0);
  EXPECT_EQ(c.bins[3].count, 3);
  EXPECT_NEAR(c.bins[3].confidence, 0.9, 1e-12);
  EXPECT_NEAR(c.bins[3].accuracy, 2.0 / 3, 1e-12);
  EXPECT_NEAR(c.expected_error(), 0.25 * 0.5 + 0.75 * (0.9 - 2.0 / 3), 1e-12);  // 0.3
  EXPECT_EQ(calibration_of({}).bins.size(), 15U);
  EXPECT_EQ(calibration_of({}).expected_error(), 0);
  EXPECT_EQ(calibration_of({{0, false}, {1, true}}).expected_error(), 0);
  EXPECT_EQ(calibration_of({{1, false}}).expected_error(), 1);
  EXPECT_EQ(calibration_of({{0.25, true}}, 4).bins[0].count, 1);  // the upper edge is the bin's
}

TEST(Calibration, RefusesWhatIsNoConfidence) {
  for (const double bad : {-0.1, 1.1, static_cast<double>(NAN)})
    EXPECT_ERROR(calibration_of({{bad, true}}), "wanted confidences from 0 to 1, got ");
  EXPECT_ERROR(calibration_of({}, 0), "wanted at least 1 bin, got 0");
}

TEST(Reliability, BarsAreAsHighAsTheAccuracy) {
  const Calibration c = calibration_of({{0.5, false}, {0.8, true}, {0.9, false}, {1, true}}, 4);
  const std::string svg = reliability_diagram(c, "softmax");
  EXPECT_NE(svg.find("Reliability: ECE 30.00 % of 4 images"), std::string::npos);
  EXPECT_NE(svg.find("confidence (softmax)"), std::string::npos);
  // Bins are 85 pixels wide; 2/3 of 340 pixels; the gap up to 0.9.
  EXPECT_NE(svg.find("x=\"256\" y=\"113.33\" width=\"83\" height=\"226.67\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("x=\"256\" y=\"34\" width=\"83\" height=\"79.33\""), std::string::npos) << svg;
  EXPECT_NE(reliability_diagram(calibration_of({}), "sigmoid").find("of 0 images"), std::string::npos);
}

}  // namespace
}  // namespace lookhere
