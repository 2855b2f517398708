// The command line: flags to structs.
#include "vit/cli/command_line.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <set>

#include "tensor/text.h"
#include "vit/cli/commands.h"
#include "vit/train/checkpoint.h"

namespace lookhere {
namespace {

// A command's subcommand.
CLI::App* add_command(CLI::App& app, const char* name, const char* description, const char* examples) {
  CLI::App* sub = app.add_subcommand(name, description);
  sub->footer(std::string("Examples:\n") + examples);
  sub->option_defaults()->always_capture_default();
  return sub;
}

void add_device(CLI::App* sub, std::string& device) { sub->add_option("--device", device, kDeviceDescription); }

// One option per field of the recipe, each with timm's name where timm has it: all, or those named.
void add_fields(CLI::App* sub, Recipe& recipe, const std::set<std::string>& only = {}) {
  recipe.visit([&]<class T>(const char* name, T& field, const char* description, Range) {
    const std::string flag = std::string("--") + name;
    if (!only.empty() && !only.contains(name)) return;
    if constexpr (std::is_same_v<T, bool>)
      sub->add_flag(flag + ",!--no-" + name, field, description);
    else
      sub->add_option(flag == "--batch-size" ? "-b," + flag
                      : flag == "--workers"  ? "-j," + flag
                                             : flag,
                      field, description);
  });
}

void add_train(CLI::App& app, TrainCommand& c) {
  CLI::App* sub = add_command(app, "train",
                              "Train a model; the run folder gets config.toml, summary.csv, metrics.jsonl,"
                              " curve.svg, last.safetensors and best.safetensors",
                              "  lookhere train --data fashion --output runs/fashion\n"
                              "  lookhere train --data shapes --position lh45 --epochs 5\n"
                              "  lookhere train --resume runs/fashion\n"
                              "  lookhere train -c runs/fashion/config.toml --lr 1e-3 --output runs/other");
  sub->add_option("--output", c.output, "run folder (default: runs/<time>-<model>-<position>-<data>)");
  sub->add_option("--resume", c.resume,
                  "go on with this run folder or checkpoint; its options hold unless given again");
  sub->add_option("--max-steps", c.max_steps, "save and stop after this many updates (0: no limit)");
  sub->add_option("-c,--config", c.config, "read options from a TOML file; the command line wins");
  add_fields(sub, c.recipe);
}

void add_eval(CLI::App& app, EvalCommand& c) {
  CLI::App* sub = add_command(app, "eval", "Accuracy of a model on a test set, at any resolution",
                              "  lookhere eval --model runs/fashion/best.safetensors --data fashion\n"
                              "  lookhere eval --model runs/fashion/best.safetensors --data fashion --img-size 56");
  sub->add_option("--model", c.model, "model file")->required();
  sub->add_option("--data", c.data, "fashion, shapes, cifar10, cifar100, or a folder");
  sub->add_option("--img-size", c.img_size, "resize the images to this side (0: the model's)");
  sub->add_option("-b,--batch-size", c.batch_size, "images at a time");
  sub->add_option("-j,--workers", c.workers, "threads that prepare batches");
  add_device(sub, c.device);
  sub->add_flag("--use-ema", c.use_ema, "the averaged weights of a checkpoint");
  sub->add_flag("--json", c.json, "one JSON object instead of a table");
}

void add_predict(CLI::App& app, PredictCommand& c) {
  CLI::App* sub = add_command(app, "predict", "The most probable classes of one image, as bars",
                              "  lookhere predict --model best.safetensors fashion:0\n"
                              "  lookhere predict --model best.safetensors image.npy");
  sub->add_option("--model", c.model, "model file")->required();
  sub->add_option("image", c.image, "FILE.npy (CHW: float32 normalised, or uint8) or DATA:INDEX of a test set")
      ->required();
  sub->add_option("--top-k", c.top_k, "how many classes");
  add_device(sub, c.device);
}

void add_gallery(CLI::App& app, GalleryCommand& c) {
  CLI::App* sub = add_command(app, "gallery", "Test images and what the model takes them for, as a picture",
                              "  lookhere gallery --model best.safetensors --data fashion --output predictions.svg");
  sub->add_option("--model", c.model, "model file")->required();
  sub->add_option("--data", c.data, "fashion, shapes, cifar10, cifar100, or a folder");
  sub->add_option("--count", c.count, "how many images, from the first");
  sub->add_option("--output", c.output, "picture (svg)");
  add_device(sub, c.device);
}

void add_forward(CLI::App& app, ForwardCommand& c) {
  CLI::App* sub = add_command(app, "forward", "Logits of images",
                              "  lookhere forward --model best.safetensors --images x.npy --output logits.npy");
  sub->add_option("--model", c.model, "model file")->required();
  sub->add_option("--images", c.images,
                  "npy, NCHW, float32 normalised or uint8, any height and width divisible by the patch")
      ->required();
  sub->add_option("--output", c.output, "where the logits go (npy, images x classes)")->required();
  add_device(sub, c.device);
}

void add_gradients(CLI::App& app, GradientsCommand& c) {
  CLI::App* sub = add_command(
      app, "gradients", "Gradient of the mean cross-entropy for every parameter",
      "  lookhere gradients --model best.safetensors --images x.npy --labels y.npy --output grads.safetensors");
  sub->add_option("--model", c.model, "model file")->required();
  sub->add_option("--images", c.images, "npy, NCHW, float32 normalised or uint8")->required();
  sub->add_option("--labels", c.labels, "npy, integers")->required();
  sub->add_option("--output", c.output, "where the gradients go (safetensors; the loss is in the metadata)")
      ->required();
  add_device(sub, c.device);
}

void add_masks(CLI::App& app, MasksCommand& c) {
  CLI::App* sub = add_command(app, "masks", "Every head's field of view and penalty as a picture",
                              "  lookhere masks --position lh45 --grid 14x14 --output masks.svg\n"
                              "  lookhere masks --position lookhere --directions halves-none --heads 6 --layer all\n"
                              "  lookhere masks --model best.safetensors --layer all");
  sub->add_option("--model", c.model, "draw the masks of this file");
  sub->add_option("--grid", c.grid, "rows x columns of patches (default: the model's, 14x14)");
  sub->add_option("--query", c.query, "row,column of the patch that looks (default: the centre)");
  sub->add_option("--layer", c.layer, "a layer from 0, or all");
  sub->add_option("--output", c.output, "picture (svg)");
  add_fields(sub, c.recipe,
             {"position", "directions", "global-slope", "layer-slopes", "distance", "fill", "heads", "depth"});
}

void add_bench(CLI::App& app, BenchCommand& c) {
  CLI::App* sub = add_command(app, "bench", "Time of a training step or a forward pass by operation, and its memory",
                              "  lookhere bench step --model vit_small --batch-size 8 --position lh180\n"
                              "  lookhere bench forward --model vit_base --img-size 1024 --position lh45 -b 1");
  sub->add_option("what", c.what, "step (forward, loss, backward, AdamW) or forward (as in evaluation)")->required();
  sub->add_option("--steps", c.steps, "how many to time (0: as many as fit eight seconds)");
  sub->add_option("--classes", c.classes, "classes to tell apart (0: the model's)");
  sub->add_option("--json", c.json, "write the numbers to this file as well");
  add_fields(sub, c.recipe,
             {"model",    "position",   "directions", "global-slope", "layer-slopes", "distance",        "fill",
              "img-size", "patch-size", "dim",        "depth",        "heads",        "mlp-ratio",       "layer-scale",
              "head",     "pool",       "batch-size", "drop",         "drop-path",    "model-ema-decay", "bce-loss",
              "shards",   "dtype",      "device",     "seed"});
}

void add_info(CLI::App& app, InfoCommand& c) {
  CLI::App* sub = add_command(app, "info", "What is in a model or checkpoint; without a file: about this program",
                              "  lookhere info\n  lookhere info best.safetensors");
  sub->add_option("file", c.file, "safetensors file");
}

constexpr std::size_t kLongestMessage = 400;  // bytes

// CLI11 takes no text for 0, and cuts a number that is too large to the largest one.
std::string complaint_about_number(const std::string& text) { return text.empty() ? "wanted a number, got \"\"" : ""; }
std::string complaint_about_whole_number(const std::string& text) {
  errno = 0;
  std::strtoll(text.c_str(), nullptr, 0);
  return errno == ERANGE ? "wanted a whole number below 2^63, got " + shown(text) : complaint_about_number(text);
}

// What holds for the options of all commands: of an option given twice the last one counts, lists included.
void finish_options(CLI::App& app) {
  for (CLI::App* sub : app.get_subcommands({}))
    for (CLI::Option* option : sub->get_options()) {
      if (option->get_type_name() == "INT") option->check(complaint_about_whole_number);
      if (option->get_type_name() == "FLOAT") option->check(complaint_about_number);
      if (!option->get_positional() && option->get_items_expected_max() > 0) option->trigger_on_parse();
    }
}

// What CLI11 cannot cope with. It takes [a,b] for a list and unwraps what is in it again, one call deeper each time. A
// number after a flag it reads without a look at its size, and negates it for --no-FLAG.
void check_words(int argc, const char* const* argv) {
  constexpr std::size_t kLongestNumber = 16;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    check(word.find("[[[[[[[[") == word.npos, "wanted a list without lists in it, got ", shown(word));
    const std::size_t equals = word.starts_with("--no-") ? word.find('=') : word.npos;
    if (equals == word.npos) continue;
    const std::string_view value = word.substr(equals + 1);
    check(value.size() <= kLongestNumber, printable(word.substr(0, std::min<std::size_t>(equals, 80))),
          ": wanted true or false, got ", shown(value));
  }
}

// Every command with what its options are read into.
struct Commands {
  TrainCommand train;
  EvalCommand eval;
  PredictCommand predict;
  GalleryCommand gallery;
  ForwardCommand forward;
  GradientsCommand gradients;
  MasksCommand masks;
  BenchCommand bench;
  InfoCommand info;

