// Each says what it has; what comes back is the same for all, and so is what is thrown.
#include "vit/train/agreement.h"

#include <algorithm>
#include <sstream>

#include "tensor/hash.h"
#include "tensor/text.h"
#include "vit/train/resume.h"

namespace lookhere {

void lead_or_follow(Communicator& team, const std::function<void()>& lead, const std::function<void()>& follow) {
  team.rank() == 0 ? lead() : follow();
  team.meet();
}

long agreed_shards(const Recipe& recipe, Communicator& team) {
  std::vector<long> shards(team.size());
  shards[team.rank()] = recipe.shards ? recipe.shards : std::min(shards_of(recipe) * team.size(), recipe.batch_size);
  team.share(shards);
  return recipe.shards ? recipe.shards : shards[0];
}

void require_same_options(const Recipe& recipe, Communicator& team) {
  const std::vector<std::string> all = team.texts(to_json(recipe));
  Recipe first;
  update_from_json(first, all[0]);
  for (long r = 1; r < team.size(); ++r) {
    if (all[r] == all[0]) continue;
    Recipe other;
    update_from_json(other, all[r]);
    std::vector<std::string> options;
    for (const OptionChange& change : differences(first, other))
      options.push_back(concat("--", change.name, ' ', change.after, ", not ", change.before));
    fail("rank ", r, " has other options than rank 0: ", joined(options, "; "));
  }
}

void require_same_weights(ViT& model, long step, Communicator& team) {
  if (team.alone()) return;
  std::string hashes;
  for_each_parameter(model, [&](const std::string&, const Var& p) {
    const Tensor value = p.value().to(Device::cpu);
    hashes += to_hex(hash_of(value.host<std::byte>(), value.bytes()));
  });
  team.require_same(concat(hashes, ' ', step), "weights");
}

void share_skipped(const Dataset& data, Communicator& team) {
  if (team.alone()) return;
  std::string mine;
  for (const auto& [image, why] : data.images->skipped()) mine += concat(image, ' ', why.size(), ' ', why);
  ImageSource::Skipped all;
  for (const std::string& text : team.texts(mine)) {
    std::istringstream in(text);
    in.exceptions(std::ios::badbit);
    for (long image = 0, length = 0; in >> image >> length;) {
      std::string why(length, ' ');
      in.ignore().read(why.data(), length);
      all.emplace(image, why);
    }
  }
  data.images->also_skipped(all);
}

}  // namespace lookhere
