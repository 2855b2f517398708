// Mistakes: what the command line refuses, what cannot be written, and what does not fit into memory.
#include "tests/vit/mistakes.h"
#include "tests/vit/small_memory.h"

namespace lookhere {
namespace {

TEST(CliErrors, CommandLine) {
  const std::vector<Mistake> mistakes{
      {{}, kInput, "lookhere: wanted a command (see lookhere --help)"},
      {{"trian"}, kInput, "there is no command \"trian\" (see lookhere --help)"},
      {{""}, kInput, "lookhere: wanted a command (see lookhere --help)"},
      {{"--fast"}, kInput, "there is no option \"--fast\""},
      {{"train", "--fast"}, kInput, "lookhere: there is no option \"--fast\" (see lookhere train --help)"},
      {{"train", "--epoch", "3"}, kInput, "there is no option \"--epoch\": did you mean --epochs? (see lookhere train"},
      {{"train", "--epoch=3"}, kInput, "there is no option \"--epoch\": did you mean --epochs?"},
      {{"train", "--img", "3"}, kInput, "there is no option \"--img\": did you mean --img-size?"},
      {{"train", "-x"}, kInput, "there is no option \"-x\" (see"},
      {{"train", "more"}, kInput, "lookhere: nothing more was wanted, got \"more\" (see lookhere train --help)"},
      {{"train", "--dim"}, kInput, "lookhere: --dim: wanted a value, got none (see lookhere train --help)"},
      {{"train", "--scale"}, kInput, "lookhere: --scale: wanted a value, got none (see"},
      {{"train", "--dim", "wide"}, kInput, "--dim: wanted a whole number, got \"wide\" (see lookhere train --help)"},
      {{"train", "--dim", "1.5"}, kInput, "--dim: wanted a whole number, got \"1.5\""},
      {{"train", "--dim", "99999999999999999999"},
       kInput,
       "--dim: wanted a whole number below 2^63, got \"99999999999999999999\""},
      {{"eval", "--model", "m", "-b-99999999999999999999"}, kInput, "--batch-size: wanted a whole number below 2^63"},
      {{"eval", "--model", "m", "--attack", "cw"}, kInput, "--attack: wanted fgsm or pgd, got \"cw\""},
      {{"eval", "--model", "m", "--epsilon", "1,256"}, kInput, "--epsilon: wanted 0 to 255, got 256"},
      {{"eval", "--model", "m", "--epsilon", "1,x"}, kInput, "--epsilon: wanted a number, got \"x\""},
      {{"eval", "--model", "m", "--attack-steps", "0"}, kInput, "--attack-steps: wanted 1 to"},
      {{"eval", "--model", "m", "--glyphs-zoom", "0.5"}, kInput, "--glyphs-zoom: wanted 0 < LOW <= HIGH"},
      {{"train", "--dim", "9223372036854775807"}, kInput, "--dim: wanted 0 to 65536, got 9223372036854775807"},
      {{"train", "--seed", "9000000000000001"}, kInput, "--seed: wanted 0 to 9000000000000000, got 9000000000000001"},
      {{"train", "--dim", "0x1000000"}, kInput, "--dim: wanted 0 to 65536, got 16777216"},
      {{"train", "--dim", ""}, kInput, "--dim: wanted a whole number, got \"\""},
      {{"train", "--dim="}, kInput, "--dim: wanted a value, got none"},
      {{"train", "--lr", ""}, kInput, "--lr: wanted a number, got \"\""},
      {{"train", "--layer-slopes", "1", ""}, kInput, "--layer-slopes: wanted a number, got \"\""},
      {{"train", "--lr", "1e999"}, kInput, "--lr: wanted 0 to 1000, got inf"},
      {{"train", "--lr", "inf"}, kInput, "--lr: wanted 0 to 1000, got inf"},
      {{"train", "--lr", "-nan"}, kInput, "--lr: wanted 0 to 1000, got "},
      {{"train", "--no-bce-loss=-9223372036854775808"}, kInput, "--no-bce-loss: wanted true or false, got"},
      {{"train", "--bce-loss=99999999999999999999999", "--dim", "x"},
       kInput,
       "--dim: wanted a whole number, got \"x\""},
      {{"train", "--directions", std::string(50000, '[') + std::string(50000, ']')},
       kInput,
       "wanted a list without lists"},
      {{"train", "--data", "photos\xff"}, kInput, "--data: wanted UTF-8 text, got \"photos?\""},
      {{"train", "--dim", "\x1b[31m\xff\xc2\x9b"}, kInput, "--dim: wanted a whole number, got \"?[31m??\" (see"},
      {{"tr\xff\nain"}, kInput, "there is no command \"tr??ain\""},
      {{"train", "--dim", std::string(100000, 'x')}, kInput, "...\" (see lookhere train --help)"},
      {{"train", "--lr", "1e-3x"}, kInput, "--lr: wanted a number, got \"1e-3x\""},
      {{"train", "--bce-loss=maybe"}, kInput, "--bce-loss: wanted true or false, got \"maybe\""},
      {{"eval"}, kInput, "--model is required (see lookhere eval --help)"},
      {{"predict", "--model", "@model.safetensors"}, kInput, "pictures is required"},
      {{"forward", "--model", "@model.safetensors"}, kInput, "is required"},
      {{"gradients", "--model", "@model.safetensors", "--images", "@x.npy"}, kInput, "is required"},
      {{"info", "@model.safetensors", "@model.safetensors"}, kInput, "nothing more was wanted, got \""},
      {{"info", "two\nlines"}, kIo, "cannot open two?lines"},
      {{"import", "@text"}, kInput, "--output is required"},
      {{"export", "--model", "@model.safetensors"}, kInput, "--output is required"},
      {{"export", "--model", "@model.safetensors", "--output", "%m"},
       kInput,
       "export: timm's Vision Transformers have no"},
      {{"import", "@text", "--output", "%m"}, kInput, "text: neither safetensors nor a file of torch.save"},
      {{"import", "@none.pth", "--output", "%m"}, kIo, "none.pth: No such file or directory"},
      {{"import", "@other.safetensors", "--output", "%m"}, kInput, "this is no plain Vision Transformer"},
      {{"import", "@model.safetensors", "--interpolation", "box", "--output", "%m"}, kInput, "got box"},
      {{"import", "@model.safetensors", "--heads", "3", "--output", "%m"},
       kInput,
       "or --norm-eps, --activation, --pool"},
      {{"forward", "--model", "tests/golden/timm.pth", "--images", "@x.npy", "--output", "%m"},
       kInput,
       "not a safetensors file but a zip archive, as PyTorch's checkpoints are: `lookhere import` reads those"},
  };
  for (const Mistake& mistake : mistakes) expect_refusal(mistake);
}

TEST(CliErrors, Train) {
  const Words tiny = tiny_training("%run");
  const Words shapes{"train", "--data", "shapes", "--shapes-train", "8",   "--shapes-test",
                     "8",     "-b",     "4",      "--output",       "%run"};
  const std::vector<Mistake> mistakes{
      {{"train", "--data", "@none", "--output", "%run"},
       kIo,
       "none\": wanted fashion, shapes, glyphs, cifar10, cifar100, a folder or FILE.tar"},
      {{"train", "--data", "fashoin", "--output", "%run"}, kIo, "data: no such folder or set, \"fashoin\": wanted"},
      {{"train", "--data", "@folder", "--output", "%run"}, kInput, "found none"},
      {{"train", "--data", "@idx-cut", "--output", "%run"}, kInput, "train-images-idx3-ubyte"},
      {{"train", "--data", "@idx-labels", "--output", "%run"}, kInput, "idx-labels"},
      {{"train", "--data", "@cifar-cut", "--output", "%run"}, kInput, "data_batch_1.bin"},
      {{"train", "--data", "@cifar-label", "--output", "%run"}, kInput, "data_batch_1.bin"},
      {{"train", "--data", "@idx", "--output", "%run"}, kInput, "6 images"},  // no batch of 128
      {shapes + Words{"--patch-size", "5"}, kInput, "multiple of the patch size 5"},
      {shapes + Words{"--dim", "25", "--heads", "4"}, kInput, "multiple of heads"},
      {shapes + Words{"--dim", "-24"}, kInput, "--dim: wanted 0 to 65536, got -24"},
      {shapes + Words{"--model", "resnet"}, kInput, "resnet"},
      {shapes + Words{"--directions", "up"}, kInput, "up"},
      {shapes + Words{"--hflip", "0.5"}, kInput, "hflip would falsify the labels"},
      {shapes + Words{"--lr", "nan"}, kInput, "--lr: wanted 0 to 1000, got nan"},
      {shapes + Words{"--lr", "-1", "--cuda-graph"}, kInput, "--lr: wanted 0 to 1000, got -1"},  // and no note
      {shapes + Words{"--device", "gpu"}, kInput, "device: wanted cpu or cuda, got \"gpu\""},
      {shapes + Words{"--workers", "0"}, kInput, "--workers: wanted 1 to 256"},
      {tiny + Words{"--max-steps", "-1"}, kInput, "--max-steps: wanted at least 0, got -1"},
      {tiny + Words{"-c", "@none.toml"}, kIo, "cannot open"},
      {tiny + Words{"-c", "@folder"}, kIo, "Is a directory"},
      {tiny + Words{"-c@unknown.toml"}, kInput, "unknown.toml: line 2: there is no option \"widht\""},
      {tiny + Words{"--config=@garbage.toml"}, kInput, "garbage.toml: line 1: "},
      {tiny_training("@run"), kInput, "holds a run already: go on with --resume"},
      {tiny_training("@model.safetensors"), kIo, "cannot create"},
      {tiny_training("@model.safetensors/run"), kIo, "cannot create"},
      {tiny_training("/proc/run"), kIo, "cannot create /proc/run"},
      {tiny_training("/dev/full/run"), kIo, "cannot create /dev/full/run"},
      {{"train", "--resume"}, kInput, "--resume"},
      {{"train", "--resume", "@none"}, kIo, "No such file or directory"},
      {{"train", "--resume", "@folder"}, kIo, "folder/last.safetensors: No such file or directory"},
      {{"train", "--resume", "@model.safetensors"}, kInput, "this is a model but no checkpoint of a run"},
      {{"train", "--resume", std::string(300, 'x')}, kIo, "File name too long"},
      {{"train", "--resume", "@run", "--depth", "3"}, kInput, "holds a model with depth 2, the options want 3"},
      {{"train", "--resume", "@run", "--output", "%run"}, kInput, "a resumed run goes on in its own folder"},
  };
  for (const Mistake& mistake : mistakes) expect_refusal(mistake);
}

TEST(CliErrors, WhatCannotBeWritten) {
  const auto output = [](const std::string& path) {
    return std::vector<Mistake>{{{"masks", "--output", path}, kIo, "cannot write " + path},
                                {{"forward", "--model", "@model.safetensors", "--images", "@x.npy", "--output", path},
                                 kIo,
                                 "cannot write " + path}};
  };
  for (const char* path : {"/proc/x", "/dev/full", "/dev/full/x", "/dev/null", "/no/such/folder/x", "."})
    for (const Mistake& mistake : output(path)) expect_refusal(mistake);

  // A full disk: no file may grow past 4 KiB.
  const Surroundings full{.file_size_limit = 4096};
  expect_refusal({{"masks", "--output", "%m.svg"}, kIo, "File too large"}, full);
  expect_refusal({{"gradients", "--model", "@model.safetensors", "--images", "@x.npy", "--labels", "@y.npy", "--output",
                   "%g.safetensors"},
                  kIo,
                  "File too large"},
                 full);
  const Surroundings nowhere{.standard_output = "/dev/full"};
  for (const auto& command : {Words{"info"},
                              {"info", "@model.safetensors"},
                              {"predict", "--model", "@model.safetensors", "@one.npy"},
                              {"--help"},
                              {"--version"}})
    expect_refusal({command, kIo, "cannot write to standard output: "}, nowhere);
}

TEST(CliErrors, Environment) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"LOOKHERE_ISA=sse9", "LOOKHERE_ISA: wanted portable, avx2, avx512 or avx512_bf16"},
      {"LOOKHERE_GEMM=mkl", "LOOKHERE_GEMM: wanted own, openblas or onednn"}};
  for (const auto& [variable, message] : mistakes)
    expect_refusal({{"info"}, kInput, message}, {.environment = {variable}});
  expect_refusal(
      {{"verify-data", "glyphs"}, kIo, "glyphs: no font file /nowhere/opentype/cantarell/Cantarell-Bold.otf: "},
      {.environment = {"LOOKHERE_FONTS=/nowhere"}});
}

