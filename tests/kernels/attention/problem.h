// Attention with random inputs, as tests of its kernels give it to one after the other.
#pragma once
#include "kernels/attention/attention.h"
#include "tests/kernels/cases.h"

namespace lookhere {

using kernels::AttentionSizes;

template <class T>
struct Result {
  std::vector<T> out, lse, dqkv, drelative, dprefix;
};

// One problem with random inputs; `size` scales queries and keys.
template <class T>
struct Problem {
  AttentionSizes sizes;
  std::vector<LookHereHead> heads;  // empty: plain attention
  std::vector<T> relative, key, qkv, dout, prefix = {};

  Problem(Grid grid, long prefix, long head_dim, std::vector<LookHereHead> views, long head_count, double size = 1)
      : sizes{.images = 2,
              .tokens = grid.patches() + prefix,
              .heads = views.empty() ? head_count : static_cast<long>(views.size()),
              .head_dim = head_dim,
              .grid = grid},
        heads(std::move(views)),
        qkv(random_values<T>(sizes.images * sizes.tokens * sizes.head_stride(), 1, -size, size)),
        dout(random_values<T>(sizes.images * sizes.tokens * sizes.heads * head_dim, 2)) {
    if (heads.empty()) return;
    relative.resize(sizes.heads * kernels::relative_size(grid));
    key.resize(sizes.heads * grid.patches());
    for (long h = 0; h < sizes.heads; ++h) {
      kernels::relative_bias(relative.data() + h * kernels::relative_size(grid), heads[h], grid);
      kernels::key_bias(key.data() + h * grid.patches(), heads[h], grid);
    }
  }
  Problem(Grid grid, long prefix, long head_dim, const std::vector<LookHereHead>& views)
      : Problem(grid, prefix, head_dim, views, 0) {}

  kernels::AttentionBias<T> bias() const {
    return {.heads = heads.empty() ? nullptr : heads.data(),
            .relative = relative.empty() ? nullptr : relative.data(),
            .key = key.empty() ? nullptr : key.data(),
            .prefix = prefix.empty() ? nullptr : prefix.data()};
  }
  // Tables without heads want a plan whose heads see everything.
  std::shared_ptr<const kernels::AttentionPlan> plan() const {
    std::vector<LookHereHead> views = heads;
    if (views.empty() && !relative.empty()) views.resize(sizes.heads);
    return kernels::make_attention_plan(views, sizes.heads, sizes.grid, sizes.prefix(), sizes.head_dim);
  }
  T scale() const { return 1 / std::sqrt(static_cast<T>(sizes.head_dim)); }

