// Lesson 3: what a LookHere head sees, what it pays for distance, and what attention saves by not looking elsewhere.
#include <cstdio>

#include "autograd/ops.h"
#include "kernels/attention/attention.h"
#include "vit/model/position/lookhere_heads.h"

using namespace lookhere;

namespace {

constexpr long kSide = 7;

// Some heads of the three published layouts for 12 heads: what the patch Q sees.
void print_masks() {
  std::printf("what a head sees from the patch Q (# seen, . hidden):\n\n");
  struct Example {
    const char* name;
    LookHereHead head;
  };
  std::vector<Example> examples;
  std::vector<std::string> names;
  for (const auto& [preset, index] : {std::pair{"lh180", 0}, {"lh180", 4}, {"lh90", 1}, {"lh90", 4}, {"lh45", 0}}) {
    const LookHereConfig config = lookhere_preset(preset);
    examples.push_back({preset, lookhere_heads(config, 12, 12, 0)[index]});
    names.push_back(head_names(config, 12, 12, 0)[index]);
  }
  for (const Example& e : examples) std::printf("%-16s", e.name);
  std::printf("\n");
  for (const std::string& name : names) std::printf("%-16s", name.c_str());
  std::printf("\n");
  for (long y = 0; y < kSide; ++y) {
    for (const Example& e : examples) {
      for (long x = 0; x < kSide; ++x) {
        const long dy = y - kSide / 2, dx = x - kSide / 2;  // key minus query
        std::printf("%c ", dy == 0 && dx == 0 ? 'Q' : e.head.view.sees(dy, dx) ? '#' : '.');
      }
      std::printf("  ");
    }
    std::printf("\n");
  }
}

// All queries and keys are 0, so only the bias decides where a head looks. One patch carries the value 1: the output of
// every other patch is the weight that it gives to this one.
void print_weights(const char* title, const std::vector<LookHereHead>& heads) {
  const Grid grid{kSide, kSide};
  Tensor qkv = zeros({1, grid.patches(), 3}, Dtype::f32, Device::cpu);  // (images, tokens, q k v), one head of size 1
  qkv.host<float>()[(3 * kSide + 3) * 3 + 2] = 1;
  const Tensor out = attention(Var(qkv), 1, make_attention_heads(heads, grid, Dtype::f32, Device::cpu)).value();
  std::printf("\n%s\n", title);
  for (long y = 0; y < kSide; ++y) {
    for (long x = 0; x < kSide; ++x) std::printf("%6.1f", 100 * out.host<float>()[y * kSide + x]);
    std::printf("\n");
  }
}

void print_attention() {
  std::printf("\nhow much attention, in percent, each patch pays to the one in the centre:\n");
  LookHereHead head = lookhere_heads(lookhere_preset("lh90"), 12, 12, 0)[1];
  print_weights("plain attention: everyone sees it", {});
  print_weights("a head that looks up and right: only patches below and to the left of the centre see it", {head});
  head.view = {};
  print_weights("the penalty for distance alone", {head});
}

// What the kernel computes comes in blocks of queries and keys; a block is skipped if no query in it sees any key.
void print_pairs() {
  std::printf(
      "\nshare of (query, key) pairs over the 12 heads of a layer, with the class token (blocks are computed\n");
  std::printf("whole, so that on small grids more than all pairs are):\n");
  std::printf("%8s %8s %9s %10s\n", "layout", "patches", "visible", "computed");
  for (const char* preset : {"lh180", "lh90", "lh45"})
    for (const long side : {7L, 14L, 32L, 64L}) {
      const Grid grid{side, side};
      const double tokens = static_cast<double>(grid.patches()) + 1, all = 12 * tokens * tokens;
      double visible = 0, computed = 0;
      for (const LookHereHead& head : lookhere_heads(lookhere_preset(preset), 12, 12, 0)) {
        visible += static_cast<double>(kernels::visible_pairs(head, grid, 1));
        computed += static_cast<double>(kernels::computed_pairs(head, grid, 1));
      }
      std::printf("%8s %5ldx%-2ld %8.1f%% %9.1f%%\n", preset, side, side, 100 * visible / all, 100 * computed / all);
    }
}

}  // namespace

int main() {
  print_masks();
  print_attention();
  print_pairs();
}
