// From training to pictures, as a user would go: results on stdout, everything else on stderr.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "kernels/gemm/gemm.h"
#include "tensor/npy.h"
#include "tests/program.h"
#include "tests/vit/show_pictures.h"
#include "tests/vit/tiny_run.h"
#include "vit/model/weights.h"

namespace lookhere {
namespace {

// A run made once, of a model that eval, predict and the rest then use.
class CliCommands : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write_idx_folder(file("data"), 96);
    trained_ = run_program(training("run"));
  }
  static void TearDownTestSuite() { delete folder_; }

  static std::string file(const std::string& name) { return *folder_ / name; }
  static std::string model() { return file("run/best.safetensors"); }
  static Words training(const std::string& name) {
    Words words = tiny_training(file(name));
    words[2] = file("data");
    return words + Words{"--model-ema-decay", "0.9"};
  }
  // What a successful run prints.
  static std::string output_of(const Words& arguments) {
    const Finished end = run_program(arguments);
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.err.find("lookhere: "), std::string::npos) << end.err;
    return end.out;
  }
  // For commands that have nothing to say beside their result.
  static std::string quiet_output_of(const Words& arguments) {
    const Finished end = run_program(arguments);
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(end.err, "");
    return end.out;
  }

  static inline TemporaryFolder* folder_ = nullptr;
  static inline Finished trained_;
};

TEST_F(CliCommands, Train) {
  ASSERT_EQ(trained_.code, 0) << trained_.err;
  const EpochRow best = std::ranges::max(read_summary(file("run/summary.csv")), {}, &EpochRow::eval_top1);
  char top1[32];
  std::snprintf(top1, sizeof top1, "top1 %.2f\n", best.eval_top1);
  EXPECT_EQ(trained_.out, top1 + ("best " + model() + "\ncurve " + file("run/curve.svg") + "\n"));
  for (const char* part : {"lookhere 0.", "96 training and 96 test images", "epoch   1  train loss", "best top-1"})
    EXPECT_NE(trained_.err.find(part), std::string::npos) << part << " in:\n" << trained_.err;
  const std::string curve = read_file(file("run/curve.svg"));
  EXPECT_EQ(xml_error(curve), "");
  EXPECT_THAT(texts_outside(curve), testing::IsEmpty());
  for (const char* part : {">training batches, before their update<", ">test images, after the epoch<"})
    EXPECT_EQ(count(curve, part), 1) << part;
  const std::string metrics = read_file(file("run/metrics.jsonl"));
  std::istringstream in(metrics);
  long step = 0;
  for (std::string line; std::getline(in, line);) EXPECT_EQ(nlohmann::json::parse(line)["step"], ++step);
  EXPECT_EQ(step, 6);
}

TEST_F(CliCommands, TrainTwiceGivesTheSameBytes) {
  ASSERT_EQ(run_program(training("again")).code, 0);
  expect_same_run(file("run"), file("again"));
  EXPECT_EQ(read_file(file("run/curve.svg")), read_file(file("again/curve.svg")));
  ASSERT_EQ(run_program(training("other") + Words{"--seed", "1"}).code, 0);
  EXPECT_NE(read_file(file("run/metrics.jsonl")), read_file(file("other/metrics.jsonl")));
}

TEST_F(CliCommands, TrainStopsAndSaysHowToGoOn) {
  const Finished end = run_program(training("stopped") + Words{"--max-steps", "2"});
  EXPECT_EQ(end.code, 0);
  EXPECT_EQ(end.out, "");
  EXPECT_NE(end.err.find("stopped after step 2 of 6"), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("saved; go on with: lookhere train --resume " + file("stopped") + "\n"), std::string::npos);
  EXPECT_EQ(run_program({"train", "--resume", file("stopped/last.safetensors")}).code, 0);
  expect_same_run(file("run"), file("stopped"));
}