  // `learned`: the gradient of the table too. `workspace`: how many values.
  template <class Forward, class Backward>
  Result<T> run(Forward forward, Backward backward, long workspace, bool learned = false) const {
    Result<T> r{.out = std::vector<T>(dout.size(), kNaN<T>),
                .lse = std::vector<T>(sizes.images * sizes.heads * sizes.tokens, kNaN<T>),
                .dqkv = std::vector<T>(qkv.size(), kNaN<T>),
                .drelative = std::vector<T>(learned ? relative.size() : 0, kNaN<T>),
                .dprefix = std::vector<T>(learned ? prefix.size() : 0, kNaN<T>)};
    const auto plan = this->plan();
    std::vector<T> memory(workspace, kNaN<T>);
    forward(kernels::Attention<T>{.out = r.out.data(),
                                  .lse = r.lse.data(),
                                  .qkv = qkv.data(),
                                  .bias = bias(),
                                  .sizes = sizes,
                                  .scale = scale(),
                                  .plan = plan.get(),
                                  .workspace = memory.data()});
    backward(kernels::AttentionBackward<T>{.dqkv = r.dqkv.data(),
                                           .drelative = learned ? r.drelative.data() : nullptr,
                                           .dprefix = learned && !prefix.empty() ? r.dprefix.data() : nullptr,
                                           .dout = dout.data(),
                                           .out = r.out.data(),
                                           .qkv = qkv.data(),
                                           .lse = r.lse.data(),
                                           .bias = bias(),
                                           .sizes = sizes,
                                           .scale = scale(),
                                           .plan = plan.get(),
                                           .workspace = memory.data()});
    return r;
  }
  Result<T> fast(bool learned = false) const {
    return run([](const auto& p) { kernels::attention(Cpu{}, p); },
               [](const auto& p) { kernels::attention_backward(Cpu{}, p); },
               kernels::attention_workspace(*plan(), sizes), learned);
  }
  Result<T> tiled() const {
    return run([](const auto& p) { kernels::attention_tiled(Cpu{}, p); },
               [](const auto& p) { kernels::attention_tiled_backward(Cpu{}, p); }, 0);
  }
  template <class Context = Cpu>
  Result<T> naive(Context context = {}) const {
    return run([=](const auto& p) { kernels::attention_naive(context, p); },
               [=](const auto& p) { kernels::attention_naive_backward(context, p); }, 0);
  }
};

// `values` rounded to bf16, in place as well.
inline std::vector<bf16> rounded(std::vector<float>& values) {
  std::vector<bf16> all;
  for (float& v : values) all.emplace_back(v), v = static_cast<float>(all.back());
  return all;
}

// Both passes of `p` in bf16, with its inputs rounded, as floats. `workspace`: how many values.
template <class Forward, class Backward>
Result<float> run_in_bf16(Problem<float>& p, Forward forward, Backward backward, long workspace, long window = 0) {
  const std::vector<bf16> qkv = rounded(p.qkv), dout = rounded(p.dout);
  std::vector<bf16> out(dout.size(), bf16(kNaN<float>)), dqkv(qkv.size(), bf16(kNaN<float>));
  std::vector<float> lse(p.sizes.images * p.sizes.heads * p.sizes.tokens, kNaN<float>), memory(workspace, kNaN<float>);
  const kernels::AttentionBias<float> same = p.bias();
  kernels::AttentionBias<bf16> bias;
  bias.heads = same.heads, bias.relative = same.relative, bias.key = same.key, bias.prefix = same.prefix;
  bias.window = window;
  forward(kernels::Attention<bf16>{.out = out.data(),
                                   .lse = lse.data(),
                                   .qkv = qkv.data(),
                                   .bias = bias,
                                   .sizes = p.sizes,
                                   .scale = p.scale(),
                                   .workspace = memory.data()});
  backward(kernels::AttentionBackward<bf16>{.dqkv = dqkv.data(),
                                            .dout = dout.data(),
                                            .out = out.data(),
                                            .qkv = qkv.data(),
                                            .lse = lse.data(),
                                            .bias = bias,
                                            .sizes = p.sizes,
                                            .scale = p.scale(),
                                            .workspace = memory.data()});
  const auto floats = [](const std::vector<bf16>& values) { return std::vector<float>(values.begin(), values.end()); };
  return {.out = floats(out), .lse = lse, .dqkv = floats(dqkv), .drelative = {}, .dprefix = {}};
}

// Of two heads the first sees nothing: attend(problem) gives it zeros, and the other one values.
template <class F>
void expect_zeros_of_a_blind_head(Grid grid, long head_dim, F attend) {
  Problem<float> p(grid, 0, head_dim, {LookHereHead{}, LookHereHead{}});
  p.heads.clear();
  std::fill_n(p.relative.begin(), kernels::relative_size(p.sizes.grid), -kInf<float>);
  const Result<float> got = attend(p);
  const auto blind = [&](std::size_t i) { return static_cast<long>(i) % (2 * head_dim) < head_dim; };
  for (std::size_t i = 0; i < got.out.size(); ++i) ASSERT_EQ(got.out[i] == 0, blind(i)) << i;
  for (std::size_t i = 0; i < got.dqkv.size(); ++i) {
    ASSERT_TRUE(std::isfinite(got.dqkv[i])) << i;
    ASSERT_TRUE(got.dqkv[i] == 0 || !blind(i)) << i;
  }
  for (long i = 0; i < p.sizes.tokens; ++i) ASSERT_EQ(got.lse[i], -kInf<float>);
}

}  // namespace lookhere
