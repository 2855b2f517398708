// Queries side by side, each with a row of every head: memory of heads times tokens for each thread.
#include "vit/eval/heads.h"

#include <cmath>

#include "tensor/parallel.h"

namespace lookhere {
namespace {

double entropy(const std::vector<double>& row) {
  double sum = 0;
  for (const double p : row)
    if (p > 0) sum -= p * std::log(p);
  return sum;
}

struct OfQuery {
  double diversity = 0, distance = 0;
};

}  // namespace

double jensen_shannon(const std::vector<std::vector<double>>& rows) {
  const auto heads = static_cast<double>(rows.size());
  std::vector<double> mean(rows[0].size(), 0);
  double of_each = 0;
  for (const std::vector<double>& row : rows) {
    for (std::size_t key = 0; key < row.size(); ++key) mean[key] += row[key] / heads;
    of_each += entropy(row) / heads;
  }
  return entropy(mean) - of_each;
}

double mean_distance(const std::vector<double>& patches, Grid grid, long query) {
  double sum = 0, share = 0;
  for (long key = 0; key < grid.patches(); ++key) {
    const auto dy = static_cast<double>(key / grid.x - query / grid.x);
    const auto dx = static_cast<double>(key % grid.x - query % grid.x);
    sum += patches[key] * std::hypot(dy, dx), share += patches[key];
  }
  return share > 0 ? sum / share : 0;
}

// Σ over pairs of u·v is (|Σ u|² - Σ |u|²) / 2, u of length 1: no pair is looked at.
double mean_cosine(const float* tokens, long count, long features) {
  if (count < 2) return 1;
  std::vector<double> sum(features, 0);
  double own = 0;
  for (long t = 0; t < count; ++t) {
    const float* token = tokens + t * features;
    double square = 0;
    for (long f = 0; f < features; ++f) square += static_cast<double>(token[f]) * static_cast<double>(token[f]);
    if (square == 0) continue;
    const double length = std::sqrt(square);
    for (long f = 0; f < features; ++f) sum[f] += static_cast<double>(token[f]) / length;
    ++own;
  }
  double square = 0;
  for (const double s : sum) square += s * s;
  return (square - own) / static_cast<double>(count * (count - 1));
}

std::vector<LayerStatistics> layer_statistics(ViT& model, const Tensor& image) {
  std::vector<LayerStatistics> all;
  const AttentionRows rows(model, image, [&](const Tensor& left) {
    const Tensor host = left.to(Device::cpu);
    const long features = host.shape()[2], before = model.config().prefix();
    all.push_back(
        {.similarity = mean_cosine(host.host<float>() + before * features, host.shape()[1] - before, features)});
  });
  const Grid grid = rows.grid();
  const long prefix = rows.prefix(), tokens = rows.tokens(), heads = rows.heads();
  for (long layer = 0; layer < rows.depth(); ++layer) {
    std::vector<OfQuery> of(tokens);
    parallel_tasks(tokens, [&](long query) {
      std::vector<std::vector<double>> of_heads(heads);
      for (long head = 0; head < heads; ++head) {
        std::vector<double>& row = of_heads[head];
        rows.shares(layer, head, query, row);
        if (query >= prefix)
          of[query].distance +=
              mean_distance({row.begin() + prefix, row.end()}, grid, query - prefix) / static_cast<double>(heads);
      }
      of[query].diversity = jensen_shannon(of_heads);
    });
    for (const OfQuery& q : of) {
      all[layer].diversity += q.diversity / static_cast<double>(tokens);
      all[layer].distance += q.distance / static_cast<double>(grid.patches());
    }
  }
  return all;
}

}  // namespace lookhere