TEST_F(CliCommands, Eval) {
  const Words command{"eval", "--model", model(), "--data", file("data")};
  const nlohmann::json json = nlohmann::json::parse(output_of(command + Words{"--json"}));
  const EpochRow best = std::ranges::max(read_summary(file("run/summary.csv")), {}, &EpochRow::eval_top1);
  EXPECT_EQ(json["model"], model());
  EXPECT_EQ(json["data"], file("data"));
  EXPECT_EQ(json["img_size"], nlohmann::json({16, 16}));
  EXPECT_EQ(json["images"], 96);
  EXPECT_NEAR(json["top1"].get<double>(), best.eval_top1, 1e-3);
  EXPECT_NEAR(json["loss"].get<double>(), best.eval_loss, 1e-4);
  EXPECT_EQ(json["top5"], 100) << "there are only four classes";

  const std::string table = output_of(command);
  EXPECT_TRUE(table.starts_with("images 96\nsize   16x16\nloss   ")) << table;
  EXPECT_NE(table.find(" %\ntop-5  100.00 %\nECE    "), std::string::npos) << table;
  EXPECT_TRUE(table.ends_with(" % (softmax, 15 bins)\n")) << table;
  EXPECT_TRUE(output_of(command + Words{"--img-size", "24"}).starts_with("images 96\nsize   24x24\n"));
  EXPECT_EQ(output_of(command + Words{"-b", "7", "-j", "3"}), table) << "how it is computed does not matter";

  const Words last{"eval", "--model", file("run/last.safetensors"), "--data", file("data")};
  EXPECT_NE(output_of(last), output_of(last + Words{"--use-ema"}));
}

TEST_F(CliCommands, EvalAttacksAndDraws) {
  const Words command{"eval", "--model", model(), "--data", file("data"), "--attack", "fgsm", "--epsilon", "0,8"};
  const nlohmann::json json = nlohmann::json::parse(output_of(command + Words{"--json"}));
  EXPECT_EQ(json["attacks"].size(), 2U);
  EXPECT_EQ(json["attacks"][0]["epsilon"], 0);
  EXPECT_EQ(json["attacks"][0]["top1"], json["top1"]);
  EXPECT_EQ(json["attacks"][1]["attack"], "fgsm");
  EXPECT_GT(json["attacks"][1]["loss"].get<double>(), json["loss"].get<double>());
  EXPECT_EQ(json["confidence"], "softmax");
  EXPECT_GE(json["ece"].get<double>(), 0);
  EXPECT_LE(json["ece"].get<double>(), 100);

  const std::string svg = file("reliability.svg");
  const Words pgd{"eval",      "--model", model(),          "--data", file("data"), "--attack",      "pgd",
                  "--epsilon", "8",       "--attack-steps", "2",      "--bce-loss", "--reliability", svg};
  const std::string table = output_of(pgd);
  EXPECT_NE(table.find(" % (sigmoid, 15 bins)\npgd    8/255: top-1 "), std::string::npos) << table;
  EXPECT_TRUE(table.ends_with("\n" + svg + "\n")) << table;
  EXPECT_NE(read_file(svg).find("of 96 images"), std::string::npos);
  EXPECT_EQ(output_of(pgd + Words{"-b", "7"}), table) << "how it is computed does not matter";
}

TEST_F(CliCommands, Predict) {
  const Words command{"predict", "--model", model()};
  const std::string bars = quiet_output_of(command + Words{file("data") + ":5"});
  EXPECT_EQ(std::ranges::count(bars, '\n'), 5) << bars;  // four classes, and the answer
  EXPECT_NE(bars.find(" %"), std::string::npos) << bars;
  EXPECT_TRUE(bars.ends_with("\nit is: 1\n")) << bars;  // image 5 of classes 0 1 2 3 0 1 ...
  EXPECT_EQ(std::ranges::count(quiet_output_of(command + Words{file("data") + ":5", "--top-k", "2"}), '\n'), 3);

  save_npy(file("one.npy"), random({1, 16, 16}, 4, Dtype::f32));
  const std::string unknown = quiet_output_of(command + Words{file("one.npy")});
  EXPECT_EQ(std::ranges::count(unknown, '\n'), 4) << unknown;
  EXPECT_EQ(unknown.find("it is"), std::string::npos);
}

