// JSON from strangers: bounded in bytes and depth wherever the program reads it; JSON for files: whatever a name holds.
#include "vit/model/json.h"

#include "tests/vit/tiny_run.h"

namespace lookhere {
namespace {

std::string nested(long levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(Json, RefusesWhatIsLongOrDeep) {
  EXPECT_EQ(parse_json(nested(kDeepestJson), "x").dump(), nested(kDeepestJson));
  const std::string deep = concat("x: wanted JSON of at most ", kDeepestJson, " levels, got more");
  EXPECT_ERROR(parse_json(nested(kDeepestJson + 1), "x"), deep);
  EXPECT_ERROR(parse_json(std::string(1 << 20, '['), "x"), deep);
  EXPECT_ERROR(parse_json(std::string((1 << 20) + 1, ' '), "x"),
               "x: wanted JSON of at most 1048576 bytes, got 1048577");
  EXPECT_EQ(parse_json("[1]   ", "x", 6).size(), 1U);
  EXPECT_ERROR(parse_json("[1]   ", "x", 5), "at most 5 bytes, got 6");
  for (const std::string& text : {std::string(""), std::string("{} {}"), std::string("{}\0{}", 5),
                                  std::string("{}\0", 3), std::string("\"\xff\""), std::string("[1e999]")}) {
    EXPECT_TRUE(parse_json(text, "x").is_discarded()) << text;
    EXPECT_ERROR(parse_object(text, "x"), "x: wanted a JSON object, got no valid JSON");
  }
  EXPECT_ERROR(parse_object("[]", "x"), "x: wanted a JSON object, got array");
}

// All that a model file's metadata holds is read through the same bounds.
TEST(Json, MetadataIsBounded) {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  const auto file = [&](const char* key, const std::string& text) {
    save_safetensors(path, {}, {{key, text}});
    return Safetensors(path);
  };
  for (const auto& [text, part] : {std::pair{std::string(1 << 20, '['), "levels, got more"},
                                   {std::string((16 << 20) + 1, ' '), "bytes, got 16777217"}}) {
    EXPECT_ERROR(config_of(file("config", text)), path + ": config: wanted JSON of at most ");
    EXPECT_ERROR(recipe_of(file("recipe", text)), "recipe: wanted JSON of at most ");
    EXPECT_ERROR(training_state_of(file("progress", text)), path + ": 'progress' in the metadata: ");
    EXPECT_ERROR(class_names_of(file("class_names", text), 1), path + ": class_names: wanted JSON of at most ");
    EXPECT_ERROR(training_state_of(file("progress", text)), part);
  }
  // A thousand long names are no attack.
  const std::vector<std::string> names(1000, std::string(5000, 'x'));
  const Metadata metadata = class_names_metadata(names);
  EXPECT_EQ(class_names_of(file("class_names", metadata.at("class_names")), 1000), names);
}

TEST(Json, WritesWhateverAFileIsCalled) {
  EXPECT_EQ(to_text(nlohmann::json("a\xff")), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(to_text(nlohmann::json({1, 2}), 1), "[\n 1,\n 2\n]");
}

TEST(Json, RangesAreExact) {
  EXPECT_ERROR(number_in(1.0 + 0x1p-52, "mlp_ratio", 0, 1), "must be in [0, 1], got 1.0000000000000002");
  EXPECT_ERROR(integer_in(nlohmann::json(18446744073709551615U), "dim", 1, 9000000000000000),
               "must be in [1, 9000000000000000], got 18446744073709551615");
  EXPECT_ERROR(integer_in(9000000000000001, "dim", 1, 9000000000000000), "got 9000000000000001");
}

}  // namespace
}  // namespace lookhere
