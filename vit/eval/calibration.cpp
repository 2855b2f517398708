// Sums in f64 over the answers in their order.
#include "vit/eval/calibration.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "vit/eval/accuracy.h"

namespace lookhere {

Answer answer_of(const float* logits, long classes, long label, bool sigmoid) {
  const double largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  if (sigmoid)
    sum = 1 + std::exp(-largest);
  else
    for (long c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
  return {.confidence = 1 / sum, .right = rank_of_label(logits, classes, label) == 0};
}

void add_answers(std::vector<Answer>& answers, const Tensor& logits, const Tensor& labels, bool sigmoid) {
  const long classes = logits.shape()[1];
  for (long i = 0; i < labels.numel(); ++i)
    answers.push_back(answer_of(logits.host<float>() + i * classes, classes, labels.host<i64>()[i], sigmoid));
}

long Calibration::count() const {
  long all = 0;
  for (const Bin& bin : bins) all += bin.count;
  return all;
}

double Calibration::expected_error() const {
  double sum = 0;
  for (const Bin& bin : bins) sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
  return sum / static_cast<double>(std::max(count(), 1L));
}

Calibration calibration_of(const std::vector<Answer>& answers, long bins) {
  check(bins >= 1, "calibration: wanted at least 1 bin, got ", bins);
  Calibration result{.bins = std::vector<Calibration::Bin>(bins)};
  for (const Answer& answer : answers) {
    check(answer.confidence >= 0 && answer.confidence <= 1, "calibration: wanted confidences from 0 to 1, got ",
          answer.confidence);
    const auto above = static_cast<long>(std::ceil(answer.confidence * static_cast<double>(bins)));
    Calibration::Bin& bin = result.bins[std::max(above - 1, 0L)];
    ++bin.count, bin.confidence += answer.confidence, bin.accuracy += answer.right ? 1 : 0;
  }
  for (Calibration::Bin& bin : result.bins)
    if (bin.count > 0) {
      const auto n = static_cast<double>(bin.count);
      bin.confidence /= n, bin.accuracy /= n;
    }
  return result;
}

}  // namespace lookhere
