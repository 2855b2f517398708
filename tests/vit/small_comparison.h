// A comparison that takes a second: two positions, two seeds, images of 16 px.
#pragma once
#include "tensor/text.h"
#include "tests/program.h"
#include "tests/testing.h"

namespace lookhere {

inline Words comparison(const std::string& folder, const Words& more = {}) {
  Words words = split(
      "compare --data shapes --shapes-train 64 --shapes-test 24 --img-size 16 --dim 16 --depth 1 --heads 4 "
      "--patch-size 4 "
      "--epochs 2 --batch-size 16 --shards 2 --recovery-interval 2 --positions lh90,none --seeds 2 --holdout 0.1 "
      "--sizes 16,32 --test-images 12 --output",
      ' ');
  words.push_back(folder);
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Made once for all tests.
inline const std::string& whole() {
  static const TemporaryFolder folder;
  static const std::string path = [] {
    const Finished end = run_program(comparison(folder / "whole"));
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_NE(end.out.find("results "), std::string::npos);
    return folder / "whole";
  }();
  return path;
}

}  // namespace lookhere
