// Mistakes on the command line and how they must end. Good files and bad ones to make them with.
#pragma once
#include <sys/stat.h>

#include <sstream>

#include "tensor/npy.h"
#include "tests/program.h"
#include "tests/vit/tiny_run.h"

namespace lookhere {
inline constexpr int kInput = 2, kMemory = 3, kIo = 5;

inline ViT tiny_model() {
  ViTConfig c;
  c.height = c.width = 16, c.patch = 4, c.channels = 3, c.classes = 8, c.dim = 24, c.depth = 2, c.heads = 3;
  c.position = position_preset("lh90");
  return ViT(c);
}

inline Tensor labels(const std::vector<i64>& values) {
  Tensor t = empty({static_cast<long>(values.size())}, Dtype::i64);
  std::ranges::copy(values, t.host<i64>());
  return t;
}

// Good files and bad ones, made once.
inline const std::string& files() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    ViT model = tiny_model();
    const std::string good = folder / "model.safetensors";
    save_model(good, model);
    save_safetensors(folder / "plain", weights_of(model),
                     metadata_of(model));  // without hashes, which would be found first
    const std::string bytes = read_file(folder / "plain");
    const auto changed = [&](const std::string& from, const std::string& to) {
      std::string text = bytes;
      return text.replace(text.find(from), from.size(), to);
    };
    write_file(folder / "empty", "");
    write_file(folder / "text", "This is a picture of a model.\n");
    write_file(folder / "cut.safetensors", bytes.substr(0, bytes.size() / 2));
    write_file(folder / "long.safetensors", bytes + "more");
    write_file(folder / "header.safetensors", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + bytes.substr(8));
    write_file(folder / "shape.safetensors", changed("[24,3,4,4]", "[24,3,4,9]"));
    write_file(folder / "config.safetensors", changed("\\\"dim\\\":24", "\\\"dim\\\":99"));
    ViT nan = tiny_model();
    for (Parameter& p : parameters_of(nan)) p.var.value().host<float>()[0] = NAN;
    save_model(folder / "nan.safetensors", nan);
    save_safetensors(folder / "other.safetensors", {{"weight", random({2, 2}, 1, Dtype::f32)}});
    mkfifo((folder / "pipe").c_str(), 0600);
    std::filesystem::create_directory(folder / "folder");

    save_npy(folder / "x.npy", random({2, 3, 16, 16}, 1, Dtype::f32));
    save_npy(folder / "grey.npy", random({2, 1, 16, 16}, 1, Dtype::f32));
    save_npy(folder / "odd.npy", random({2, 3, 15, 16}, 1, Dtype::f32));
    save_npy(folder / "flat.npy", random({2, 768}, 1, Dtype::f32));
    save_npy(folder / "one.npy", random({3, 16, 16}, 1, Dtype::f32));
    save_npy(folder / "y.npy", labels({0, 7}));
    save_npy(folder / "y3.npy", labels({0, 7, 1}));
    save_npy(folder / "y-high.npy", labels({0, 8}));
    save_npy(folder / "y-low.npy", labels({-1, 0}));
    const std::string array = read_file(folder / "x.npy");
    write_file(folder / "cut.npy", array.substr(0, array.size() - 5));
    write_file(folder / "lie.npy", std::string(array).replace(array.find("(2, 3,"), 6, "(9, 3,"));

    write_idx_folder(folder / "idx", 6);
    write_idx_folder(folder / "idx-cut", 6);
    for (const std::string& images :
         {folder / "idx-cut/train-images-idx3-ubyte", folder / "idx-cut/t10k-images-idx3-ubyte"})
      write_file(images, read_file(images).substr(0, 100));
    write_idx_folder(folder / "idx-labels", 6);
    write_file(folder / "idx-labels/train-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\1\1", 10));
    for (const char* name : {"cifar-cut", "cifar-label"}) std::filesystem::create_directory(folder / name);
    write_file(folder / "cifar-cut/data_batch_1.bin", std::string(3000, '\1'));
    write_file(folder / "cifar-label/data_batch_1.bin", std::string(3073, '\xc8'));
    for (const char* name : {"cifar-cut", "cifar-label"})
      for (const char* batch : {"2", "3", "4", "5"})
        write_file(folder / name + "/data_batch_" + batch + ".bin", std::string(3073, '\1'));

    train(tiny_recipe(), folder / "run", 1);
    write_file(folder / "unknown.toml", "dim = 24\nwidht = 3\n");
    write_file(folder / "garbage.toml", std::string("\0\1[[[\xff\n= =", 10));
    return folder.path().string();
  }();
  return path;
}

// "@name" is one of files(), "%name" a path in a fresh folder for output.
struct Mistake {
  Words arguments;
  int code;
  std::string part;  // of the message
};

// It ends in one line that begins with "lookhere: ", with nothing on stdout, no file left behind, and not in a signal.
inline void expect_refusal(const Mistake& mistake, const Surroundings& surroundings = {}) {
  const TemporaryFolder out;
  Words arguments = mistake.arguments;
  std::string command = "lookhere";
  for (std::string& word : arguments) {
    for (const auto& [letter, path] : {std::pair{'@', files()}, {'%', out.path().string()}})
      if (const std::size_t at = word.find(letter); at != std::string::npos) word.replace(at, 1, path + "/");
    command += " " + word;
  }
  SCOPED_TRACE(command);
  const Finished end = run_program(arguments, surroundings);
  EXPECT_EQ(end.signal, 0);
  EXPECT_EQ(end.code, mistake.code) << end.err;
  EXPECT_EQ(end.out, "");
  std::istringstream err(end.err);
  std::vector<std::string> said;
  for (std::string line; std::getline(err, line);)
    if (!line.starts_with("lookhere 0.") && !line.starts_with("warning: ") &&
        line.find("WARNING: AddressSanitizer failed to allocate") == std::string::npos)
      said.push_back(line);
  ASSERT_EQ(said.size(), 1U) << end.err;
  EXPECT_TRUE(said[0].starts_with("lookhere: ")) << said[0];
  EXPECT_NE(said[0].find(mistake.part), std::string::npos) << said[0] << "\nwanted: " << mistake.part;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out.path()))
    EXPECT_FALSE(entry.is_regular_file()) << "left behind: " << entry.path();
}

}  // namespace lookhere