TEST_F(CliCommands, Pictures) {
  const std::string gallery = file("gallery.svg"), masks = file("masks.svg");
  EXPECT_EQ(
      quiet_output_of({"gallery", "--model", model(), "--data", file("data"), "--count", "6", "--output", gallery}),
      gallery + "\n");
  EXPECT_EQ(xml_error(read_file(gallery)), "");
  const std::vector<Words> commands{{"--model", model(), "--layer", "all"},
                                    {"--position", "lh45", "--grid", "7x9", "--query", "0,8"},
                                    {"--directions", "halves-none", "--heads", "6", "--depth", "2"}};
  for (const Words& options : commands) {
    std::filesystem::remove(masks);
    EXPECT_EQ(quiet_output_of(Words{"masks", "--output", masks} + options), masks + "\n");
    EXPECT_EQ(xml_error(read_file(masks)), "") << options[1];
  }
}

TEST_F(CliCommands, Forward) {
  save_npy(file("x.npy"), random({35, 1, 16, 16}, 1, Dtype::f32));  // more than one chunk
  save_npy(file("wide.npy"), random({2, 1, 8, 32}, 2, Dtype::f32));
  const auto forward = [&](const std::string& images, const std::string& output) {
    const std::string path = file(output);
    EXPECT_EQ(quiet_output_of({"forward", "--model", model(), "--images", file(images), "--output", path}), "");
    return load_npy(path);
  };
  const Tensor logits = forward("x.npy", "logits.npy");
  EXPECT_EQ(logits.shape(), (Shape{35, 4}));
  forward("x.npy", "again.npy");
  EXPECT_EQ(read_file(file("logits.npy")), read_file(file("again.npy")));
  EXPECT_EQ(forward("wide.npy", "other.npy").shape(), (Shape{2, 4}));
  ViT vit = load_model(model());
  const Tensor want = vit(Var(load_npy(file("x.npy")))).value();
  EXPECT_LE(max_relative_error(logits, want, 1), 1e-5);
}

TEST_F(CliCommands, Gradients) {
  Tensor labels = empty({35}, Dtype::i64);
  for (long i = 0; i < 35; ++i) labels.host<i64>()[i] = i % 4;
  save_npy(file("x.npy"), random({35, 1, 16, 16}, 1, Dtype::f32));
  save_npy(file("y.npy"), labels);
  EXPECT_EQ(quiet_output_of({"gradients", "--model", model(), "--images", file("x.npy"), "--labels", file("y.npy"),
                             "--output", file("g.safetensors")}),
            "");
  const Safetensors gradients(file("g.safetensors"));
  ViT vit = load_model(model());
  const Var loss = softmax_cross_entropy(vit(Var(load_npy(file("x.npy")))), labels);
  loss.backward();
  EXPECT_NEAR(std::stod(gradients.metadata().at("loss")), loss.value().item(), 1e-5);
  std::size_t count = 0;
  for (const Parameter& p : parameters_of(vit)) {
    ASSERT_TRUE(gradients.contains(p.name)) << p.name;
    EXPECT_LE(max_relative_error(gradients.read(p.name), p.var.grad(), 0.1), 1e-4) << p.name;
    ++count;
  }
  EXPECT_EQ(gradients.entries().size(), count);
}

TEST_F(CliCommands, Info) {
  const std::string machine = quiet_output_of({"info"});
  EXPECT_TRUE(machine.starts_with("lookhere  0.")) << machine;
  EXPECT_NE(machine.find("\ncpu       "), std::string::npos);
  const std::string product = kernels::name_of(kernels::gemm_backend());
  EXPECT_NE(machine.find(", products " + product + ", "), std::string::npos) << machine;
  const std::string about = quiet_output_of({"info", file("run/last.safetensors")});
  for (const char* part :
       {"metadata  config = {", "metadata  progress = {", "metadata  recipe = {", "heads     ", "  layer  0 ",
        "  layer  1 ", "model     16x16 px, ", "2 blocks of 24 features and 3 heads, 4 classes",
        "tensor    blocks.1.attn.qkv.weight ", " F32 ", "[72, 24]", "optimizer.exp_avg.norm.weight", "ema.cls_token"})
    EXPECT_NE(about.find(part), std::string::npos) << part << " in:\n" << about;
}

