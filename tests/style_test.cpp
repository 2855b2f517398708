// The rules of the house, checked over its files: who may include whom, how files begin, how long they may be.
#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "tests/testing.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

// Each may include itself and what stands before it.
const std::vector<std::string> kFloors{"kernels", "tensor", "autograd", "nn", "vit", "examples"};
constexpr long kLongestFile = 400;

struct File {
  std::string path;  // from the top, as "kernels/gemm/gemm.h"
  std::vector<std::string> lines;
  bool is(const char* extension) const { return path.ends_with(extension); }
  bool is_source() const { return is(".h") || is(".cpp") || is(".cu") || is(".cuh"); }
};

File read(const fs::path& path) {
  File file{path.generic_string(), {}};
  std::istringstream text(read_file(file.path));
  for (std::string line; std::getline(text, line);) file.lines.push_back(line);
  return file;
}

const std::vector<File>& files() {
  static const std::vector<File> all = [] {
    std::vector<File> found;
    std::vector<std::string> folders = kFloors;
    folders.push_back("tests");
    for (const std::string& folder : folders)
      for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && entry.path().extension() != ".json") found.push_back(read(entry.path()));
    for (const char* name : {"Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"})
      if (fs::exists(name)) found.push_back(read(name));
    return found;
  }();
  return all;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.find('/')); }
long floor_of(const std::string& path) {
  return std::find(kFloors.begin(), kFloors.end(), folder_of(path)) - kFloors.begin();
}

// What a line includes in quotes, else nothing.
std::string included(const std::string& line) {
  if (!line.starts_with("#include \"")) return "";
  const std::size_t begin = line.find('"') + 1;
  return line.substr(begin, line.find('"', begin) - begin);
}

// A header that its own .cpp includes first stands alone: the Makefile compiles the others by themselves.
TEST(Style, SourcesIncludeTheirOwnHeaderFirst) {
  long count = 0;
  for (const File& file : files()) {
    const std::string header = fs::path(file.path).replace_extension(".h").generic_string();
    if (!file.is(".cpp") || !fs::exists(header)) continue;
    const auto first =
        std::ranges::find_if(file.lines, [](const std::string& line) { return line.starts_with("#include"); });
    EXPECT_TRUE(first != file.lines.end() && included(*first) == header) << file.path << ": wanted " << header;
    ++count;
  }
  EXPECT_GT(count, 50);
}

TEST(Style, IncludesGoOneWay) {
  long count = 0;
  for (const File& file : files())
    for (const std::string& line : file.lines) {
      const std::string header = included(line);
      if (header.empty()) continue;
      ++count;
      EXPECT_TRUE(fs::exists(header)) << file.path << " includes " << header << ": name headers from the top";
      if (folder_of(file.path) == "tests") continue;  // tests see everything
      EXPECT_LE(floor_of(header), floor_of(file.path)) << file.path << " includes " << header;
    }
  EXPECT_GT(count, 100);  // or this test has lost its files
}

TEST(Style, HeadersAreReadOnce) {
  for (const File& file : files())
    if (file.is(".h") || file.is(".cuh")) {
      EXPECT_EQ(std::count(file.lines.begin(), file.lines.end(), "#pragma once"), 1) << file.path;
    }
}

TEST(Style, FilesSayFirstWhatTheyAre) {
  for (const File& file : files())
    if (file.is_source()) {
      EXPECT_TRUE(!file.lines.empty() && file.lines[0].starts_with("// ") && file.lines[0].size() > 12) << file.path;
    }
}

TEST(Style, FilesAreShort) {
  for (const File& file : files()) {
    if (file.is(".html") || file.is(".csv")) continue;  // which programs write
    EXPECT_LE(static_cast<long>(file.lines.size()), kLongestFile) << file.path << " wants to be two files";
  }
}

// Read in an editor as well as in a browser. Tables and code are as wide as they must be.
TEST(Style, PagesAreWrapped) {
  constexpr long kWidest = 120;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };  // a code point
  long pages = 0;
  for (const File& file : files()) {
    if (!file.is(".md")) continue;
    ++pages;
    bool code = false;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (line.starts_with("```")) code = !code;
      if (code || line.starts_with("|") || line.starts_with("![")) continue;
      EXPECT_LE(std::ssize(line) - std::ranges::count_if(line, continues), kWidest) << file.path << ":" << i + 1;
    }
  }
  EXPECT_GE(pages, 8);
}

// A path of the machine it was written on makes a file wrong everywhere else.
TEST(Style, NoPathsOfOneMachine) {
  for (const char* folder : {"work", "root", "tmp", "home"}) {
    const std::string pattern = std::string("/") + folder + "/";
    for (const File& file : files())
      for (std::size_t i = 0; i < file.lines.size(); ++i)
        EXPECT_EQ(file.lines[i].find(pattern), std::string::npos) << file.path << ":" << i + 1 << ": " << file.lines[i];
  }
}

// A stream that runs out of memory sets a flag that nobody reads, and its text is cut short, unless told to throw.
TEST(Style, StreamsThrow) {
  long streams = 0;
  for (const File& file : files()) {
    if (!file.is_source() || folder_of(file.path) == "tests" || file.path.starts_with("kernels/bench/")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (line.find("stringstream ") == std::string::npos && line.find("fstream ") == std::string::npos) continue;
      ++streams;
      bool throws = false;
      for (std::size_t next = i + 1; next < std::min(i + 4, file.lines.size()); ++next)
        throws = throws || file.lines[next].find(".exceptions(std::ios::badbit)") != std::string::npos;
      EXPECT_TRUE(throws) << file.path << ":" << i + 1 << ": " << line;
    }
  }
  EXPECT_GE(streams, 4);
}