// A run whose disk fills up keeps what it had.
TEST(CliErrors, AFullDiskLeavesTheCheckpoint) {
  const TemporaryFolder folder;
  train(tiny_recipe(), folder / "run", 3);
  const std::string before = read_file(folder / "run/last.safetensors");
  const Finished end = run_program({"train", "--resume", folder / "run"}, {.file_size_limit = 20000});
  EXPECT_EQ(end.code, kIo) << end.err;
  EXPECT_NE(end.err.find("cannot write " + (folder / "run/last.safetensors") + ": File too large"), std::string::npos);
  EXPECT_TRUE(before == read_file(folder / "run/last.safetensors"));
  EXPECT_EQ(run_program({"train", "--resume", folder / "run"}).code, 0);
}

// A learning rate that no weight survives.
TEST(CliErrors, Diverged) {
  const TemporaryFolder folder;
  const Words wild{"--lr", "1000", "--weight-decay", "1000", "--warmup-epochs", "0", "--clip-grad", "0"};
  const Finished end = run_program(tiny_training(folder / "run", "9") + wild);
  EXPECT_EQ(end.code, 4) << end.err;
  EXPECT_EQ(end.out, "");
  const std::size_t line = end.err.find("\nlookhere: training diverged: ");
  ASSERT_NE(line, std::string::npos) << end.err;
  EXPECT_EQ(end.err.find('\n', line + 1), end.err.size() - 1) << "one line, and the last: " << end.err;
  EXPECT_NE(end.err.find("the last checkpoint is that of step ", line), std::string::npos);
  EXPECT_NO_THROW(load_model(folder / "run/last.safetensors"));  // which refuses what is not finite
}

