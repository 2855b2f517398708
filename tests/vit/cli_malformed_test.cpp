// Every command with every kind of bad file, and arguments that do not fit the files.
#include "tests/vit/mistakes.h"

namespace lookhere {
namespace {

TEST(CliMalformed, EveryCommandRefusesEveryBadModel) {
  const struct {
    const char* file;
    int code;
    const char* part;
  } models[] = {
      {"none", kIo, "none: No such file or directory"},
      {"folder", kIo, "folder: Is a directory"},
      {"pipe", kIo, "pipe: not a regular file"},
      {"empty", kInput, "empty: "},
      {"text", kInput, "text: "},
      {"cut.safetensors", kInput, "cut.safetensors: "},
      {"long.safetensors", kInput, "long.safetensors: "},
      {"header.safetensors", kInput, "header.safetensors: "},
      {"shape.safetensors", kInput, "shape.safetensors: "},
      {"config.safetensors", kInput, "config.safetensors: "},
      {"nan.safetensors", kInput, "is not finite"},
      {"other.safetensors", kInput, "no 'config'"},
  };
  const std::vector<Words> commands{
      {"eval", "--data", "@idx", "--model"},
      {"predict", "@one.npy", "--model"},
      {"gallery", "--data", "@idx", "--output", "%out.svg", "--model"},
      {"forward", "--images", "@x.npy", "--output", "%out.npy", "--model"},
      {"gradients", "--images", "@x.npy", "--labels", "@y.npy", "--output", "%out.safetensors", "--model"},
      {"masks", "--output", "%out.svg", "--model"},
      {"info"},
      {"train", "--resume"},
  };
  for (const auto& model : models)
    for (const auto& command : commands) {
      const std::string name = model.file;
      // masks and info read no weights, and info is there to look at any file; a run's recipe is missing first.
      const bool sound = name == "nan.safetensors" || name == "config.safetensors";
      if ((command[0] == "masks" && sound) || (command[0] == "info" && (sound || name == "other.safetensors")))
        continue;
      const bool reads_recipe = command[0] == "train" && (sound || name == "other.safetensors");
      const bool looks_inside = command[0] == "train" && name == "folder";
      expect_refusal({command + Words{"@" + name}, model.code,
                      reads_recipe   ? "this is a model but no checkpoint"
                      : looks_inside ? "folder/last.safetensors: No such file"
                                     : model.part});
    }
}

TEST(CliMalformed, OtherCommands) {
  const Words eval{"eval", "--model", "@model.safetensors", "--data"};
  const Words predict{"predict", "--model", "@model.safetensors"};
  const Words forward{"forward", "--model", "@model.safetensors", "--output", "%x.npy", "--images"};
  const Words gradients{"gradients", "--model", "@model.safetensors", "--output", "%x.safetensors", "--images"};
  const Words masks{"masks", "--output", "%masks.svg"};
  const auto with = [](const Words& a, const Words& b) { return a + b; };
  const std::vector<Mistake> mistakes{
      {with(eval, {"@none"}), kIo, "wanted fashion, shapes"},
      {with(eval, {"@idx"}), kInput, "idx: has 1 channels, the model wants 3"},
      {with(eval, {"@idx-cut"}), kInput, "t10k-images-idx3-ubyte"},
      {with(eval, {"shapes", "--img-size", "3", "--size-rule", "crop"}), kInput, "nothing is left"},
      {with(eval, {"shapes", "--img-size", "-16"}), kInput, "--img-size: wanted 0 to 16384, got -16"},
      {with(eval, {"shapes", "--workers", "4294967297"}), kInput, "--workers: wanted 1 to 256"},
      {with(eval, {"shapes", "--batch-size", "0"}), kInput, "--batch-size: wanted 1 to 1048576, got 0"},
      {with(eval, {"shapes", "--use-ema"}), kInput, "has no averaged weights"},
      {with(eval, {"shapes", "--img-size", "4000000"}), kInput, "--img-size: wanted 0 to 16384, got 4000000"},
      {with(predict, {"@none.npy"}), kIo, "No such file or directory"},
      {with(predict, {"@text"}), kInput, "text: "},
      {with(predict, {"@cut.npy"}), kInput, "cut.npy: "},
      {with(predict, {"@x.npy"}), kInput, "wanted one image [channels, height, width]"},
      {with(predict, {"@flat.npy"}), kInput, "wanted one image"},
      {with(predict, {"shapes:2048"}), kInput, "wanted an image from 0 to 2047, got 2048"},
      {with(predict, {"shapes:-1"}), kInput, "wanted an image from 0 to 2047, got -1"},
      {with(predict, {"shapes:"}), kInput, "wanted a JPEG, PNG or npy file or DATA:INDEX"},
      {with(predict, {"shapes:1x"}), kInput, "wanted a JPEG, PNG or npy file or DATA:INDEX"},
      {with(predict, {"shapes:99999999999999999999"}), kInput, "wanted a JPEG, PNG or npy file or DATA:INDEX"},
      {with(predict, {"@none:0"}), kIo, "wanted fashion, shapes"},
      {with(predict, {"@one.npy", "--top-k", "0"}), kInput, "--top-k: wanted at least 1, got 0"},
      {{"gallery", "--model", "@model.safetensors", "--data", "shapes", "--count", "0"}, kInput, "--count: wanted"},
      {{"gallery", "--model", "@model.safetensors", "--data", "@idx", "--output", "%g.svg"}, kInput, "channels"},
      {with(forward, {"@none.npy"}), kIo, "No such file or directory"},
      {with(forward, {"@folder"}), kIo, "Is a directory"},
      {with(forward, {"@cut.npy"}), kInput, "cut.npy: "},
      {with(forward, {"@lie.npy"}), kInput, "lie.npy: "},
      {with(forward, {"@grey.npy"}), kInput, "grey.npy: wanted images [batch, 3, height, width], got [2, 1, 16, 16]"},
      {with(forward, {"@flat.npy"}), kInput, "flat.npy: wanted images"},
      {with(forward, {"@odd.npy"}), kInput, "divisible by the patch size 4"},
      {with(gradients, {"@x.npy", "--labels", "@y3.npy"}), kInput, "y3.npy: wanted 2 integer labels"},
      {with(gradients, {"@x.npy", "--labels", "@x.npy"}), kInput, "x.npy: wanted 2 integer labels"},
      {with(gradients, {"@x.npy", "--labels", "@y-high.npy"}), kInput, "8"},
      {with(gradients, {"@x.npy", "--labels", "@y-low.npy"}), kInput, "-1"},
      {with(gradients, {"@x.npy", "--labels", "@text"}), kInput, "text: "},
      {with(masks, {"--grid", "14"}), kInput, "--grid: wanted two numbers"},
      {with(masks, {"--grid", "14x14x"}), kInput, "--grid: wanted two numbers"},
      {with(masks, {"--grid", "0x14"}), kInput, "--grid: wanted two numbers"},
      {with(masks, {"--grid", "99999999999999999999x1"}), kInput, "--grid: wanted two numbers"},
      {with(masks, {"--query", "14,14"}), kInput, "no patch in row 14"},
      {with(masks, {"--query", "1;1"}), kInput, "--query: wanted two numbers"},
      {with(masks, {"--layer", "12"}), kInput, "--layer: wanted 0 to 11 or all, got 12"},
      {with(masks, {"--layer", "first"}), kInput, "--layer: wanted a number or all"},
      {with(masks, {"--layer", "-1"}), kInput, "--layer"},
      {with(masks, {"--position", "learned"}), kInput, "with this position encoding every head sees everything"},
      {with(masks, {"--position", "polar"}), kInput, "polar"},
      {with(masks, {"--heads", "-3"}), kInput, "head"},
  };
  for (const Mistake& mistake : mistakes) expect_refusal(mistake);
}

}  // namespace
}  // namespace lookhere
