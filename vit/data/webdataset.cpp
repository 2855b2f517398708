// Which archives make a split, and which of their members make a sample.
#include "vit/data/webdataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <numeric>

#include "tensor/system/posix.h"
#include "tensor/text.h"
#include "vit/data/photographs.h"
#include "vit/data/tar_index.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxArchives = 100'000;
constexpr long kMaxLabel = 1L << 20, kMaxLabelBytes = 1L << 20, kMaxNamesBytes = 16L << 20;

bool has_archive_name(const std::string& name) {
  static constexpr std::array kEndings{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2"};
  return std::ranges::any_of(kEndings, [&](const char* ending) { return name.ends_with(ending); });
}

// The alternatives in braces: "0000..0146", counted with as many digits, or "train,val".
std::vector<std::string> alternatives(const std::string& inside, const std::string& pattern) {
  std::vector<std::string> all;
  const std::size_t dots = inside.find("..");
  if (dots == inside.npos) {
    for (std::size_t begin = 0, end = 0; end != inside.npos; begin = end + 1) {
      end = inside.find(',', begin);
      all.push_back(inside.substr(begin, end - begin));
    }
    return all;
  }
  const auto number = [&](const std::string& text) {
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    check(error == std::errc() && end == text.data() + text.size() && value >= 0, pattern,
          ": wanted {FIRST..LAST}, two numbers, got ", shown("{" + inside + "}"));
    return value;
  };
  const std::string low = inside.substr(0, dots);
  const long first = number(low), last = number(inside.substr(dots + 2));
  check(first <= last && last - first < static_cast<long>(kMaxArchives), pattern, ": wanted 1 to ", kMaxArchives,
        " files, got ", shown("{" + inside + "}"));
  for (long i = first; i <= last; ++i) {
    const std::string digits = std::to_string(i);
    all.push_back(std::string(std::max(low.size(), digits.size()) - digits.size(), '0') + digits);
  }
  return all;
}

std::vector<std::string> expanded(const std::string& pattern) {
  std::vector<std::string> all{""};
  for (std::size_t at = 0; at < pattern.size();) {
    const std::size_t open = std::min(pattern.find('{', at), pattern.size()), close = pattern.find('}', open);
    std::vector<std::string> next, some{""};
    if (open < pattern.size()) {
      check(close != pattern.npos && pattern.find('{', open + 1) >= close, pattern,
            ": wanted braces that are closed, none in another");
      some = alternatives(pattern.substr(open + 1, close - open - 1), pattern);
    }
    check(some.size() <= kMaxArchives / all.size(), pattern, ": wanted at most ", kMaxArchives, " files");
    const std::string between = pattern.substr(at, open - at);
    for (const std::string& before : all)
      for (const std::string& one : some) next.push_back(concat(before, between, one));
    all = std::move(next);
    at = open < pattern.size() ? close + 1 : open;
  }
  return all;
}

// In the order of their names.
std::vector<std::string> archives_of(const std::string& source) {
  std::error_code error;
  if (!fs::is_directory(source, error)) return names_archives(source) ? expanded(source) : std::vector<std::string>();
  std::vector<std::string> paths;
  for (fs::directory_iterator it(source, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (!name.starts_with('.') && has_archive_name(name) && it->is_regular_file(ignored))
      paths.push_back(it->path().string());
  }
  check_system(error, "list", source);
  std::ranges::sort(paths);
  return paths;
}

bool is_for_testing(const std::string& path) {
  std::string word;
  for (const char c : lower_case(fs::path(path).filename().string()) + ".") {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word += c;
      continue;
    }
    if (std::ranges::find(kValidationNames, word) != kValidationNames.end() ||
        std::ranges::find(kTestNames, word) != kTestNames.end())
      return true;
    word.clear();
  }
  return false;
}

struct Split {
  std::vector<std::string> archives;
  Part part;
};
// Without archives: there is no such split.
Split split_of(const std::string& source, bool train) {
  std::vector<std::string> training = archives_of(source), test;
  std::ranges::copy_if(training, std::back_inserter(test), is_for_testing);
  std::erase_if(training, is_for_testing);
  if (test.empty()) return {training, train ? Part::kept : Part::held_out};
  return {train ? training : test, Part::all};
}

// A member's name taken apart as webdataset does; no kind: it belongs to no sample.
struct Name {
  std::string key, kind;
};
Name taken_apart(const std::string& name) {
  const std::size_t begin = name.rfind('/') + 1, dot = name.find('.', begin);  // npos + 1 is 0
  if (dot == name.npos || dot == begin) return {name, ""};
  return {name.substr(0, dot), lower_case(name.substr(dot + 1))};
}

std::int32_t label_in(std::string_view text, bool json, const std::string& where) {
  long label = -1;
  if (json) {
    const nlohmann::json object = parse_object(text, where);
    check(object.contains("label"), where, ": wanted \"label\", the number of a class");
    const nlohmann::json& value = object["label"];
    check(value.is_number_integer(), where, ": wanted the number of a class, got ", described(value));
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxLabel);
    label = huge ? kMaxLabel : value.get<long>();
  } else {
    constexpr const char* kBlanks = " \t\r\n";
    const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
    const std::string_view digits = text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), label);
    check(error == std::errc() && end == digits.data() + digits.size(), where, ": wanted the number of a class, got ",
          shown(text));
  }
  check(0 <= label && label < kMaxLabel, where, ": wanted the number of a class below ", kMaxLabel, ", got ", label);
  return static_cast<std::int32_t>(label);
}

