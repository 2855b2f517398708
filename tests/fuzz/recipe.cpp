// The reader of config.toml on any text: refused in one line that names a line, or a recipe that to_toml writes and
// that reads back equal, also through JSON as a checkpoint keeps it.
#include "vit/train/recipe.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  Recipe read;
  if (!accepted([&] { update_from_toml_text(read, text_of(data, size), "config.toml"); })) return 0;
  Recipe again, from_json;
  update_from_toml_text(again, to_toml(read), "config.toml");
  update_from_json(from_json, to_json(read));
  require(to_json(again) == to_json(read), "another recipe after to_toml");
  require(to_json(from_json) == to_json(read), "another recipe after to_json");
  read.notes();
  return 0;
}
