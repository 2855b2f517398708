// The command line of lookhere: flags to structs, errors to exit codes.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>

#include "tensor/device.h"
#include "tensor/error.h"
#include "vit/cli/commands.h"

namespace {

using namespace lookhere;

// A command's subcommand: its run() is called after parsing.
template <class Command>
CLI::App* add_command(CLI::App& app, const char* name, const char* description, Command& command) {
  CLI::App* sub = app.add_subcommand(name, description);
  sub->final_callback([&command] { command.run(); });
  return sub;
}

int report(const char* message, Exit code) {
  std::fprintf(stderr, "lookhere: %s\n", message);
  return static_cast<int>(code);
}

void add_forward(CLI::App& app, ForwardCommand& c) {
  CLI::App* sub = add_command(app, "forward", "Logits of normalised images (npy, float32 NCHW)", c);
  sub->add_option("--model", c.model, "model file (safetensors)")->required();
  sub->add_option("--images", c.images, "images, any height and width divisible by the patch")->required();
  sub->add_option("--output", c.output, "where the logits go (npy, images x classes)")->required();
}

void add_gradients(CLI::App& app, GradientsCommand& c) {
  CLI::App* sub = add_command(app, "gradients", "Gradient of the mean cross-entropy for every parameter", c);
  sub->add_option("--model", c.model, "model file (safetensors)")->required();
  sub->add_option("--images", c.images, "images (npy, float32 NCHW, normalised)")->required();
  sub->add_option("--labels", c.labels, "labels (npy, integers)")->required();
  sub->add_option("--output", c.output, "where the gradients go (safetensors; the loss is in the metadata)")
      ->required();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Train, evaluate and explain Vision Transformers with LookHere attention", "lookhere"};
  app.require_subcommand(1);
  ForwardCommand forward;
  GradientsCommand gradients;
  add_forward(app, forward);
  add_gradients(app, gradients);
  try {
    check_processor();
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return report((std::string(error.what()) + " (see --help)").c_str(), Exit::input);
  } catch (const Error& error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return report("out of memory", Exit::memory);
  } catch (const std::exception& error) {
    return report(error.what(), Exit::input);
  }
  return 0;
}
