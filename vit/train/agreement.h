// What ranks that train together agree about. Everything here is asked of all of them at the same time.
#pragma once
#include <functional>

#include "tensor/communicator.h"
#include "vit/data/dataset.h"
#include "vit/model/vit.h"
#include "vit/train/recipe.h"

namespace lookhere {

// Rank 0 leads, the others follow. Nobody returns before all have done their part, however long the first one saves:
// who left before would be taken for a dead end.
void lead_or_follow(Communicator& team, const std::function<void()>& lead, const std::function<void()>& follow);

// The number of shards. Where a rank's recipe leaves it open rank 0's holds, whose threads decide if its does, too.
long agreed_shards(const Recipe& recipe, Communicator& team);
// Throws Error if a rank has other options than rank 0, naming them.
void require_same_options(const Recipe& recipe, Communicator& team);
// The same for weights, after so many updates.
void require_same_weights(ViT& model, long step, Communicator& team);
// Tells all which images any of them has skipped. Throws Error where together these are too many.
void share_skipped(const Dataset& data, Communicator& team);

}  // namespace lookhere
