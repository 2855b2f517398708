// Ranks that train together leave the files of one process, bit by bit: here as threads of this test, whose messages
// arrive in any order.
#include "tensor/thread_team.h"
#include "tests/team.h"
#include "tests/vit/photo_folder.h"
#include "tests/vit/tiny_run.h"
#include "vit/train/agreement.h"

namespace lookhere {
namespace {

// The first rank's run, with observers that see nothing.
Trainer::Outcome train_in(Communicator& team, const Recipe& recipe, const std::string& folder,
                          const std::string& checkpoint = "", long max_steps = 0,
                          const std::function<bool()>& stop = {}) {
  TrainObserver nobody;
  RunFolder own = team.rank() > 0 ? RunFolder::of_first_rank(folder) : RunFolder(folder);
  return Trainer(recipe, std::move(own), checkpoint, team).run(nobody, stop, max_steps);
}

std::vector<std::pair<const char*, Recipe>> recipes(const std::string& photos) {
  Recipe plain = tiny_recipe();
  plain.shapes_test = 33;  // one for one of the ranks at the end
  plain.shards = 4, plain.model_ema_decay = 0.9, plain.drop_path = 0.1, plain.recovery_interval = 3;
  Recipe mixed = tiny_recipe();  // batches that do not divide, mixed, accumulated
  mixed.shards = 6, mixed.batch_size = 21, mixed.grad_accum_steps = 2, mixed.workers = 2;
  mixed.mixup = 0.8, mixed.cutmix = 1, mixed.position = "learned", mixed.bce_loss = true, mixed.log_interval = 3;
  mixed.eval_batch_size = 3;  // none for some ranks
  Recipe photographs = tiny_recipe();
  photographs.data = photos, photographs.batch_size = 8, photographs.shards = 4, photographs.scale = {0.3, 1};
  photographs.patch_size = 4, photographs.drop = 0.1, photographs.workers = 2;
  return {{"plain", plain}, {"mixed", mixed}, {"photographs", photographs}};
}

TEST(TrainRanks, LeaveTheFilesOfOneProcess) {
  const TemporaryFolder folder;
  for (const auto& named : recipes(make_photos(folder))) {
    const std::string& name = named.first;
    const Recipe& recipe = named.second;  // clang 14 captures no bindings
    const std::string one = folder / concat(name, "-1");
    train(recipe, one);
    for (const long ranks : {2, 3, 4}) {
      SCOPED_TRACE(concat(name, ", ", ranks, " ranks"));
      const std::string run = folder / concat(name, "-", ranks);
      in_team(ranks, ranks, [&](Communicator& team) { train_in(team, recipe, run); });
      expect_same_run(one, run);
    }
  }
}

// Stopped with one number of ranks, gone on with another; one that is asked to stop stops all.
TEST(TrainRanks, GoOnInAnotherNumber) {
  const TemporaryFolder folder;
  const Recipe recipe = recipes(folder / "none").front().second;
  train(recipe, folder / "whole");
  const std::string run = folder / "run";
  in_team(3, 1, [&](Communicator& team) {
    long asked = 0;
    const auto stop = [&] { return team.rank() == 2 && ++asked > 5; };
    EXPECT_EQ(train_in(team, recipe, run, "", 0, stop), Trainer::Outcome::stopped);
  });
  const long stopped = training_state_of(Safetensors(run + "/last.safetensors")).step;
  EXPECT_LT(stopped, 16);
  EXPECT_GT(stopped, 2);
  const std::string checkpoint = run + "/last.safetensors";
  in_team(2, 2, [&](Communicator& team) {
    EXPECT_EQ(train_in(team, recipe, run, checkpoint, 4), Trainer::Outcome::stopped);
  });
  EXPECT_EQ(training_state_of(Safetensors(checkpoint)).step, stopped + 4);
  in_team(4, 3,
          [&](Communicator& team) { EXPECT_EQ(train_in(team, recipe, run, checkpoint), Trainer::Outcome::finished); });
  expect_same_run(folder / "whole", run);
}

// Machines of every kind: whoever leaves the shards open takes the first rank's.
TEST(TrainRanks, OfSeveralNumbersOfThreadsAgreeOnShards) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.shards = 4;
  train(recipe, folder / "one");
  recipe.shards = 0;
  in_team(2, 1, [&](Communicator& team) {
    set_thread_count(team.rank() == 0 ? 2 : 3);  // of this thread
    train_in(team, recipe, folder / "two");
  });
  expect_same_run(folder / "one", folder / "two");
}

// One bad image of each class, which two ranks need not find both.
class BadImages {
 public:
  explicit BadImages(long bad) {
    const std::string photos = make_photos(folder_, 16);
    recipe_.data = photos, recipe_.on_bad_image = "skip";
    recipe_.batch_size = 8, recipe_.patch_size = 4, recipe_.epochs = 1;
    for (long i = 0; i < bad; ++i) write_file(photos + (i ? "/train/down/9.png" : "/train/across/5.png"), "bad");
  }
  // The first rank's notes, or why it ends.
  std::string said(long ranks, long seed) {
    struct Notes : TrainObserver {
      void on_note(const std::string& line) override { lines += line; }
      std::string lines;
    };
    recipe_.seed = seed;
    std::string first;
    try {
      ThreadTeam(ranks).run([&](Communicator& team) {
        const std::string run = folder_ / concat(ranks, "-", seed);
        RunFolder own = team.rank() > 0 ? RunFolder::of_first_rank(run) : RunFolder(run);
        Notes notes;
        Trainer(recipe_, std::move(own), "", team).run(notes);
        if (team.rank() == 0) first = notes.lines;
      });
    } catch (const Error& error) {
      return error.what();
    }
    return first;
  }

