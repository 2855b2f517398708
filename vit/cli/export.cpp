// lookhere export: a model's weights as timm has them.
#include "vit/model/import/export.h"

#include "vit/cli/commands.h"
#include "vit/model/weights.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

class Export : public Command {
 public:
  Page page() const override {
    return {
        .name = "export",
        .summary = "A model's weights under timm's names and in its shapes, and the call that makes the model there",
        .examples =
            "  lookhere export --model runs/tour/best.safetensors --output timm.safetensors\n"
            "  lookhere export --model deit3.safetensors --no-embed-class --output timm.safetensors"};
  }
  void add_options(Options& o) override {
    o.add({.names = "--model", .help = "model file or checkpoint (safetensors)", .required = true, .file = File::model},
          model);
    o.add({.names = "--output", .help = "safetensors file", .required = true, .file = File::written}, output);
    o.add({.names = "--no-embed-class",
           .help = "pos_embed without rows for class token and registers, as in DeiT III and DINOv2"},
          no_embed_class);
  }
  void run() const override {
    const Safetensors file(model);
    ViT vit = load_model(file);
    Metadata known;
    for (const char* key : {"preprocessing", "class_names"})
      if (const auto found = file.metadata().find(key); found != file.metadata().end()) known.insert(*found);
    const Exported exported = export_model(vit, no_embed_class, known);
    save_safetensors(output, exported.tensors, exported.metadata);
    print("file      {}: {} tensors\n", output, exported.tensors.size());
    print("timm      from functools import partial; import timm, timm.layers, timm.models.deit\n");
    print("          model = {}\n          timm.models.load_checkpoint(model, \"{}\")\n", exported.call, output);
    for (const std::string& note : exported.notes) say("note: {}\n", note);
  }

 private:
  std::string model, output;
  bool no_embed_class = false;
};

}  // namespace

std::unique_ptr<Command> make_export() { return std::make_unique<Export>(); }

}  // namespace lookhere
