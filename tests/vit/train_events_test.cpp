// TensorBoard's event files, read back record by record and field by field.
#include "vit/train/events.h"

#include <bit>

#include "tests/program.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

// Throws std::out_of_range where a record or a field is cut short.
std::vector<std::string> records_of(const std::string& file) {
  const auto masked = [](const std::string& bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return static_cast<std::uint32_t>((crc >> 15 | crc << 17) + 0xa282ead8U);
  };
  std::vector<std::string> records;
  for (std::size_t at = 0; at < file.size();) {
    const std::uint64_t size = number_at(file, at, 8);
    EXPECT_EQ(number_at(file, at + 8, 4), masked(file.substr(at, 8)));
    records.push_back(file.substr(at + 12, size));
    EXPECT_EQ(number_at(file, at + 12 + size, 4), masked(records.back()));
    at += 16 + size;
  }
  return records;
}

struct Field {
  std::uint64_t number, value = 0;
  std::string bytes;
};

std::vector<Field> fields_of(const std::string& message) {
  std::vector<Field> fields;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= static_cast<std::uint64_t>(byte & 127U) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t key = varint();
    Field field{.number = key >> 3, .bytes = {}};
    const std::size_t fixed = (key & 7U) == 1 ? 8 : (key & 7U) == 5 ? 4 : 0;
    if (fixed != 0) {
      field.value = number_at(message, at, fixed);
      at += fixed;
    } else {
      field.value = varint();
      if ((key & 7U) == 2) {
        field.bytes = message.substr(at, field.value);
        EXPECT_EQ(field.bytes.size(), field.value);
        at += field.value;
      }
    }
    fields.push_back(field);
  }
  return fields;
}

// "3 train/loss 2.5": an event's step and what it holds, the scalars one after another.
std::string shown(const std::string& event) {
  std::string text;
  const std::vector<Field> fields = fields_of(event);
  EXPECT_EQ(fields.size(), 3U);
  EXPECT_EQ(fields[0].number, 1U);
  EXPECT_GT(std::bit_cast<double>(fields[0].value), 1.7e9) << "seconds since 1970";
  EXPECT_EQ(fields[1].number, 2U);
  text = std::to_string(fields[1].value);
  if (fields[2].number == 3) return text + " version " + fields[2].bytes;
  if (fields[2].number == 7) return text + " session " + std::to_string(fields_of(fields[2].bytes).at(0).value);
  EXPECT_EQ(fields[2].number, 5U);
  for (const Field& value : fields_of(fields[2].bytes)) {
    const std::vector<Field> scalar = fields_of(value.bytes);
    EXPECT_EQ(scalar.size(), 2U);
    if (scalar[1].number == 4) {
      const std::vector<Field> image = fields_of(scalar[1].bytes);
      EXPECT_EQ(image.size(), 4U);
      text += concat(" ", scalar[0].bytes, " ", image[0].value, "x", image[1].value, "x", image[2].value);
      EXPECT_TRUE(image[3].bytes.starts_with("\x89PNG")) << image[3].bytes.substr(0, 8);
      continue;
    }
    EXPECT_EQ(10 * scalar[0].number + scalar[1].number, 12U);
    char number[64];
    std::snprintf(number, sizeof number, " %.6g",
                  static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(scalar[1].value))));
    text += " " + scalar[0].bytes + number;
  }
  return text;
}

std::vector<std::string> events_of(const std::string& path) {
  std::vector<std::string> events;
  for (const std::string& record : records_of(read_file(path))) events.push_back(shown(record));
  return events;
}

