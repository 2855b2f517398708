// Log files: what is written, what is read back, and what happens when a file is not as it was left.
#include "vit/train/log.h"

#include <nlohmann/json.hpp>

#include "tests/exit_code.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

TEST(Summary, HasTimmsColumnsAndOneMore) {
  EXPECT_STREQ(kSummaryHeader, "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr,train_cross_entropy\n");
  const EpochRow row{.epoch = 3,
                     .train_loss = 1.25,
                     .eval_loss = 0.5,
                     .eval_top1 = 81.25,
                     .eval_top5 = 99.5,
                     .lr = 1e-3,
                     .train_cross_entropy = 0.75};
  EXPECT_EQ(to_csv(row), "3,1.25,0.5,81.25,99.5,0.001,0.75\n");
  EXPECT_EQ(to_csv(row, false), "3,1.25,0.5,81.25,99.5,0.001\n");
}

TEST(Summary, IsReadBack) {
  const TemporaryFolder folder;
  const std::string path = folder / "summary.csv";
  const EpochRow row{.epoch = 7,
                     .train_loss = NAN,
                     .eval_loss = 2.07944,
                     .eval_top1 = 12.5,
                     .eval_top5 = 62.5,
                     .lr = 1.5e-06,
                     .train_cross_entropy = 1.75};
  write_file(path, kSummaryHeader + to_csv({}) + to_csv(row));
  const std::vector<EpochRow> rows = read_summary(path);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].epoch, 7);
  EXPECT_TRUE(std::isnan(rows[1].train_loss)) << "an epoch of skipped updates has no loss";
  EXPECT_EQ(rows[1].eval_loss, row.eval_loss);
  EXPECT_EQ(rows[1].eval_top1, row.eval_top1);
  EXPECT_EQ(rows[1].eval_top5, row.eval_top5);
  EXPECT_EQ(rows[1].lr, row.lr);
  EXPECT_EQ(rows[1].train_cross_entropy, row.train_cross_entropy);
  EXPECT_TRUE(has_cross_entropy(path));

  write_file(path, kTimmsHeader + to_csv(row, false));  // version 0.1's
  EXPECT_FALSE(has_cross_entropy(path));
  ASSERT_EQ(read_summary(path).size(), 1U);
  EXPECT_EQ(read_summary(path)[0].lr, row.lr);
  EXPECT_TRUE(std::isnan(read_summary(path)[0].train_cross_entropy));
}

// A full disk or a kill while it was written: a resumed run cuts it off.
TEST(Summary, ARowThatWasCutShortIsNone) {
  const TemporaryFolder folder;
  const std::string path = folder / "summary.csv", row = to_csv({});
  for (std::size_t end = 0; end < row.size(); ++end) {
    write_file(path, kSummaryHeader + row + row.substr(0, end));
    EXPECT_EQ(read_summary(path).size(), 1U) << end;
  }
}

TEST(Summary, NamesTheLineThatIsNone) {
  const TemporaryFolder folder;
  const std::string path = folder / "summary.csv", header = kSummaryHeader, row = "0,1,2,3,4,5,6\n";
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"", "summary.csv: wanted the header epoch,train_loss,eval_loss,eval_top1,eval_top5,lr,train_cross_entropy"},
      {"epoch,loss\n" + row, "wanted the header"},
      {row, "wanted the header"},
      {header + "0,1,2,3,4,5\n", "line 2 is no row of seven numbers"},
      {header + row + "\n", "line 3 is no row of seven numbers"},
      {header + row + row + "0,1,2,x,4,5,6\n", "line 4 is no row of seven numbers"},
      {header + "0,1,2,3,4,5,6,7\n", "line 2 is no row of seven numbers"},
      {header + "0;1;2;3;4;5;6\n", "line 2 is no row of seven numbers"},
      {kTimmsHeader + row, "line 2 is no row of six numbers"},
      {kTimmsHeader + std::string("0,1,2,3,4\n"), "line 2 is no row of six numbers"},
  };
  for (const auto& c : cases) {
    write_file(path, c.text);
    EXPECT_ERROR(read_summary(path), c.message);
  }
  EXPECT_EQ(code_of([&] { read_summary(folder / "none"); }), Exit::io);
  write_file(path, header);
  EXPECT_TRUE(read_summary(path).empty());
}

TEST(Metrics, AreJsonLines) {
  const std::string line =
      to_json_line({.step = 12, .epoch = 1, .loss = 2.0625, .lr = 1e-3, .gradient_norm = 0.5, .cross_entropy = 1.5});
  EXPECT_EQ(line,
            "{\"step\": 12, \"epoch\": 1, \"loss\": 2.0625, \"lr\": 0.001, \"grad_norm\": 0.5, "
            "\"cross_entropy\": 1.5}\n");
  const nlohmann::json json = nlohmann::json::parse(line);
  EXPECT_EQ(json["loss"], 2.0625);
  EXPECT_FALSE(json.contains("skipped"));
  // JSON has no words for what is not finite.
  for (const double bad : {NAN, INFINITY, -INFINITY}) {
    const nlohmann::json skipped = nlohmann::json::parse(to_json_line(
        {.step = 1, .epoch = 0, .loss = bad, .lr = 1, .gradient_norm = bad, .cross_entropy = bad, .skipped = true}));
    EXPECT_TRUE(skipped["loss"].is_null());
    EXPECT_TRUE(skipped["grad_norm"].is_null());
    EXPECT_TRUE(skipped["cross_entropy"].is_null());
    EXPECT_EQ(skipped["skipped"], true);
  }
}

TEST(Summary, ThatIsNotBegunHasNoRows) {
  const TemporaryFolder folder;
  const std::string path = folder / "summary.csv";
  EXPECT_TRUE(read_summary_so_far(path).empty());
  write_file(path, "");
  EXPECT_TRUE(read_summary_so_far(path).empty());
  EXPECT_ERROR(read_summary(path), "wanted the header");
  write_file(path, std::string(kSummaryHeader) + "0,1,2,3,4,5,6\n");
  EXPECT_EQ(read_summary_so_far(path).size(), 1U);
  write_file(path, "epoch");
  EXPECT_ERROR(read_summary_so_far(path), "wanted the header");
}

}  // namespace
}  // namespace lookhere
