// Calibration: are answers that the model calls 80 % sure right 80 % of the time? (Guo et al. 2017, arXiv 1706.04599)
#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace lookhere {

// What the model says of its likeliest class, and whether that is the label (ties count against it, as in top-1).
struct Answer {
  double confidence;  // in [0, 1]
  bool right;
};
// sigmoid: the confidence is 1 / (1 + exp(-logit)), as for a model trained with binary cross-entropy, else softmax's.
Answer answer_of(const float* logits, long classes, long label, bool sigmoid);

// Of a batch: logits f32 [b, classes], labels i64 [b], both in host memory.
void add_answers(std::vector<Answer>& answers, const Tensor& logits, const Tensor& labels, bool sigmoid);

struct Calibration {
  struct Bin {
    long count = 0;
    double confidence = 0, accuracy = 0;  // means of its answers
  };
  std::vector<Bin> bins;  // of equal width; bin m of M holds confidences in (m/M, (m+1)/M], the first one also 0
  long count() const;
  // ECE = Σ count / all · |accuracy - confidence|, in [0, 1]; 0 without answers.
  double expected_error() const;
};
// Throws Error for a confidence that is not in [0, 1] and for less than one bin.
Calibration calibration_of(const std::vector<Answer>& answers, long bins = 15);

}  // namespace lookhere