  void add_to(CLI::App& app) {
    add_train(app, train), add_eval(app, eval), add_predict(app, predict), add_gallery(app, gallery);
    add_forward(app, forward), add_gradients(app, gradients), add_masks(app, masks), add_bench(app, bench);
    add_info(app, info), finish_options(app);
  }
  void run(const std::string& name) const {
    if (name == "train") train.run();
    if (name == "eval") eval.run();
    if (name == "predict") predict.run();
    if (name == "gallery") gallery.run();
    if (name == "forward") forward.run();
    if (name == "gradients") gradients.run();
    if (name == "masks") masks.run();
    if (name == "bench") bench.run();
    if (name == "info") info.run();
  }
};

// Reads the words into the commands' structs and says which command it is; none after --help and --version.
std::string parse(Commands& commands, int argc, const char* const* argv, bool help) {
  CLI::App app{"Train, evaluate and explain Vision Transformers with LookHere attention", "lookhere"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("lookhere ") + kVersion);
  app.footer(
      "Exit codes: 0 done, 2 wrong input, 3 out of memory, 4 training diverged, 5 file system, 130 interrupted.\n"
      "Threads: OMP_NUM_THREADS.");
  commands.add_to(app);
  const std::string command = argc > 1 ? argv[1] : "";
  try {
    app.parse(argc, argv);
    return app.get_subcommands().front()->get_name();
  } catch (const CLI::Success& success) {
    if (help) app.exit(success);
    return app.got_subcommand("train") && !help ? "train" : "";
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {  // also what the standard library throws within CLI11
    const bool known = !app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == command; }).empty();
    if (!known && !command.empty())
      fail("there is no ", command.starts_with("-") ? "option" : "command", " ", shown(command),
           " (see lookhere --help)");
    const std::string_view text = error.what();
    fail(printable(text.substr(0, kLongestMessage)), text.size() > kLongestMessage ? "..." : "", " (see lookhere ",
         command, known ? " " : "", "--help)");
  }
}

}  // namespace

void load_recipe(TrainCommand& train, const std::string& resume, const std::string& config) {
  if (!resume.empty()) train.read_run(resume);
  if (!config.empty()) update_from_toml(train.recipe, config);
}

std::function<void()> parse_command_line(int argc, const char* const* argv, const RecipeLoader& load) {
  check_words(argc, argv);
  // What a resumed run or a file says holds unless the command line says otherwise. So the words are read twice: first
  // for the names of these files alone.
  Commands first;
  const auto commands = std::make_shared<Commands>();
  if (parse(first, argc, argv, false) == "train") load(commands->train, first.train.resume, first.train.config);
  const std::string name = parse(*commands, argc, argv, true);
  return [commands, name] { commands->run(name); };
}

}  // namespace lookhere
