// kernels/cuda/registers.txt: what ptxas made of every CUDA kernel. No kernel spills; where nvcc is the one that the
// table was made with, every number is compared. After a change on purpose:
//   LOOKHERE_WRITE_REGISTERS=1 make test F='Registers*'
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "tests/testing.h"

namespace lookhere {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTable = "kernels/cuda/registers.txt";

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 ? name.get() : symbol;
}

// "call_each<add<bf16>#1>": without namespaces and parameters; #1: the first lambda of `add`.
std::string short_name(std::string name) {
  for (const std::string part : {"(anonymous namespace)::", "kernels::", "cuda::", "void "})
    for (std::size_t at = name.find(part); at != std::string::npos; at = name.find(part)) name.erase(at, part.size());
  std::string kept;
  int depth = 0;
  for (const char c : name) {
    depth += c == '(';
    if (depth == 0 && c != ' ') kept += c;
    depth -= c == ')';
  }
  for (std::size_t at = kept.find("::{lambda"); at != std::string::npos; at = kept.find("::{lambda"))
    kept.erase(kept.find('}', at), 1), kept.erase(at, std::string("::{lambda").size());
  return kept;
}

struct Kernel {
  std::map<std::string, long> registers;  // by architecture
  long shared_bytes = 0, spilled_bytes = 0, stack_bytes = 0;
};
struct Report {
  std::string version;
  std::map<std::string, Kernel> kernels;  // "layer_norm.cu gradient_of_row<bf16>"
};

long number_before(const std::string& line, const std::string& word) {
  const std::size_t end = line.find(word);
  if (end == std::string::npos) return 0;
  const std::size_t begin = line.find_last_not_of("0123456789", end - 2) + 1;
  return std::stol(line.substr(begin));
}

// What ptxas said when the objects were made.
void read_file_of(const fs::path& path, Report& report) {
  std::ifstream lines(path);
  Kernel* kernel = nullptr;
  std::string architecture;
  const std::string file = path.stem().stem().string();  // without .nvcc.ptxas
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Build cuda_")) report.version = line.substr(std::string("Build ").size());
    if (line.find("Compiling entry function") != std::string::npos) {
      std::istringstream quoted(line.substr(line.find('\'')));
      std::string nothing, symbol, between;
      std::getline(quoted, nothing, '\''), std::getline(quoted, symbol, '\'');
      std::getline(quoted, between, '\''), std::getline(quoted, architecture, '\'');
      kernel = &report.kernels[file + " " + short_name(demangled(symbol))];
    }
    if (!kernel) continue;
    kernel->stack_bytes += number_before(line, "bytes stack frame");
    kernel->spilled_bytes += number_before(line, "bytes spill stores") + number_before(line, "bytes spill loads");
    if (line.find("Used ") == std::string::npos) continue;
    kernel->registers[architecture] = number_before(line, "registers");
    kernel->shared_bytes = number_before(line, "bytes smem");
  }
}

Report what_ptxas_said() {
  Report report;
  for (const auto& entry : fs::recursive_directory_iterator(built("obj/kernels")))
    if (entry.path().extension() == ".ptxas" && entry.path().parent_path().filename() != "bench")
      read_file_of(entry.path(), report);
  return report;
}

std::string table_of(const Report& report) {
  std::ostringstream out;
  out.exceptions(std::ios::badbit);
  out << "# " << report.version << "\n# file, kernel: registers on sm_80 and sm_90, bytes of shared memory\n";
  for (const auto& [name, kernel] : report.kernels) {
    out << name;
    for (const auto& [architecture, registers] : kernel.registers) out << " " << registers;
    out << " " << kernel.shared_bytes << "\n";
  }
  return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Registers, AreThoseOfTheTable) {
  const Report report = what_ptxas_said();
  if (report.kernels.empty()) GTEST_SKIP() << "nvcc is not here: ptxas was not asked";
  for (const auto& [name, kernel] : report.kernels) {
    EXPECT_EQ(kernel.spilled_bytes, 0) << name << " spills";
    // CUDA's sin and cos keep the digits of pi there with which they reduce angles above 1e5.
    const long stack = name.find("call_each<waves<") != std::string::npos ? 80 : 0;
    EXPECT_LE(kernel.stack_bytes, stack) << name << " has a stack";
    EXPECT_EQ(kernel.registers.size(), 2U) << name;
  }
  const std::string table = table_of(report);
  if (std::getenv("LOOKHERE_WRITE_REGISTERS")) std::ofstream(kTable) << table;
  const std::string checked_in = read_file(kTable);
  if (!checked_in.starts_with("# " + report.version + "\n"))
    GTEST_SKIP() << "another nvcc made the table: only spills are compared, and there are none";
  const std::vector<std::string> now = lines_of(table), before = lines_of(checked_in);
  for (const std::string& line : now)
    EXPECT_TRUE(std::ranges::find(before, line) != before.end()) << "not in " << kTable << ": " << line;
  EXPECT_EQ(now.size(), before.size());
}

TEST(Registers, NamesAreShort) {
  EXPECT_EQ(short_name("void kernels::(anonymous namespace)::gradient_of_row<kernels::bf16>(kernels::Rows<float>)"),
            "gradient_of_row<bf16>");
  EXPECT_EQ(short_name("void kernels::cuda::call_each<kernels::add<float>(kernels::Cuda, kernels::Add<float> const&)"
                       "::{lambda(long)#1}>(long, kernels::add<float>(kernels::Cuda)::{lambda(long)#1})"),
            "call_each<add<float>#1>");
}

}  // namespace
}  // namespace lookhere
