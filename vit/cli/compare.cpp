// lookhere compare: encodings trained and judged alike, run after run, and one page about them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tensor/file.h"
#include "tensor/machine.h"
#include "tensor/system/processes.h"
#include "tensor/system/signals.h"
#include "tensor/text.h"
#include "vit/cli/commands.h"
#include "vit/cli/comparison_page.h"
#include "vit/cli/judge.h"
#include "vit/compare/folder.h"
#include "vit/compare/results.h"
#include "vit/show/console.h"
#include "vit/show/progress.h"

namespace lookhere {
namespace {

constexpr double kHeldOut = 0.01;  // the paper's

class Compare : public RecipeCommand {
 public:
  Compare() { recipe.holdout = kHeldOut; }
  Page page() const override {
    return {.name = "compare",
            .summary =
                "Train and judge position encodings alike, over seeds and image sizes; the folder gets results.csv and "
                "report.html",
            .examples =
                "  lookhere compare --data fashion --positions lh180,learned --seeds 2 --output compared\n"
                "  lookhere compare --data glyphs --positions all --sizes 32,48,64,96,128 --output all\n"
                "  lookhere compare --positions lh90,lh90:global-slope=0.5,lh90:lr=1e-3 --output slopes\n"
                "  lookhere compare --resume compared"};
  }
  void add_options(Options& o) override;
  void read_run(const std::string& run) override;
  void run() const override;

