// AdamW over a module's parameters, with gradient-norm clipping and an exponential moving average of the weights.
#pragma once
#include <cmath>
#include <optional>

#include "nn/arena.h"

namespace lookhere {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.05;
  double clip_norm = 1;  // 0: no clipping
  double ema_decay = 0;  // 0: no average
};

class AdamW {
 public:
  // The parameters are moved into a ParameterArena.
  AdamW(const std::vector<Parameter>& parameters, AdamWOptions options);

  // One update from the parameters' gradients, each at learning_rate times its lr_scale, which are then cleared; a
  // parameter without one stays as it is. If any gradient is not finite nothing changes and `bad_tensor` names the
  // first: "the gradient of norm.weight".
  struct Report {
    double gradient_norm = 0;
    std::string bad_tensor;  // empty: the update was made
  };
  Report step(double learning_rate);
  void clear_gradients() { arena_.clear_gradients(); }
  bool has_finite_gradients() const { return std::isfinite(squared_norm()); }

  long updates() const { return updates_; }
  bool has_ema() const { return options_.ema_decay > 0; }
  // The average's decay at this update: it rises to ema_decay so that the first weights are soon forgotten.
  double ema_decay() const;
  // While one lives, the parameters have the averaged weights.
  class UseEma {
   public:
    explicit UseEma(AdamW& optimizer) : optimizer_(optimizer) { optimizer_.swap_ema(); }
    ~UseEma() { optimizer_.swap_ema(); }
    UseEma(const UseEma&) = delete;
    UseEma& operator=(const UseEma&) = delete;

   private:
    AdamW& optimizer_;
  };

  // Everything needed to go on: names "optimizer.exp_avg.<parameter>", "optimizer.exp_avg_sq.<...>", "ema.<...>".
  std::vector<std::pair<std::string, Tensor>> state() const;
  // f(name) gives the saved tensor; shapes are checked.
  void load_state(const std::function<Tensor(const std::string&)>& f, long updates);

 private:
  double squared_norm() const;
  std::string first_bad_gradient() const;
  void swap_ema();
  template <class F>
  void for_each_state(F f) const;
  ParameterArena arena_;
  Tensor m_, v_, ema_;  // of the arena's layout; ema undefined when off
  Tensor spare_;        // for swap_ema, which must not need memory
  AdamWOptions options_;
  long updates_ = 0;
};

}  // namespace lookhere
