// The commands of `lookhere`: main.cpp reads the command line into these structs and calls run. Results go to stdout,
// everything else to stderr; mistakes throw Error.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "vit/train/recipe.h"
#include "vit/train/run_folder.h"

namespace lookhere {

struct TrainCommand {
  Recipe recipe;
  std::string output, resume, config;  // resume and config have been read into the recipe by then
  long max_steps = 0;
  // Takes the folder of a run, or of its checkpoint, before it reads the recipe from there.
  void read_run(const std::string& run);
  void run() const;

 private:
  RunFolder take_folder() const;
  std::string checkpoint;  // to go on from
  std::shared_ptr<RunFolder> folder;
};

struct EvalCommand {
  std::string model, data = "fashion", device = "cpu";
  long img_size = 0, batch_size = 256, workers = 1;
  bool use_ema = false, json = false;
  void run() const;
};

struct PredictCommand {
  std::string model, image, device = "cpu";  // image: FILE.npy or DATA:INDEX
  long top_k = 5;
  void run() const;
};

struct ForwardCommand {
  std::string model, images, output, device = "cpu";
  void run() const;  // logits of normalised images
};

struct GradientsCommand {
  std::string model, images, labels, output, device = "cpu";
  void run() const;  // of the mean cross-entropy
};

struct MasksCommand {
  std::string model;  // a file whose masks to draw; else the position described by the recipe
  Recipe recipe;
  std::string grid, output = "masks.svg", query, layer = "0";
  void run() const;
};

struct GalleryCommand {
  std::string model, data = "fashion", output = "predictions.svg", device = "cpu";
  long count = 40;
  void run() const;
};

struct BenchCommand {
  std::string what;  // step or forward
  Recipe recipe = defaults();
  std::string json;
  long classes = 0, steps = 0;  // 0: the model's, as many as fit eight seconds
  void run() const;

 private:
  static Recipe defaults();
};

struct InfoCommand {
  std::string file;  // empty: about the program and the machine
  void run() const;
};

// One line to stderr: version, BLAS, instruction set, threads; a warning where BLAS would run on fewer threads.
void announce();

inline constexpr const char* kVersion = "0.2.0";

}  // namespace lookhere
