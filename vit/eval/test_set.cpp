// What the data does not say, the model does.
#include "vit/eval/test_set.h"

#include "tensor/text.h"
#include "vit/model/preprocessing.h"
#include "vit/show/console.h"

namespace lookhere {
namespace {

// For models that do not say how their images were normalised.
void guess_preprocessing(Dataset& test, const Safetensors& model) {
  const bool published = !test.mean.empty();
  if (!published) try {
      const Dataset training = load_dataset(test.name, true);
      check(training.channels == test.channels, "they have ", training.channels, " channels, not ", test.channels);
      test.mean = training.mean, test.std = training.std;
    } catch (const Error& error) {
      throw Error(concat(model.path(), ": does not say how images are normalised, nor do training images of ",
                         test.name, ": ", error.what()),
                  error.code());
    }
  say("warning: {} does not say how images are normalised: taking mean {} and std {}, {} {}\n", model.path(),
      listed(test.mean), listed(test.std), published ? "as published for" : "those of the training images in",
      test.name);
}

// More than the numbers that stand in for names.
bool are_names(const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i] != std::to_string(i) && classes[i] != "class " + std::to_string(i)) return true;
  return false;
}

std::string first_few(std::vector<std::string> names) {
  constexpr std::size_t kFew = 3;
  for (std::string& name : names) name = shown(name);
  if (names.size() > kFew) names.resize(kFew), names.emplace_back("...");
  return joined(names);
}

}  // namespace

Dataset load_test_set(const std::string& source, const Safetensors& model, const DatasetOptions& options) {
  const ViTConfig config = config_of(model);
  Dataset test = load_dataset(source, false, options);
  check(test.channels == config.channels, source, ": has ", test.channels, " channels, the model wants ",
        config.channels);
  if (test.labels_by_name && model.metadata().contains("class_names"))
    relabel(test, class_names_of(model, config.classes));
  check(test.classes == 0 || test.classes == config.classes, source, ": has ", test.classes,
        " classes, the model wants ", config.classes);
  for (long i = 0; i < test.size(); ++i)
    check(test.labels[i] < config.classes, source, ": label ", test.labels[i], " of image ", i,
          " is not below the model's ", config.classes, " classes");
  if (const auto own = preprocessing_of(model, config.channels))
    take(test, *own);
  else
    guess_preprocessing(test, model);
  if (test.classes == 0 || model.metadata().contains("class_names")) {
    const std::vector<std::string> of_model = class_names_of(model, config.classes);
    if (!test.class_names.empty() && are_names(test.class_names) && are_names(of_model) && test.class_names != of_model)
      say("warning: {} has the classes {}, and {} is for {}: they are taken by number\n", source,
          first_few(test.class_names), model.path(), first_few(of_model));
    test.class_names = of_model;
  }
  test.classes = config.classes;
  check_consistent(test);
  return test;
}

}  // namespace lookhere