// nlohmann's operator[] and push_back turn what is null into an object that is broken if memory runs out then: say
// json::object() first.
TEST(Style, JsonObjectsBeginAsObjects) {
  const std::regex null("nlohmann::(ordered_)?json [a-z_]+;");
  for (const File& file : files())
    for (const std::string& line : file.lines)
      if (folder_of(file.path) != "tests") {
        EXPECT_FALSE(std::regex_search(line, null)) << file.path << ": " << line;
      }
}

// Elements may be in a GPU's memory. data<T>() and raw() give them to kernels and to comparisons of addresses, in these
// files alone, and dispatch alone says where kernels run; everyone else asks host<T>(), which checks.
TEST(Style, ElementsAreForKernels) {
  const std::regex data(R"(\bdata<[^()]*>\(\))"), raw(R"(\braw\(\))"), context(R"(\bCpu\{\})");
  const std::regex operations(
      "autograd/ops/[a-z_]+\\.cpp|autograd/var\\.cpp|nn/(nccl|optim)\\.cpp|tensor/(tensor|dispatch)\\.h|tensor/"
      "(tensor|sum)\\.cpp");
  const std::set<std::string> addresses{"tensor/tensor.h", "tensor/tensor.cpp", "autograd/var.cpp", "nn/arena.cpp"};
  const std::set<std::string> contexts{"tensor/dispatch.h", "vit/data/resample.cpp"};  // stored images are the host's
  long uses = 0;
  for (const File& file : files()) {
    const std::string folder = folder_of(file.path);
    if (!file.is_source() || folder == "tests" || folder == "kernels") continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string at = concat(file.path, ":", i + 1, ": ", file.lines[i]);
      const auto finds = [&](const std::regex& what) { return std::regex_search(file.lines[i], what); };
      uses += finds(data);
      EXPECT_TRUE(!finds(data) || std::regex_match(file.path, operations)) << at << ": use host<T>()";
      EXPECT_TRUE(!finds(raw) || addresses.contains(file.path)) << at << ": use host<std::byte>()";
      EXPECT_TRUE(!finds(context) || contexts.contains(file.path)) << at << ": use dispatch";
    }
  }
  EXPECT_GT(uses, 80);
}

// What only POSIX has is in few places, which another system would bring its own of: one room, the programs' beginning,
// and what the operating system gives kernels.
TEST(Style, SystemCallsHaveTheirPlaces) {
  const std::regex posix(
      "#include <(unistd|fcntl|dirent|dlfcn|csignal|signal|poll|pthread|sched|termios|spawn|sys/[a-z]+)(\\.h)?>");
  const std::regex places(
      "tests/.*|tensor/(system/.*|world/mpi\\.cpp|file\\.cpp)|vit/cli/main\\.cpp|"
      "kernels/(closed_memory\\.cpp|bench/bench\\.h|cuda/(gpu|emulator)/.*)");
  long uses = 0;
  for (const File& file : files())
    for (const std::string& line : file.lines)
      if (file.is_source() && std::regex_search(line, posix)) {
        EXPECT_TRUE(std::regex_match(file.path, places)) << file.path << ": " << line << ": use tensor/system/";
        ++uses;
      }
  EXPECT_GT(uses, 20);
}

// JSON of strangers is read within bounds, and text that is not UTF-8 must not throw where JSON is written: both are
// settled in one place. safetensors has a grammar and a limit of its own.
TEST(Style, JsonHasOneDoor) {
  const std::set<std::string> doors{"vit/model/json.h", "tensor/safetensors.cpp", "tensor/safetensors_header.cpp"};
  for (const File& file : files()) {
    if (!file.is_source() || folder_of(file.path) == "tests" || doors.contains(file.path)) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i)
      for (const char* call : {"json::parse(", "sax_parse(", "json::accept(", ".dump(", "toml++"})
        EXPECT_EQ(file.lines[i].find(call), std::string::npos)
            << file.path << ":" << i + 1 << ": use parse_json, parse_object and to_text of vit/model/json.h";
  }
}

TEST(Style, TheTopLevelStaysSmall) {
  std::set<std::string> allowed{"tests",        "Makefile",        "README.md", "LICENSE",
                                "CHANGELOG.md", "CONTRIBUTING.md", "build",     "runs"};
  allowed.insert(kFloors.begin(), kFloors.end());
  for (const auto& entry : fs::directory_iterator(".")) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(name.starts_with(".") || allowed.contains(name)) << name << " does not belong at the top";
  }
}

// A kernel is a header with an implementation beside it; headers alone are what kernels share.
TEST(Style, EveryKernelHasATest) {
  long kernels = 0;
  for (const File& file : files()) {
    const fs::path path = file.path;
    if (!file.path.starts_with("kernels/") || !file.is(".h") || !fs::exists(fs::path(path).replace_extension(".cpp")))
      continue;
    ++kernels;
    // Machinery behind a room's door is tested with the room.
    const std::string room = path.parent_path().filename() == "fused"
                                 ? path.parent_path().parent_path().generic_string()
                                 : path.parent_path().generic_string();
    const std::string test = "tests/" + room + "/" + path.stem().string() + "_test.cpp";
    EXPECT_TRUE(fs::exists(test)) << test;
  }
  EXPECT_GE(kernels, 9);
}

}  // namespace
}  // namespace lookhere
