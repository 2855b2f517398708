// Attention's ladder: one query at a time, tiles of queries that see everything, and tiles that compute what they see.
#include "kernels/attention.h"

#include "kernels/bench/bench.h"

namespace {

using namespace kernels;
using namespace kernels::bench;

// The published layouts: four and four directed heads, the rest sees all; with six heads, four directed ones.
constexpr HalfPlane kUp{-1, 0}, kDown{1, 0}, kLeft{0, -1}, kRight{0, 1};
constexpr HalfPlane kUpLeft{-1, -1}, kUpRight{-1, 1}, kDownLeft{1, -1}, kDownRight{1, 1};
const std::map<std::string, std::vector<FieldOfView>> kViews{{"lh180",
                                                              {{kUp, {}},
                                                               {kDown, {}},
                                                               {kLeft, {}},
                                                               {kRight, {}},
                                                               {kUpRight, {}},
                                                               {kUpLeft, {}},
                                                               {kDownRight, {}},
                                                               {kDownLeft, {}}}},
                                                             {"lh90",
                                                              {{kUp, kLeft},
                                                               {kUp, kRight},
                                                               {kDown, kLeft},
                                                               {kDown, kRight},
                                                               {kUpLeft, kUpRight},
                                                               {kDownLeft, kDownRight},
                                                               {kUpLeft, kDownLeft},
                                                               {kUpRight, kDownRight}}},
                                                             {"lh45",
                                                              {{kUpRight, kLeft},
                                                               {kDownRight, kLeft},
                                                               {kDownLeft, kUp},
                                                               {kDownRight, kUp},
                                                               {kUpLeft, kRight},
                                                               {kDownLeft, kRight},
                                                               {kUpLeft, kDown},
                                                               {kUpRight, kDown}}}};

// What the rungs of one shape share.
struct Inputs {
  AttentionSizes sizes;
  std::vector<float> qkv, dout;
  explicit Inputs(const AttentionSizes& z)
      : sizes(z),
        qkv(random_values(z.images * z.tokens * z.head_stride())),
        dout(random_values(z.images * z.tokens * z.heads * z.head_dim, 2)) {}
};
struct Bias {
  std::vector<LookHereHead> heads;  // empty: every head sees all
  std::vector<float> relative;
  Bias(const std::string& layout, const AttentionSizes& z) {
    if (layout == "dense") return;
    const auto& views = kViews.at(layout);
    for (long h = 0; h < z.heads; ++h) {
      const bool directed = h < (2 * z.heads + 1) / 3;
      heads.push_back({.view = directed ? views[h % views.size()] : FieldOfView{}, .slope = directed ? 0.5 : 0.25});
      relative.resize(relative.size() + relative_size(z.grid));
      relative_bias(relative.data() + h * relative_size(z.grid), heads.back(), z.grid);
    }
  }
  AttentionBias<float> view() const {
    return {.heads = heads.empty() ? nullptr : heads.data(), .relative = relative.empty() ? nullptr : relative.data()};
  }
};

// One rung: its layout, and results that its backward pass needs as its forward pass left them.
struct Rung {
  std::string name, layout;
  bool naive;
  std::shared_ptr<Inputs> in;
  Bias bias;
  AttentionPlan plan;
  std::vector<float> workspace, out, lse, dqkv;

  Rung(std::string rung, const std::string& directions, bool is_naive, const std::shared_ptr<Inputs>& inputs)
      : name(std::move(rung)),
        layout(directions),
        naive(is_naive),
        in(inputs),
        bias(layout, in->sizes),
        plan(make_attention_plan(bias.heads, in->sizes.heads, in->sizes.grid, in->sizes.prefix(), in->sizes.head_dim)),
        workspace(attention_workspace(plan, in->sizes)),
        out(in->dout.size()),
        lse(in->sizes.images * in->sizes.heads * in->sizes.tokens),
        dqkv(in->qkv.size()) {
    attention(Cpu{}, problem());
  }
  float scale() const { return 1 / std::sqrt(static_cast<float>(in->sizes.head_dim)); }
  Attention<float> problem() {
    return {.out = out.data(),
            .lse = lse.data(),
            .qkv = in->qkv.data(),
            .bias = bias.view(),
            .sizes = in->sizes,
            .scale = scale(),
            .plan = &plan,
            .workspace = workspace.data()};
  }
  void forward() { naive ? attention_naive(Cpu{}, problem()) : attention(Cpu{}, problem()); }
  void backward() {
    const AttentionBackward<float> gradient{.dqkv = dqkv.data(),
                                            .dout = in->dout.data(),
                                            .out = out.data(),
                                            .qkv = in->qkv.data(),
                                            .lse = lse.data(),
                                            .bias = bias.view(),
                                            .sizes = in->sizes,
                                            .scale = scale(),
                                            .plan = &plan,
                                            .workspace = workspace.data()};
    naive ? attention_naive_backward(Cpu{}, gradient) : attention_backward(Cpu{}, gradient);
  }
};

void add_rung(std::vector<Case>& forward, std::vector<Case>& backward, const std::shared_ptr<Rung>& rung) {
  const AttentionSizes& z = rung->in->sizes;
  Case c{.kernel = "attention",
         .rung = rung->name,
         .shape = std::to_string(z.images) + "x" + std::to_string(z.tokens) + " tokens, " + std::to_string(z.heads) +
                  "x" + std::to_string(z.head_dim)};
  for (long h = 0; h < z.heads; ++h) {
    const LookHereHead head = rung->bias.heads.empty() ? LookHereHead{} : rung->bias.heads[h];
    c.visible_pairs += z.images * visible_pairs(head, z.grid, z.prefix());
    c.computed_pairs += z.images * (rung->naive ? z.tokens * z.tokens : rung->plan.heads[h]->computed);
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
    const auto in = std::make_shared<Inputs>(AttentionSizes{
        .images = images, .tokens = side * side + 1, .heads = heads, .head_dim = head_dim, .grid = {side, side}});
    if (side <= 8) add_rung(cases, backward, std::make_shared<Rung>("naive lh90", "lh90", true, in));
    for (const char* layout : {"dense", "lh180", "lh90", "lh45"})
      add_rung(cases, backward, std::make_shared<Rung>(std::string("fused ") + layout, layout, false, in));
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
