// What commands make of arrays and of answers that are no numbers.
#include "tests/vit/data_files.h"
#include "tests/vit/mistakes.h"
#include "vit/model/preprocessing.h"

namespace lookhere {
namespace {

// Beside files(): models that know their constants, arrays of every type, arrays that are not finite.
const std::string& image_files() {
  static const std::string path = [] {
    const std::string folder = files() + "/images";
    std::filesystem::create_directory(folder);
    ViT model = tiny_model();
    const auto with_std = [&](const std::string& name, float std) {
      const Preprocessing p{.mean = {0.1F, 0.2F, 0.3F}, .std = {0.5F, 0.25F, std}};
      save_model(folder + "/" + name, model, {{"preprocessing", to_json(p)}});
    };
    with_std("model", 0.125F), with_std("wild", 1e-39F), with_std("negative", -1);
    const auto array = [&](const std::string& name, const std::string& type, const std::string& shape,
                           const std::string& bytes) {
      const std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
      write_file(folder + "/" + name, std::string("\x93NUMPY\1\0", 8) + byte(static_cast<int>(header.size())) +
                                          std::string(1, '\0') + header + bytes);
    };
    std::string pixels;
    for (int i = 0; i < 768; ++i) pixels += byte(i);
    array("bytes.npy", "|u1", "(1, 3, 16, 16)", pixels);
    array("i8.npy", "<i8", "(1, 3, 16, 16)", std::string(8 * 768, 0));
    array("i4.npy", "<i4", "(1, 3, 16, 16)", std::string(4 * 768, 0));
    array("u2.npy", "<u2", "(1, 3, 16, 16)", std::string(2 * 768, 0));
    for (const auto& [name, value] : {std::pair{"nan", std::nan("")}, {"inf", -HUGE_VAL}, {"1e39", 1e39}}) {
      Tensor t = zeros({1, 3, 16, 16}, Dtype::f64);
      t.host<double>()[17] = value;
      save_npy(folder + "/" + name + ".npy", t);
      if (std::isfinite(value)) continue;
      save_npy(folder + "/" + name + "32.npy", t.to(Dtype::f32));
    }
    save_npy(folder + "/huge.npy", full({1, 3, 16, 16}, 3e38));
    save_npy(folder + "/y.npy", labels({5}));
    return folder;
  }();
  return path;
}

// Each command that reads images from an array, with this model.
std::vector<Words> commands(const std::string& model, const std::string& images) {
  return {
      {"predict", "--model", model, images},
      {"forward", "--model", model, "--output", "%x.npy", "--images", images},
      {"gradients", "--model", model, "--output", "%x.safetensors", "--labels", "@images/y.npy", "--images", images}};
}
void expect_refusals(const std::string& model, const std::string& images, const std::string& part) {
  image_files();
  for (const Words& command : commands("@" + model, "@images/" + images)) expect_refusal({command, kInput, part});
}

TEST(CliImages, BytesAreNormalisedByTheModel) {
  const TemporaryFolder out;
  const std::string model = image_files() + "/model", bytes = image_files() + "/bytes.npy", floats = out / "x.npy";
  save_npy(floats, normalised(load_npy(bytes), {.mean = {0.1F, 0.2F, 0.3F}, .std = {0.5F, 0.25F, 0.125F}}));
  std::vector<std::string> answers;
  for (const std::string& images : {bytes, floats}) {
    const std::string logits = out / "logits.npy", gradients = out / "g.safetensors";
    Finished end = run_program({"forward", "--model", model, "--images", images, "--output", logits});
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(run_program({"gradients", "--model", model, "--images", images, "--labels", image_files() + "/y.npy",
                           "--output", gradients})
                  .code,
              0);
    end = run_program({"predict", "--model", model, images});
    EXPECT_EQ(end.code, 0) << end.err;
    answers.push_back(read_file(logits) + read_file(gradients) + end.out);
  }
  EXPECT_TRUE(answers[0] == answers[1]);
  expect_refusals("model.safetensors", "bytes.npy", "model.safetensors does not say how");
}

TEST(CliImages, OtherIntegersAreRefusedByName) {
  expect_refusals("images/model", "i8.npy", "i8.npy: images are float32, float64 or uint8, got <i8");
  expect_refusals("images/model", "i4.npy", "i4.npy: images are float32, float64 or uint8, got <i4");
  expect_refusals("images/model", "u2.npy", "u2.npy: element type: ");
}

TEST(CliImages, WhatIsNotFiniteIsRefusedByElement) {
  for (const char* name : {"nan.npy", "nan32.npy", "inf.npy", "inf32.npy", "1e39.npy"})
    expect_refusals("images/model", name, std::string(name) + ": the array as float32 is not finite at element 17");
}

TEST(CliImages, SoIsAnAnswerThatIsNoNumber) {
  expect_refusals("images/model", "huge.npy", "huge.npy: the model's answer");
  const std::string part = "the model's answer to image 0";
  for (const char* data : {"shapes", "@images/test"}) {
    std::filesystem::create_directory(image_files() + "/test");
    write_file(image_files() + "/test/test-images", idx_header({1, 3, 16, 16}) + std::string(768, '\xff'));
    write_file(image_files() + "/test/test-labels", idx_header({1}) + byte(0));
    for (const Words& flags : {Words{}, Words{"--json"}})
      expect_refusal(
          {Words{"eval", "--model", "@images/wild", "--data", data} + flags, kInput, part + " is not finite"});
    expect_refusal({{"gallery", "--model", "@images/wild", "--output", "%g.svg", "--data", data}, kInput, part});
    expect_refusal({{"predict", "--model", "@images/wild", std::string(data) + ":0"}, kInput, "the model's answer"});
  }
  expect_refusals("images/wild", "bytes.npy", "bytes.npy: the ");
}

TEST(CliImages, ConstantsOutOfRangeAreRefusedByFileAndField) {
  image_files();
  const std::string part = "images/negative: 'preprocessing' in the metadata: 'std' must be above 0, got -1";
  for (const Words& command : {Words{"info", "@images/negative"},
                               {"eval", "--data", "shapes", "--model", "@images/negative"},
                               {"predict", "shapes:0", "--model", "@images/negative"},
                               {"predict", "@images/bytes.npy", "--model", "@images/negative"},
                               {"gallery", "--output", "%g.svg", "--data", "shapes", "--model", "@images/negative"}})
    expect_refusal({command, kInput, part});
}

TEST(CliImages, AModelWithoutConstantsSaysWhatItTakes) {
  const std::string model = files() + "/model.safetensors";
  for (const Words& command : {Words{"eval", "--data", "shapes"}, {"predict", "shapes:1"}}) {
    const Finished end = run_program(command + Words{"--model", model});
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_NE(end.err.find("warning: " + model +
                           " does not say how images are normalised: taking mean 0.398, 0.398, "
                           "0.398 and std 0.152, 0.152, 0.152, as published for shapes\n"),
              std::string::npos)
        << end.err;
  }
  const Finished known = run_program({"predict", "--model", image_files() + "/model", "shapes:1"});
  EXPECT_EQ(known.err, "");
}

}  // namespace
}  // namespace lookhere