// A model that answers nothing finite: of weights that are, and hashes that would have said.
std::string huge_model(const TemporaryFolder& folder) {
  ViT model(model_config(tiny_recipe(), load_training_data(tiny_recipe())));
  for_each_parameter(model, [](const std::string& name, Var& p) {
    if (name == "blocks.0.attn.qkv.weight") p.set_value(full(p.shape(), 3e38));
  });
  save_model(folder / "huge", model);
  return folder / "huge";
}

// Fewer updates than it takes to give up, all of them skipped: an epoch without one is none.
TEST(CliErrors, AnEpochWithoutAnUpdateHasDiverged) {
  const TemporaryFolder folder;
  const Finished end =
      run_program(tiny_training(folder / "run", "1") + Words{"--initial-checkpoint", huge_model(folder)});
  EXPECT_EQ(end.code, 4) << end.err;
  EXPECT_NE(end.err.find("training diverged: no update of epoch 1 was finite"), std::string::npos) << end.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "run/best.safetensors"));
}

TEST(CliErrors, AnswersThatAreNotFiniteAreNotMeasured) {
  const TemporaryFolder folder;
  const std::string model = huge_model(folder);
  for (const char* metric : {"accuracy", "shift", "corruptions", "fgsm"}) {
    const Finished end =
        run_program({"eval", "--model", model, "--data", "shapes", "--metrics", metric, "--test-images", "4"});
    EXPECT_EQ(end.code, 4) << metric << end.err;
    EXPECT_NE(end.err.find("lookhere: the model's answer to test image 0 at 16 px is not finite"), std::string::npos)
        << metric << end.err;
    EXPECT_EQ(end.out, "");
  }
}

