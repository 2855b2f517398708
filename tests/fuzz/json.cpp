// The JSON in a model file's metadata, read as the program reads it; the first byte says which.
#include "tests/fuzz/fuzz.h"
#include "vit/train/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lookhere;
  if (size == 0) return 0;
  const std::string text(text_of(data + 1, size - 1));
  // The last two are read from a file, which holds any UTF-8.
  const auto file_with = [&](const char* key) {
    save_safetensors(scratch(), {}, {{key, text}});
    return Safetensors(scratch());
  };
  switch (data[0] % 4) {
    case 0: {
      ViTConfig config;
      if (!accepted([&] { config = config_from_json(text); })) break;
      require(to_json(config_from_json(to_json(config))) == to_json(config), "another config after to_json");
      break;
    }
    case 1: {
      Recipe read, again;
      if (!accepted([&] { update_from_json(read, text); })) break;
      update_from_json(again, to_json(read));
      require(to_json(again) == to_json(read), "another recipe after to_json");
      break;
    }
    case 2:
      accepted([&] { training_state_of(file_with("progress")); });
      break;
    case 3:
      accepted([&] {
        const std::vector<std::string> names = class_names_of(file_with("class_names"), 3);
        require(names.size() == 3 && !class_names_metadata(names).empty(), "three names");
      });
      break;
  }
  return 0;
}
