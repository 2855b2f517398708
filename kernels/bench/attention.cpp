// Attention's ladder: one query at a time, tiles in plain loops, fused tiles over all keys, and fused tiles over the
// keys that they see.
#include "kernels/attention/attention.h"

#include "kernels/bench/bench.h"
#include "kernels/bench/layouts.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// What a head does not see is masked by its table in any case; `masked` plans as if every head saw everything.
enum class How { naive, tiled, masked, fused };

template <class S>
Values<S> random_as(long n, std::uint32_t seed) {
  Values<S> values(n);
  std::ranges::transform(random_values(n, seed), values.begin(), [](float v) { return static_cast<S>(v); });
  return values;
}

// One rung. Its memory is taken when it first runs: at 4097 tokens all rungs together are gigabytes.
template <class S>
class Rung {
 public:
  Rung(How how, const std::string& layout, const AttentionSizes& sizes)
      : how_(how), sizes_(sizes), heads_(heads_of(layout, sizes.heads)) {
    std::vector<LookHereHead> planned = heads_;
    if (how == How::masked)
      for (LookHereHead& head : planned) head.view = {};
    plan_ = make_attention_plan(planned, sizes.heads, sizes.grid, sizes.prefix(), sizes.head_dim);
  }
  long visible_pairs_of(long h) const {
    return visible_pairs(heads_.empty() ? LookHereHead{} : heads_[h], sizes_.grid, sizes_.prefix());
  }
  long computed_pairs_of(long h) const {
    return how_ == How::naive || how_ == How::tiled ? sizes_.tokens * sizes_.tokens : computed_pairs(*plan_, h);
  }
  void forward() {
    prepare();
    const Attention<S> p{.out = out_.data(),
                         .lse = lse_.data(),
                         .qkv = qkv_.data(),
                         .bias = bias(),
                         .sizes = sizes_,
                         .scale = scale(),
                         .plan = plan_.get(),
                         .workspace = workspace_.data()};
    if constexpr (!std::is_same_v<S, bf16>) {
      if (how_ == How::naive) return attention_naive(Cpu{}, p);
      if (how_ == How::tiled) return attention_tiled(Cpu{}, p);
    }
    attention(Cpu{}, p);
  }
  void backward() {
    if (lse_.empty()) forward();
    const AttentionBackward<S> p{.dqkv = dqkv_.data(),
                                 .dout = dout_.data(),
                                 .out = out_.data(),
                                 .qkv = qkv_.data(),
                                 .lse = lse_.data(),
                                 .bias = bias(),
                                 .sizes = sizes_,
                                 .scale = scale(),
                                 .plan = plan_.get(),
                                 .workspace = workspace_.data()};
    if constexpr (!std::is_same_v<S, bf16>) {
      if (how_ == How::naive) return attention_naive_backward(Cpu{}, p);
      if (how_ == How::tiled) return attention_tiled_backward(Cpu{}, p);
    }
    attention_backward(Cpu{}, p);
  }

 private:
  float scale() const { return 1 / std::sqrt(static_cast<float>(sizes_.head_dim)); }
  AttentionBias<S> bias() const {
    return {.heads = heads_.empty() ? nullptr : heads_.data(),
            .relative = relative_.empty() ? nullptr : relative_.data()};
  }
  void prepare() {
    if (!lse_.empty()) return;
    const long size = relative_size(sizes_.grid), values = sizes_.images * sizes_.tokens * sizes_.heads;
    relative_.resize(static_cast<long>(heads_.size()) * size);
    for (std::size_t h = 0; h < heads_.size(); ++h)
      relative_bias(relative_.data() + static_cast<long>(h) * size, heads_[h], sizes_.grid);
    qkv_ = random_as<S>(values * 3 * sizes_.head_dim, 1), dout_ = random_as<S>(values * sizes_.head_dim, 2);
    out_.resize(dout_.size()), dqkv_.resize(qkv_.size()), lse_.resize(values);
    workspace_.resize(attention_workspace(*plan_, sizes_));
  }

  How how_;
  AttentionSizes sizes_;
  std::vector<LookHereHead> heads_;  // empty: every head sees all
  std::shared_ptr<const AttentionPlan> plan_;
  Values<float> relative_, workspace_, lse_;
  Values<S> qkv_, dout_, out_, dqkv_;
};

template <class S>
void add_rung(std::vector<Case>& forward, std::vector<Case>& backward, How how, const std::string& layout,
              const AttentionSizes& z) {
  const auto rung = std::make_shared<Rung<S>>(how, layout, z);
  const bool half = std::is_same_v<S, bf16>;
  constexpr const char* kNames[] = {"naive ", "tiled ", "masked ", "fused "};
  Case c{.kernel = "attention",
         .rung = kNames[static_cast<int>(how)] + layout + (half ? " bf16" : ""),
         .shape = std::to_string(z.images) + "x" + std::to_string(z.tokens) + " tokens, " + std::to_string(z.heads) +
                  "x" + std::to_string(z.head_dim)};
  c.dtype = half ? "bf16" : "f32";
  for (long h = 0; h < z.heads; ++h) {
    c.visible_pairs += z.images * rung->visible_pairs_of(h);
    c.computed_pairs += z.images * rung->computed_pairs_of(h);
  }
  const double product = 2.0 * static_cast<double>(z.head_dim * c.computed_pairs);  // one multiply-add per feature
  c.flops = 2 * product;                                                            // Q·Kᵀ and P·V
  c.run = [rung] { rung->forward(); };
  forward.push_back(c);
  c.kernel = "attention_backward";
  c.flops = 5 * product;  // Q·Kᵀ again, dO·Vᵀ, dQ, dK, dV
  c.run = [rung] { rung->backward(); };
  backward.push_back(c);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Case> cases, backward;
  const auto add_shape = [&](long images, long side, long heads, long head_dim) {
    const AttentionSizes sizes{
        .images = images, .tokens = side * side + 1, .heads = heads, .head_dim = head_dim, .grid = {side, side}};
    if (side <= 8) add_rung<float>(cases, backward, How::naive, "lh45", sizes);  // it takes minutes at 4097 tokens
    add_rung<float>(cases, backward, How::tiled, "lh45", sizes);
    add_rung<float>(cases, backward, How::masked, "lh45", sizes);
    for (const char* layout : {"dense", "lh180", "lh90", "lh45"})
      add_rung<float>(cases, backward, How::fused, layout, sizes);
    add_rung<bf16>(cases, backward, How::fused, "lh45", sizes);
  };
  add_shape(64, 7, 4, 16);   // nano at 28 px
  add_shape(128, 8, 6, 32);  // 32 px in patches of 4
  add_shape(8, 14, 12, 64);  // ViT-B/16 at 224 px
  add_shape(4, 24, 12, 64);  // 384 px
  add_shape(4, 32, 12, 64);  // 512 px
  add_shape(1, 64, 12, 64);  // 1024 px
  cases.insert(cases.end(), backward.begin(), backward.end());
  return run_all(argc, argv, cases);
}