// The best model of a run is judged as its checkpoint: by its loss, and on its images.
TEST(CliErrors, TheBestModelIsJudgedAsItsRun) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_program(tiny_training(folder / "run", "1") +
                        Words{"--bce-loss", "--model-ema-decay", "0", "--holdout", "0.2"})
                .code,
            0);
  const auto judged = [&](const char* file, const Words& more) {
    const Finished end =
        run_program(Words{"eval", "--data", "shapes", "--model", folder / concat("run/", file, ".safetensors")} + more);
    EXPECT_EQ(end.code, 0) << end.err;
    return end.out;
  };
  for (const Words& more : {Words{}, Words{"--metrics", "accuracy,tuned,fgsm", "--sizes", "16,24"}})
    EXPECT_EQ(judged("best", more), judged("last", more));
  EXPECT_TRUE(judged("best", {}).starts_with("images 40\n"));
  EXPECT_NE(judged("best", {}).find("(sigmoid, 15 bins)"), std::string::npos);
  EXPECT_NE(judged("best", {"--metrics", "tuned", "--sizes", "24"}).find("tuned.value"), std::string::npos);
  // Where nothing is tuned no training images are needed.
  write_idx_folder(folder / "data", 64);
  Words command = tiny_training(folder / "idx", "1") + Words{"--holdout", "0.2", "--max-steps", "1"};
  *std::ranges::find(command, "shapes") = folder / "data";
  ASSERT_EQ(run_program(command).code, 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "data"))
    if (entry.path().filename().string().starts_with("train")) std::filesystem::remove(entry.path());
  const Finished alone = run_program(
      {"eval", "--data", folder / "data", "--model", folder / "idx/last.safetensors", "--metrics", "accuracy"});
  EXPECT_EQ(alone.code, 0) << alone.err;
  const Finished none = run_program({"eval", "--data", "shapes", "--model", huge_model(folder), "--metrics", "tuned"});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("--metrics tuned: wanted training images that are held out to tune with (--holdout)"),
            std::string::npos)
      << none.err;
  const Finished file = run_program({"report", folder / "run/last.safetensors"});
  EXPECT_NE(file.err.find("report: wanted the folder of a run or a comparison, got"), std::string::npos) << file.err;
}