// Appends the samples of one archive.
void add_samples(ImageFiles& files, const std::string& path) {
  const MappedFile archive(path);
  const std::vector<TarMember> members = index_tar(archive);
  struct Sample {
    const TarMember *picture = nullptr, *label = nullptr;
    bool json = false;
  };
  std::map<std::string, Sample> samples;
  const auto where = [&](const TarMember& member) { return concat(path, ": ", shown(member.name)); };
  const auto check_member = [&](bool ok, const TarMember* member, const auto&... parts) {
    if (!ok) fail(where(*member), ": ", parts...);
  };
  for (const TarMember& member : members) {
    const auto [key, kind] = taken_apart(member.name);
    const bool picture = kind == "jpg" || kind == "jpeg" || kind == "png", number = kind == "cls";
    if (!picture && !number && kind != "json") continue;
    Sample& sample = samples[key];
    if (!picture && sample.label && sample.json == number) {  // of both kinds the number counts
      if (number) sample.label = &member, sample.json = false;
      continue;
    }
    const TarMember*& place = picture ? sample.picture : sample.label;
    check_member(!place, &member, "the sample has ", picture ? "a picture" : "a label", " already, ",
                 place ? shown(place->name) : "");
    place = &member;
    if (!picture) sample.json = !number;
  }
  const auto index = static_cast<std::int32_t>(files.archives.size());
  // By their place beside the first archive: a data set that has been moved is the same.
  const std::string below = fs::path(path).lexically_relative(files.root.empty() ? "." : files.root).string();
  files.archives.push_back(below.empty() ? path : below);
  for (const TarMember& member : members) {  // in the archive's order
    const auto found = samples.find(taken_apart(member.name).key);
    if (found == samples.end()) continue;
    const Sample& sample = found->second;
    check_member(sample.picture || sample.json, sample.label, "wanted a picture of this name (jpg, jpeg, png)");
    if (sample.picture != &member) continue;
    check_member(sample.label, &member, "wanted a label of this name (cls, json), found none");
    check_member(sample.label->length <= kMaxLabelBytes, sample.label, sample.label->length,
                 " bytes, more than the limit of ", kMaxLabelBytes);
    const std::string_view text = archive.text().substr(static_cast<std::size_t>(sample.label->offset),
                                                        static_cast<std::size_t>(sample.label->length));
    files.labels.push_back(label_in(text, sample.json, where(*sample.label)));
    files.paths.push_back(files.archives.back() + "/" + member.name);
    files.members.push_back({.archive = index, .offset = member.offset, .length = member.length});
  }
}

// Class after class, and within one as before.
void sort_by_class(ImageFiles& files) {
  std::vector<std::size_t> order(files.paths.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return files.labels[i]; });
  ImageFiles sorted{.root = files.root, .classes = files.classes, .archives = files.archives};
  for (const std::size_t i : order) {
    sorted.paths.push_back(std::move(files.paths[i]));
    sorted.labels.push_back(files.labels[i]);
    sorted.members.push_back(files.members[i]);
  }
  files = std::move(sorted);
}

// One name per line; none if there is no such file.
std::vector<std::string> class_names_beside(const std::string& archive) {
  const fs::path path = fs::path(archive).parent_path() / "classnames.txt";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  const MappedFile file(path.string());
  check(file.size() <= kMaxNamesBytes, file.path(), ": ", file.size(), " bytes, more than the limit of ",
        kMaxNamesBytes);
  std::vector<std::string> names;
  for (std::string_view rest = file.text(); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (names.back().ends_with('\r')) names.back().pop_back();
    check(!names.back().empty() && is_utf8(names.back()), file.path(), ": line ", names.size(),
          ": wanted the name of a class, got ", shown(names.back()));
  }
  check(!names.empty(), file.path(), ": wanted one class name per line, got an empty file");
  return names;
}

}  // namespace

bool names_archives(const std::string& source) {
  std::error_code ignored;
  return has_archive_name(source) && !fs::is_directory(source, ignored);
}

bool is_webdataset(const std::string& source, bool train) { return !split_of(source, train).archives.empty(); }

Dataset read_webdataset(const std::string& source, bool train, const DatasetOptions& options) {
  const Split split = split_of(source, train);
  check(!split.archives.empty(), source, ": wanted tar archives to ", train ? "train" : "test", " with, found none");
  ImageFiles files{.root = fs::path(split.archives.front()).parent_path().string(), .classes = {}};
  for (const std::string& archive : split.archives) add_samples(files, archive);
  check(!files.paths.empty(), source, ": wanted samples KEY.jpg with KEY.cls or KEY.json, found none");
  sort_by_class(files);
  files.classes = class_names_beside(split.archives.front());
  const long classes = files.labels.back() + 1L;
  const bool named = !files.classes.empty();
  check(!named || classes <= std::ssize(files.classes), source, ": ", shown(files.paths.back()), " is of class ",
        classes - 1, ", and classnames.txt has ", files.classes.size(), " names");
  for (long i = std::ssize(files.classes); i < classes; ++i) files.classes.push_back(std::to_string(i));
  check(!train || files.classes.size() > 1, source, ": wanted samples of at least two classes, found one, ",
        shown(files.classes.front()));
  Dataset dataset = photographs(std::move(files), split.part, options, source);
  if (!train && !named && split.part == Part::all) dataset.classes = 0, dataset.class_names.clear();
  return dataset;
}

}  // namespace lookhere