 private:
  TemporaryFolder folder_;
  Recipe recipe_ = tiny_recipe();
};

TEST(TrainRanks, SkipTheImagesOfOneProcess) {
  BadImages one(1), two(2);
  for (const long seed : {2, 3, 4}) {
    const std::string skipped = one.said(1, seed), refused = two.said(1, seed);
    EXPECT_THAT(skipped, testing::StartsWith("1 of 32 training images has been skipped, "));
    EXPECT_THAT(refused, testing::HasSubstr(": 2 of 32 images are bad, more than may be skipped (one in 1000); among"));
    EXPECT_EQ(one.said(2, seed), skipped);
    EXPECT_THAT(two.said(2, seed), testing::EndsWith(refused)) << "rank 1 says its own mistakes";
  }
}

TEST(TrainRanks, RefuseWhatDiffers) {
  const TemporaryFolder folder;
  write_idx_folder(folder / "a", 64), write_idx_folder(folder / "b", 64);
  std::string images = read_file(folder / "b/train-images-idx3-ubyte");
  images.back() ^= 1;
  write_file(folder / "b/train-images-idx3-ubyte", images);
  const auto refused = [&](const std::function<void(Recipe&)>& change, const std::string& why) {
    in_team(3, 1, [&](Communicator& team) {
      Recipe recipe = tiny_recipe();
      recipe.shards = 3, recipe.img_size = 0;
      recipe.data = folder / "a";
      if (team.rank() == 2) change(recipe);
      EXPECT_ERROR(train_in(team, recipe, folder / "run"), why);
    });
    EXPECT_FALSE(std::filesystem::exists(folder / "run")) << "nothing is written before all agree";
  };
  refused([](Recipe& r) { r.lr = 3e-3, r.workers = 2; },
          "rank 2 has other options than rank 0: --lr 0.003, not 0.002; --workers 2, not 1");
  refused([](Recipe& r) { r.shards = 4; }, "rank 2 has other options than rank 0: --shards 4, not 3");
  // The same name for other files, as a folder is on another machine.
  std::filesystem::create_directory_symlink(folder / "a", folder / "data");
  in_team(2, 1, [&](Communicator& team) {
    Recipe recipe = tiny_recipe();
    recipe.img_size = 0, recipe.data = folder / "data";
    // The second one, which has agreed on shards by two messages, reads when the first has.
    TestRank& rank = static_cast<TestRank&>(team);
    if (team.rank() == 1)
      rank.on_arrival = [&](long arrived) {
        if (arrived != 2) return;
        rank.wait_for_messages(3);
        std::filesystem::remove(folder / "data");
        std::filesystem::create_directory_symlink(folder / "b", folder / "data");
      };
    EXPECT_ERROR(train_in(team, recipe, folder / "run"), "rank 1 has other training data than rank 0");
  });
  in_team(3, 1, [&](Communicator& team) {
    Recipe recipe = tiny_recipe();
    EXPECT_ERROR(train_in(team, recipe, folder / "run"), "--shards 2: too few for 3 ranks, each of which needs one");
    recipe.shards = 33;
    EXPECT_ERROR(train_in(team, recipe, folder / "run"), "--shards 33: too many for --batch-size 32");
  });
}

// What makes the last image of updates [first, end) not finite, one of the last rank's.
struct NotFinite : TrainObserver {
  NotFinite(long first_step, long end_step) : first(first_step), end(end_step) {}
  void on_batch(long step, long, const Batch& batch) override {
    if (first <= step && step < end) batch.images.host<float>()[batch.images.numel() - 1] = NAN;
  }
  void on_step(const Step& s) override { skipped += s.skipped; }
  const long first, end;
  long skipped = 0;
};

TEST(TrainRanks, SkipTheUpdatesOfOneProcess) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.shards = 4, recipe.model_ema_decay = 0.9;
  for (const long ranks : {1, 2, 4})
    in_team(ranks, 2, [&](Communicator& team) {
      const std::string run = folder / std::to_string(ranks);
      NotFinite bad(3, team.rank() == ranks - 1 ? 4 : 0);
      RunFolder own = team.rank() > 0 ? RunFolder::of_first_rank(run) : RunFolder(run);
      Trainer(recipe, std::move(own), "", team).run(bad);
      EXPECT_EQ(bad.skipped, 1);
    });
  EXPECT_NE(read_file(folder / "1/metrics.jsonl").find("\"skipped\": true"), std::string::npos);
  expect_same_run(folder / "1", folder / "2");
  expect_same_run(folder / "1", folder / "4");
}