// However often it is saved: what a wild update leaves behind is finite, but no gradient of it is, and it never comes
// into the checkpoint. So the run can be gone on from at a rate that weights survive.
TEST(CliErrors, ADivergedRunGoesOnAtALowerRate) {
  const TemporaryFolder folder;
  const Words wild{"--lr",        "1000", "--weight-decay",      "1000", "--warmup-epochs", "0",
                   "--clip-grad", "0",    "--recovery-interval", "1",    "--min-lr",        "1000"};
  EXPECT_EQ(run_program(tiny_training(folder / "run", "3") + wild).code, 4);
  const Finished end = run_program({"train", "--resume", folder / "run", "--lr", "1e-3", "--min-lr", "1e-5",
                                    "--weight-decay", "0.05", "--clip-grad", "1"});
  EXPECT_EQ(end.code, 0) << end.err;
  EXPECT_EQ(end.err.find("skipped"), std::string::npos) << end.err;
}

TEST(CliErrors, OutOfMemory) {
  const Words large{"--dim", "8192", "--heads", "64", "--output", "%run"};
  expect_refusal(
      {Words{"train", "--data", "shapes", "--shapes-train", "8", "--shapes-test", "8", "--batch-size", "4"} + large,
       kMemory, " MiB wanted"},
      small_memory());
}

// One line says what was wanted and which option helps.
TEST(CliErrors, AnUpdateThatDoesNotFitNamesTheOption) {
  const TemporaryFolder folder;
  Words command = tiny_training(folder / "run");
  for (const auto& [option, value] :
       {std::pair{"--shapes-train", "8192"}, {"--batch-size", "8192"}, {"--dim", "192"}, {"--shards", "1"}})
    *(std::ranges::find(command, option) + 1) = value;
  const Finished end = run_program(command, small_memory());
  EXPECT_EQ(end.code, kMemory) << end.err;
  EXPECT_NE(end.err.find("lookhere: out of memory: "), std::string::npos) << end.err;
  EXPECT_NE(end.err.find(" MiB wanted, "), std::string::npos) << end.err;
  EXPECT_TRUE(
      end.err.ends_with("; this is for an update: lower --batch-size, and raise --grad-accum-steps to make up "
                        "for it\n"))
      << end.err;
}

}  // namespace
}  // namespace lookhere
