// What is made once per grid, and the hooks where the model calls them.
#include "vit/model/position/model_position.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace lookhere {

// The last grids, the latest first: training alternates between few sizes, evaluation between training's and its own.
struct ModelPosition::Cache {
  static constexpr std::size_t kMost = 8;
  std::mutex mutex;
  std::vector<std::shared_ptr<const PositionOnGrid>> recent;
};

ModelPosition::ModelPosition(const PositionConfig& config, const PositionSizes& sizes, Init& init)
    : config_(config), sizes_(sizes), device_(init.device()), cache_(std::make_shared<Cache>()) {
  for (const PositionParameter& parameter : config->parameters(sizes)) {
    names_.push_back(parameter.name);
    parameters_.push_back(parameter.init(init, parameter.shape));
  }
}

std::shared_ptr<const PositionOnGrid> ModelPosition::on(Grid grid, Dtype dtype) const {
  const std::lock_guard lock(cache_->mutex);
  auto& recent = cache_->recent;
  const auto found =
      std::ranges::find_if(recent, [&](const auto& made) { return made->grid == grid && made->dtype == dtype; });
  if (found != recent.end()) {
    std::rotate(recent.begin(), found, found + 1);
    return recent.front();
  }
  auto made = make(grid, dtype);
  recent.insert(recent.begin(), made);
  if (recent.size() > Cache::kMost) recent.pop_back();
  return made;
}

namespace {

// -log of the number of tokens that one of each head sees in the mean.
Tensor sigmoid_shift(const AttentionHeads& planned, const PositionSizes& z, Dtype dtype) {
  std::vector<double> shift;
  for (long h = 0; h < z.heads; ++h) {
    const LookHereHead head = planned.heads.empty() ? LookHereHead{} : planned.heads[h];
    const long pairs = kernels::visible_pairs(head, planned.grid, z.prefix);
    shift.push_back(std::log(static_cast<double>(planned.grid.patches() + z.prefix) / static_cast<double>(pairs)));
  }
  return from_vector(shift, {z.heads}, Device::cpu).to(dtype);
}

}  // namespace

std::shared_ptr<const PositionOnGrid> ModelPosition::make(Grid grid, Dtype dtype) const {
  const auto made = std::make_shared<PositionOnGrid>();
  made->grid = grid, made->dtype = dtype;
  for (const Tensor& constant : config_->constants(sizes_, grid, dtype))
    made->constants.emplace_back(constant.to(device_));
  if (parameters_.empty())
    if (const Var constant = config_->embed(sizes_, {}, grid, dtype); constant.defined())
      made->embedding = Var(constant.value().to(device_));
  if (const Rotation r = config_->rotate(sizes_, grid, acc_of(dtype)); r.cos.defined())
    made->rotation = {.cos = r.cos.to(device_), .sin = r.sin.to(device_)};
  const NoGrad only_whether_they_are_defined;
  const std::vector<Var> in = inputs(*made);
  for (long layer = 0; layer < sizes_.depth; ++layer) {
    std::vector<LookHereHead> heads;
    for (const NamedHead& named : config_->bias(sizes_, layer)) heads.push_back(named.head);
    // A learned table needs a plan that knows the grid: heads that see everything.
    if (heads.empty() && (config_->table(sizes_, in, grid, layer).defined() ||
                          config_->by_position(sizes_, in, grid, layer).share.defined()))
      heads.resize(sizes_.heads);
    AttentionHeads planned = make_attention_heads(std::move(heads), grid, dtype, device_);
    if (sizes_.sigmoid) planned.shift = sigmoid_shift(planned, sizes_, acc_of(dtype)).to(device_);
    plan_attention(planned, sizes_.heads, sizes_.prefix, sizes_.head_dim(), layer ? &made->heads.back() : nullptr);
    made->heads.push_back(std::move(planned));
  }
  return made;
}

std::vector<Var> ModelPosition::inputs(const PositionOnGrid& on_grid) const {
  std::vector<Var> all = parameters_;
  all.insert(all.end(), on_grid.constants.begin(), on_grid.constants.end());
  return all;
}

Var ModelPosition::embed(const Var& patches, const PositionOnGrid& on_grid) const {
  const Var embedding =
      parameters_.empty() ? on_grid.embedding : config_->embed(sizes_, inputs(on_grid), on_grid.grid, on_grid.dtype);
  return embedding.defined() ? add(patches, embedding) : patches;
}

std::vector<std::pair<std::string, Tensor>> ModelPosition::moved_to(const PositionOnGrid& on_grid) const {
  const NoGrad values_alone;
  std::vector<std::pair<std::string, Tensor>> all;
  for (const MovedParameter& moved : config_->moved_to(sizes_, inputs(on_grid), on_grid.grid))
    all.emplace_back(names_[moved.place], moved.value.value());
  return all;
}

LayerPosition ModelPosition::in_layer(const PositionOnGrid& on_grid, long layer) const {
  const std::vector<Var> in = inputs(on_grid);
  const PositionalAttention by_position = config_->by_position(sizes_, in, on_grid.grid, layer);
  return {.heads = on_grid.heads[layer],
          .rotation = on_grid.rotation,
          .table = config_->table(sizes_, in, on_grid.grid, layer),
          .prefix = config_->prefix(sizes_, in, on_grid.grid, layer),
          .by_position = by_position.table,
          .share = by_position.share,
          .angles = config_->angles(sizes_, in, on_grid.grid, layer),
          .by_query = config_->by_query(sizes_, in, on_grid.grid, layer)};
}

}  // namespace lookhere