TEST(TrainRanks, DivergeAsOneProcess) {
  const TemporaryFolder folder;
  Recipe recipe = tiny_recipe();
  recipe.shards = 4, recipe.shapes_train = 640, recipe.recovery_interval = 2;
  for (const long ranks : {1, 2})
    in_team(ranks, 3, [&](Communicator& team) {
      const std::string run = folder / std::to_string(ranks);
      NotFinite bad(5, team.rank() == ranks - 1 ? 100 : 0);
      RunFolder own = team.rank() > 0 ? RunFolder::of_first_rank(run) : RunFolder(run);
      Trainer trainer(recipe, std::move(own), "", team);
      try {
        trainer.run(bad);
        ADD_FAILURE() << "rank " << team.rank() << " goes on";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Exit::diverged);
        EXPECT_EQ(std::string(error.what()),
                  concat("training diverged: 10 updates in a row were not finite, first in the loss (step 14); the "
                         "last checkpoint is that of step 4, ",
                         run, "/last.safetensors; a lower --lr or a longer --warmup-epochs may help"));
      }
    });
  for (const char* name : {"/last.safetensors", "/metrics.jsonl", "/config.toml"}) {
    EXPECT_FALSE(read_file(folder / "1" + name).empty());
    EXPECT_TRUE(read_file(folder / "1" + name) == read_file(folder / "2" + name)) << name;
  }
}

TEST(TrainRanks, EndWhenOneIsLost) {
  Recipe recipe = tiny_recipe();
  recipe.shards = 4, recipe.shapes_train = 32, recipe.shapes_test = 8, recipe.epochs = 1;  // one update
  expect_every_loss_is_told([&](Communicator& team) {
    const TemporaryFolder folder;
    train_in(team, recipe, folder / "run");
  });
}

// However long it takes: while it measures what is to come, before a run, and while it saves, at the end.
TEST(TrainRanks, WaitForTheFirst) {
  std::atomic<bool> done = false, returned = false;
  const auto hold = [&](const TestRank& first) {  // for longer than the other's patience, or until it goes on alone
    const long asked = first.questions();
    while (first.questions() < asked + 2000 && !returned) std::this_thread::yield();
    EXPECT_FALSE(returned);
    done = true;
  };
  const auto nothing = [] {};
  in_team(
      2, 1,
      [&](Communicator& team) {
        try {
          lead_or_follow(
              team, [&] { hold(static_cast<TestRank&>(team)); }, nothing);
        } catch (const Error&) {  // the other's patience is at an end
        }
        EXPECT_TRUE(done);
        returned = true;
      },
      0);
  done = returned = false;
  const TemporaryFolder folder;
  in_team(2, 1, [&](Communicator& team) {
    const std::string run = folder / "run";
    RunFolder own = team.rank() > 0 ? RunFolder::of_first_rank(run) : RunFolder(run);
    Trainer::OnBeginning begin;
    if (team.rank() == 0) begin = [&](const Trainer::Beginning&) { hold(static_cast<TestRank&>(team)); };
    const Trainer trainer(tiny_recipe(), std::move(own), "", team, begin);
    returned = true;
  });
}

}  // namespace
}  // namespace lookhere
