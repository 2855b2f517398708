// The commands of `lookhere`: main.cpp reads the command line into these structs and calls run. Results go to stdout,
// everything else to stderr; mistakes throw Error.
#pragma once
#include <string>
#include <vector>

namespace lookhere {

struct ForwardCommand {
  std::string model, images, output;
  void run() const;  // logits of normalised images
};

struct GradientsCommand {
  std::string model, images, labels, output;
  void run() const;  // of the mean cross-entropy
};

}  // namespace lookhere