TEST_F(CliCommands, ExportAndBack) {
  const std::string exported = file("timm.safetensors"), back = file("back.safetensors");
  ASSERT_EQ(run_program({"import", "tests/golden/timm.pth", "--heads", "2", "--norm-eps", "1e-6", "--activation",
                         "gelu", "--pool", "cls", "--output", file("imported.safetensors")})
                .code,
            0);
  const std::string out =
      output_of({"export", "--model", file("imported.safetensors"), "--no-embed-class", "--output", exported});
  EXPECT_NE(out.find("model = timm.models.VisionTransformer(img_size=(8, 8), patch_size=4, in_chans=1, num_classes=3, "
                     "embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.5, "
                     "norm_layer=partial(timm.layers.LayerNorm, eps=1e-06), reg_tokens=1, no_embed_class=True, "
                     "init_values=1e-4, qkv_bias=False, qk_norm=True, pre_norm=True)\n"),
            std::string::npos)
      << out;
  EXPECT_EQ(run_program({"import", exported, "--output", back}).code, 0);
  EXPECT_EQ(read_file(back), read_file(file("imported.safetensors")));
}

TEST_F(CliCommands, Import) {
  const Words words{"import",   "tests/golden/timm.pth", "--heads",    "2",      "--norm-eps",
                    "1e-6",     "--activation",          "quick_gelu", "--pool", "cls",
                    "--output", file("timm.safetensors")};
  const Finished end = run_program(words);
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(end.out, "file      tests/golden/timm.pth (PyTorch, its key state_dict)\nmodel     " +
                         file("timm.safetensors") +
                         ": 775 parameters, 8x8 px, 1 blocks of 8 features and 2 heads, 3 classes\n");
  EXPECT_NE(end.err.find("nobody says how images were normalised"), std::string::npos) << end.err;
  EXPECT_EQ(output_of(words + Words{"--mean", "0.5", "--std", "0.25", "--crop-pct", "0.9"}).find("images    {\"mean\""),
            end.out.size());
  EXPECT_NE(output_of({"info", file("timm.safetensors")}).find("normalised with mean 0.5 and std 0.25"),
            std::string::npos);
}

TEST_F(CliCommands, HelpHasExamples) {
  for (const char* name : {"train", "eval", "predict", "gallery", "forward", "gradients", "masks", "bench", "info",
                           "verify-data", "augment", "import", "export"}) {
    const std::string help = quiet_output_of({name, "--help"});
    EXPECT_NE(help.find("Examples:\n  lookhere " + std::string(name)), std::string::npos) << help;
    EXPECT_NE(quiet_output_of({"--help"}).find("\n  " + std::string(name) + " "), std::string::npos);
  }
  EXPECT_NE(quiet_output_of({"--help"}).find("Exit codes: 0 done, 2 wrong input"), std::string::npos);
  EXPECT_TRUE(quiet_output_of({"--version"}).starts_with("lookhere 0."));
  // An option for every field of the recipe.
  const std::string help = quiet_output_of({"train", "--help"});
  const auto at = [](const std::string& page, const std::string& text) { return page.find(text); };
  Recipe().visit([&](const RecipeOption& option, const auto&) {
    EXPECT_NE(at(help, std::string("--") + option.name), std::string::npos) << option.name;
    EXPECT_GT(std::strlen(option.help), 5U) << option.name;
  });
  // Each under its heading; an encoding's options come with the group, whatever encodings there are.
  EXPECT_LT(at(help, "\nModel:\n"), at(help, "--depth"));
  EXPECT_LT(at(help, "--depth"), at(help, "\nPosition:\n"));
  EXPECT_LT(at(help, "\nTraining:\n"), at(help, "--weight-decay"));
  for (const char* command : {"train", "masks", "bench"}) {
    const std::string page = quiet_output_of({command, "--help"});
    PositionOptions().visit([&](const PositionOption& option, const PositionValue&) {
      EXPECT_NE(at(page, std::string("--") + option.name), std::string::npos) << command << " " << option.name;
    });
  }
}

}  // namespace
}  // namespace lookhere