 private:
  Comparison asked_for() const;
  std::string metrics = "all", output = "compared", positions = "lh180,lh90,lh45,learned,sincos,rope,alibi";
  std::vector<double> sizes, epsilon{1, 3};
  long seeds = 3, test_images = 0, jobs = 1;
  double mem_limit = 0;
  bool is_job = false;
  std::vector<std::string> saved_;  // variants of the comparison that this one goes on with
};

void Compare::add_options(Options& o) {
  o.add({.names = "--positions",
         .help = "what to compare, by commas: positions, each with options of its own, as lh90:global-slope=0.5 or "
                 "'lh90:layer-slopes=0.5 1.5', or all; with --resume: beside those that are there"},
        positions);
  o.add({.names = "--seeds", .help = "runs of each", .range = {1, 1000}}, seeds);
  o.add({.names = "--sizes", .help = "sides of the test images (none given: 1, 1.5, 2, 3 and 4 times the model's)"},
        sizes);
  o.add({.names = "--test-images", .help = "look at as many, evenly spread (0: all)", .range = {.low = 0}},
        test_images);
  o.add({.names = "--epsilon", .help = "of FGSM and PGD, in 1/255"}, epsilon);
  o.add({.names = "--metrics", .help = judging_words()}, metrics);
  o.add({.names = "--jobs", .help = "processes side by side, which share the threads", .range = {1, 256}}, jobs);
  o.add(
      {.names = "--mem-limit",
       .help = "refuse a run whose updates need more memory, in GB, in each process (0: a part of this machine's, and "
               "nothing is measured)",
       .range = {.low = 0}},
      mem_limit);
  o.add({.names = "--output", .help = "folder; the same command again goes on with it", .file = File::written}, output);
  o.add(
      {.names = "--resume", .help = "go on with this folder; its options hold unless given again", .file = File::read},
      resume);
  o.add({.names = "--job", .help = "be one of the --jobs: do runs that no other process is at, and no more"}, is_job);
  add_beginnings(o);
  add_fields(o, recipe, {"Data", "Model", "Fine-tuning", "Training", "Augmentation", "Run"});
}

void Compare::read_run(const std::string& run) {
  const Comparison saved = comparison_in(run);
  recipe = saved.recipe, output = run, saved_ = saved.variants;
  positions = joined(saved.variants, ","), metrics = saved.metrics.empty() ? "all" : joined(saved.metrics, ",");
  sizes.assign(saved.sizes.begin(), saved.sizes.end());
  seeds = saved.seeds, test_images = saved.test_images, epsilon = saved.epsilon;
}

Comparison Compare::asked_for() const {
  Comparison c{.recipe = with_absolute_data(recipe),
               .variants = saved_,
               .seeds = seeds,
               .sizes = {},
               .test_images = test_images,
               .epsilon = epsilon,
               .metrics = {}};
  const auto add = [&](const std::string& variant) {
    if (std::ranges::find(saved_, variant) == saved_.end()) c.variants.push_back(variant);
  };
  for (const std::string& variant : comma_list(positions))
    if (variant == "all")
      std::ranges::for_each(all_positions(), add);
    else
      add(variant);
  if (metrics != "all") c.metrics = comma_list(metrics);
  for (const double size : sizes) {
    check(size == std::round(size), "--sizes: wanted whole numbers, got ", size);
    c.sizes.push_back(static_cast<long>(size));
  }
  return c;
}

// Other processes do the runs, and the folder tells how far they are.
void watch_jobs(const ComparisonFolder& folder, long count, double mem_limit, Progress& progress) {
  const std::vector<std::string> words{"compare",     "--resume",
                                       folder.path(), "--job",
                                       "--jobs",      std::to_string(count),
                                       "--mem-limit", fmt::format("{}", mem_limit)};
  std::vector<Job> jobs;
  for (long i = 0; i < count; ++i) jobs.push_back({words, folder.file(fmt::format("job-{}.log", i + 1))});
  const long threads = std::max(1L, long{thread_count()} / count);
  const auto show = [&] { progress.update(std::lround(folder.work_done()), fmt::format("{} jobs", count)); };
  for (const std::string& failure : run_side_by_side(jobs, threads, show, asked_to_stop)) progress.note(failure);
}

void Compare::run() const {
  if (is_job) end_with_parent();
  check(!output.empty(), "--output: wanted a folder's name, got \"\"");
  std::error_code ignored;
  check(resume.empty() || std::filesystem::equivalent(output, resume, ignored), "--output ", output,
        ": a comparison that is resumed goes on in its own folder, ", resume,
        "; to branch off, copy that folder and resume the copy");
  if (resume.empty()) require_no_class(output, recipe.data);
  announce();
  const ComparisonFolder folder(output, asked_for());
  const Comparison& c = folder.comparison();
  say("{} runs: {} variants x {} seeds, {} training, {} held-out and {} test images of {}; folder {}\n",
      folder.runs().size(), c.variants.size(), c.seeds, folder.images().train, folder.images().held_out,
      folder.images().test, c.recipe.data, output);
  if (!is_job && folder.images().held_out == 0 && groups_of(c.metrics).contains("tuned"))
    say("note: nothing is tuned, for no images are held out (--holdout)\n");
  note_stop_signals();
  ProgressOptions options = standard_error();
  double done = folder.work_done();
  options.start = std::lround(done);
  Progress progress("compare", std::lround(folder.work()), options);
  if (jobs > 1 && !is_job) watch_jobs(folder, jobs, mem_limit, progress), done = folder.work_done();
  const bool all = folder.carry_out({.advance =
                                         [&](double work, const std::string& detail) {
                                           done += work;
                                           progress.update(std::lround(done), detail);
                                         },
                                     .note = [&](const std::string& line) { progress.note(line); },
                                     .stop = asked_to_stop,
                                     .memory = {.limit = mem_limit * 1e9, .processes = jobs}});
  if (!all) {
    progress.finish("stopped");
    say("go on with: lookhere compare --resume {}\n", shell_word(output));
    throw Error("interrupted", Exit::interrupted);
  }
  progress.finish(fmt::format("{} runs", folder.runs().size()));
  if (is_job) return;
  if (const auto results = results_of(c, output); has_metric(results, "top1"))
    write_to_stdout(accuracy_table(c, results, utf8_locale()));
  write_comparison_page(folder);
  print("results {}\nreport {}\n", folder.file("results.csv"), folder.file("report.html"));
}

}  // namespace

std::unique_ptr<Command> make_compare() { return std::make_unique<Compare>(); }

}  // namespace lookhere