// A folder's event files by name, which is the order that TensorBoard reads them in.
std::vector<std::string> event_files(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST(Events, Crc32cIsCastagnolis) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

TEST(Events, HoldsWhatIsWritten) {
  const TemporaryFolder folder;
  const RunFolder run(folder.path().string());
  {
    EventFile file(run, 299);
    file.write({.step = 300, .epoch = 1, .loss = 2.5, .lr = 1e-3, .gradient_norm = 0.25, .cross_entropy = 1.5});
    file.write({.step = 1L << 40, .loss = HUGE_VAL, .lr = 0, .gradient_norm = NAN, .cross_entropy = -1});
    file.write({.epoch = 1, .eval_loss = 0.5, .eval_top1 = 75.25, .eval_top5 = 100}, 301);
    file.write(zeros({2, 1, 3, 5}), {.mean = {0.5}, .std = {0.25}}, 302);
  }
  const std::vector<std::string> wanted{
      "0 version brain.Event:2",
      "300 session 1",
      "300 train/loss 2.5 train/lr 0.001 train/grad_norm 0.25 train/cross_entropy 1.5",
      "1099511627776 train/loss inf train/lr 0 train/grad_norm nan train/cross_entropy -1",
      "301 eval/loss 0.5 eval/top1 75.25 eval/top5 100",
      "302 train/image/0 3x5x1 train/image/1 3x5x1"};
  ASSERT_EQ(event_files(folder.path().string()).size(), 1U);
  EXPECT_EQ(events_of(event_files(folder.path().string())[0]), wanted);
  const EventFile another(run, 0);  // in the same second, of the same process
  EXPECT_EQ(event_files(folder.path().string()).size(), 2U);
}

TEST(Events, ARunThatGoesOnWritesAnother) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.tensorboard = true;
  train(recipe, folder / "run", 11);
  EXPECT_EQ(resume(folder / "run"), Trainer::Outcome::finished);
  const std::vector<std::string> files = event_files(folder / "run");
  ASSERT_EQ(files.size(), 2U);
  std::vector<std::string> all;
  for (const std::string& file : files)
    for (const std::string& event : events_of(file)) all.push_back(event);
  const std::string pictures =
      " train/image/0 16x16x3 train/image/1 16x16x3 train/image/2 16x16x3 train/image/3 16x16x3";
  EXPECT_EQ(std::erase(all, "8" + pictures), 1U);
  EXPECT_EQ(std::erase(all, "16" + pictures), 1U);
  ASSERT_EQ(all.size(), 2 * 2 + 16 + 2U);  // two beginnings, 16 updates, two epochs
  EXPECT_EQ(all[1], "1 session 1");
  EXPECT_TRUE(all[2].starts_with("1 train/loss ")) << all[2];
  EXPECT_TRUE(all[10].starts_with("8 eval/loss ")) << all[10];
  EXPECT_EQ(all[15], "12 session 1");
  EXPECT_TRUE(all[16].starts_with("12 train/loss ")) << all[16];
  EXPECT_TRUE(all[21].starts_with("16 eval/loss ")) << all[21];
  // The same numbers as the other logs, which do not change.
  recipe.tensorboard = false;
  train(recipe, folder / "without");
  EXPECT_TRUE(event_files(folder / "without").empty());
  for (const char* log : {"/summary.csv", "/metrics.jsonl"})
    EXPECT_EQ(read_file(folder / "run" + log), read_file(folder / "without" + log));
  const EpochRow last = read_summary(folder / "run/summary.csv").at(1);
  char wanted[80];
  std::snprintf(wanted, sizeof wanted, "16 eval/loss %.6g eval/top1 %.6g eval/top5 %.6g", last.eval_loss,
                last.eval_top1, last.eval_top5);
  EXPECT_EQ(all[21], wanted);
}

TEST(Events, AndMetricsComeAsOftenAsAsked) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.tensorboard = true, recipe.log_interval = 5;
  train(recipe, folder / "run", 7);
  resume(folder / "run");
  recipe.log_interval = 1;
  train(recipe, folder / "all");
  const std::string all = read_file(folder / "all/metrics.jsonl");
  std::string wanted;
  for (const char* step : {"5", "10", "15"}) {
    const std::size_t begin = all.find("{\"step\": " + std::string(step) + ",");
    wanted += all.substr(begin, all.find('\n', begin) + 1 - begin);
  }
  EXPECT_EQ(read_file(folder / "run/metrics.jsonl"), wanted);
  std::string steps;
  for (const std::string& file : event_files(folder / "run"))
    for (const std::string& event : events_of(file))
      if (event.find("train/loss") != std::string::npos) steps += event.substr(0, event.find(' ') + 1);
  EXPECT_EQ(steps, "5 10 15 ");
  EXPECT_EQ(read_file(folder / "run/summary.csv"), read_file(folder / "all/summary.csv"));
}

// TensorBoard reads files in the order of their names, and a clock may have been set back.
TEST(Events, ALaterFileHasALaterName) {
  const TemporaryFolder folder;
  write_file(folder / "events.out.tfevents.8999999999.other.2.0", "before");
  const RunFolder run(folder.path().string());
  const EventFile events(run, 5);
  const std::vector<std::string> files = event_files(folder.path().string());
  ASSERT_EQ(files.size(), 2U);
  EXPECT_NE(files[1].find("/events.out.tfevents.9000000000."), std::string::npos) << files[1];
}

TEST(Events, ANewRunWantsAFolderWithoutThem) {
  const TemporaryFolder folder;
  write_file(folder / "events.out.tfevents.1.other.2.3", "mine");
  EXPECT_ERROR(RunFolder(folder.path().string()).require_free(),
               "is no run's folder but holds events.out.tfevents.1.other.2.3, which TensorBoard would take for");
  EXPECT_EQ(read_file(folder / "events.out.tfevents.1.other.2.3"), "mine");
}

}  // namespace
}  // namespace lookhere
