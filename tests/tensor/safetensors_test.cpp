// safetensors: round trips, exact bytes, dtypes, and saving that fails. Malformed files: safetensors_header_test.cpp.
#include "tensor/safetensors.h"

#include <bit>
#include <cstring>

#include "tensor/half.h"
#include "tests/tensor/file_size_limit.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

using namespace std::string_literals;

// A file: the header's length, the header, the data.
std::string file_of(const std::string& header, const std::string& data = "") {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}
// One F32 tensor of two elements.
std::string good() { return file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "\0\0\x80?\0\0\0@"s); }

TEST(Safetensors, ReadsHandWrittenBytes) {
  const TemporaryFolder folder;
  // Padding, a key order and a data order of its own, and unaligned data: all legal.
  write_file(folder / "a", file_of(R"({"b":{"shape":[1,2],"data_offsets":[5,9],"dtype":"BF16"},)"
                                   R"( "a":{"dtype":"U8","data_offsets":[0,5],"shape":[5]},)"
                                   R"( "__metadata__":{"format":"pt","k\u00e9\n":"v"} })"
                                   "  \n",
                                   "12345\x80\x3f\x80\xbf"));
  const Safetensors file(folder / "a");
  EXPECT_EQ(file.path(), folder / "a");
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}, {"ké\n", "v"}}));
  ASSERT_EQ(file.entries().size(), 2U);
  EXPECT_EQ(file.entries()[0].name, "b");
  EXPECT_EQ(file.entries()[1].dtype, "U8");
  EXPECT_EQ(file.entries()[1].shape, (Shape{5}));
  EXPECT_EQ(file.entries()[0].begin, 5);
  EXPECT_EQ(file.entries()[0].end, 9);
  EXPECT_TRUE(file.contains("a"));
  EXPECT_FALSE(file.contains("c"));
  EXPECT_FALSE(file.contains("__metadata__"));
  const Tensor b = file.read("b");
  EXPECT_EQ(b.dtype(), Dtype::bf16);
  EXPECT_EQ(b.shape(), (Shape{1, 2}));
  EXPECT_EQ(to_vector<float>(b.to(Dtype::f32)), (std::vector<float>{1, -1}));
}

TEST(Safetensors, WritesTheReferenceBytes) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a",
                   {{"b", from_vector<float>({1, 2}, {2})},
                    {"half", from_vector<bf16>({bf16(1.0F)}, {1})},
                    {"a \"x\"", from_vector<float>({-1}, {})},
                    {"label", from_vector<i64>({258}, {1})},
                    {"exact", from_vector<double>({0.5}, {1, 1})}},
                   {{"zoo", "ä"}, {"epoch", "3"}});
  std::string header = R"({"__metadata__":{"epoch":"3","format":"pt","zoo":"ä"},)"
                       R"("label":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                       R"("exact":{"dtype":"F64","shape":[1,1],"data_offsets":[8,16]},)"
                       R"("a \"x\"":{"dtype":"F32","shape":[],"data_offsets":[16,20]},)"
                       R"("b":{"dtype":"F32","shape":[2],"data_offsets":[20,28]},)"
                       R"("half":{"dtype":"BF16","shape":[1],"data_offsets":[28,30]}})";
  while (header.size() % 8) header += ' ';
  EXPECT_EQ(read_file(folder / "a"), file_of(header,
                                             "\2\1\0\0\0\0\0\0"s
                                             "\0\0\0\0\0\0\xe0\x3f"s
                                             "\0\0\x80\xbf\0\0\x80\x3f\0\0\0\x40\x80\x3f"s));
}

TEST(Safetensors, RoundTrip) {
  const TemporaryFolder folder;
  const NamedTensors tensors{{"blocks.0.attn.qkv.weight", random({6, 2}, 1, Dtype::f32)},
                             {"five", random({1, 2, 3, 2, 1}, 2, Dtype::f64)},
                             {"bf16", random({7}, 3, Dtype::bf16)},
                             {"i64", from_vector<i64>({-1, std::numeric_limits<i64>::max()}, {2})},
                             {"empty", zeros({0, 3})},
                             {"also empty", zeros({0}, Dtype::i64)},
                             {"scalar", full({}, 0.1, Dtype::f64)},
                             {"", zeros({1})},
                             {"rows", random({4, 3}, 4, Dtype::f32).rows(1, 3)},
                             {std::string(512, 'n'), zeros({1})}};
  const Metadata metadata{{"config", R"({"depth": 12, "note": "a\"b\\"})"}, {"", ""}, {"format", "np"}};
  save_safetensors(folder / "a", tensors, metadata);
  const Safetensors file(folder / "a");
  EXPECT_EQ(file.metadata(), metadata);  // a format of one's own is kept
  EXPECT_EQ(file.entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor got = file.read(name);
    EXPECT_EQ(got.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(got.shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(got.host<std::byte>(), tensor.host<std::byte>(), static_cast<std::size_t>(tensor.bytes())), 0)
        << name;
  }
}

TEST(Safetensors, SameInputsSameBytesInAnyOrder) {
  const TemporaryFolder folder;
  NamedTensors tensors{{"a", random({3}, 1)}, {"b", random({2}, 2, Dtype::f32)}, {"c", random({1}, 3)}};
  save_safetensors(folder / "1", tensors);
  std::reverse(tensors.begin(), tensors.end());
  save_safetensors(folder / "2", tensors);
  EXPECT_EQ(read_file(folder / "1"), read_file(folder / "2"));
}

TEST(Safetensors, WithoutTensors) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {});
  EXPECT_TRUE(Safetensors(folder / "a").entries().empty());
  write_file(folder / "b", file_of("{}"));  // the smallest file
  EXPECT_TRUE(Safetensors(folder / "b").metadata().empty());
}

TEST(Safetensors, HalfBecomesFloat) {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::uint16_t, float>> cases{
      {0x0000, 0},        {0x3c00, 1},        {0xc000, -2},         {0x3555, 0.333251953125F},
      {0x7bff, 65504},    {0x0001, 0x1p-24F}, {0x03ff, 0x3ffp-24F}, {0x8001, -0x1p-24F},
      {0x0400, 0x1p-14F}, {0x7c00, INFINITY}, {0xfc00, -INFINITY},  {0x8000, -0.0F}};
  std::string data;
  for (const auto& [bits, value] : cases) data.append(reinterpret_cast<const char*>(&bits), 2);
  data += "\x01\x7e";  // a NaN
  write_file(folder / "a", file_of(R"({"h":{"dtype":"F16","shape":[13],"data_offsets":[0,26]}})", data));
  const Tensor t = Safetensors(folder / "a").read("h");
  ASSERT_EQ(t.dtype(), Dtype::f32);
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(t.host<float>()[i]), std::bit_cast<std::uint32_t>(cases[i].second)) << i;
  EXPECT_TRUE(std::isnan(t.host<float>()[12]));
}

// All there are, against the formula of IEEE 754.
TEST(Safetensors, EveryHalfIsItsFormula) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const int sign = bits >> 15 ? -1 : 1, exponent = static_cast<int>(bits >> 10 & 31U);
    const int fraction = static_cast<int>(bits & 1023U);
    const float got = from_half(static_cast<std::uint16_t>(bits));
    if (exponent == 31 && fraction > 0) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      continue;
    }
    const double want = exponent == 31  ? HUGE_VAL
                        : exponent == 0 ? std::ldexp(fraction, -24)
                                        : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(got, sign * want) << bits;
    ASSERT_EQ(std::signbit(got), sign < 0) << bits;
  }
}

TEST(Safetensors, OtherDtypesAreListedButNotRead) {
  const TemporaryFolder folder;
  for (const auto& [dtype, size] : std::vector<std::pair<std::string, int>>{{"BOOL", 1},
                                                                            {"U8", 1},
                                                                            {"I8", 1},
                                                                            {"F8_E4M3", 1},
                                                                            {"F8_E5M2", 1},
                                                                            {"I16", 2},
                                                                            {"U16", 2},
                                                                            {"I32", 4},
                                                                            {"U32", 4},
                                                                            {"U64", 8},
                                                                            {"C64", 8}}) {
    write_file(folder / "a",
               file_of(concat(R"({"t":{"dtype":")", dtype, R"(","shape":[3],"data_offsets":[0,)", 3 * size, "]}}"),
                       std::string(3 * size, 'x')));
    const Safetensors file(folder / "a");
    EXPECT_EQ(file.entries().at(0).dtype, dtype);
    EXPECT_ERROR(file.read("t"), "a: tensor \"t\": wanted F32, F64, BF16, F16 or I64, got " + dtype);
  }
}

TEST(Safetensors, NamesTheMissing) {
  const TemporaryFolder folder;
  write_file(folder / "a", good());
  EXPECT_ERROR(Safetensors(folder / "a").read("v\n"), (folder / "a") + ": no tensor \"v?\"");
  EXPECT_ERROR(Safetensors(folder / "b"), "cannot open " + (folder / "b") + ": No such file or directory");
  EXPECT_ERROR(Safetensors(folder.path().string()), ": Is a directory");
}

TEST(Safetensors, SaveRefusesWhatCouldNotBeRead) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  const Tensor t = zeros({1});
  const auto save = [&](const NamedTensors& tensors, const Metadata& metadata = {}) {
    save_safetensors(path, tensors, metadata);
  };
  EXPECT_ERROR(save({{"w", t}, {"v", t}, {"w", t}}), "cannot write " + path + ": tensor \"w\" appears twice");
  EXPECT_ERROR(save({{"w", Tensor()}}), "tensor \"w\" has no value");
  EXPECT_ERROR(save({{"__metadata__", t}}), "\"__metadata__\" cannot name a tensor");
  EXPECT_ERROR(save({{std::string(513, 'n'), t}}), "cannot name a tensor");
  EXPECT_ERROR(save({{"\xff", t}}), "is not UTF-8");
  EXPECT_ERROR(save({{"w", t}}, {{"k", "\xc3"}}), "is not UTF-8");
  EXPECT_ERROR(save(NamedTensors(65537, {"w", t})), "65537 tensors, at most 65536");
  EXPECT_ERROR(save({}, {{"k", std::string(100'000'000, 'v')}}), "its header would have");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Safetensors, AFailedSaveLeavesThePreviousFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  write_file(path, good());
  {
    const FileSizeLimit full(100);
    EXPECT_ERROR(save_safetensors(path, {{"w", zeros({1000})}}), "cannot write " + path + ": File too large");
  }
  EXPECT_EQ(to_vector<float>(Safetensors(path).read("w")), (std::vector<float>{1, 2}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

// What is written can be read: a hash that came from elsewhere would make the file a damaged one.
TEST(Safetensors, HashesAreThoseOfTheFileOrRefused) {
  const TemporaryFolder folder;
  const NamedTensors tensors{{"b", random({3}, 1, Dtype::f32)}, {"a", random({2, 2}, 2, Dtype::f64)}};
  save_safetensors(folder / "a", tensors, {{"k", "v"}}, Hashes::all);
  const Safetensors file(folder / "a");
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(same_bits(file.read(name), tensor)) << name;
  const Metadata hashed = file.metadata();
  EXPECT_EQ(hashed.size(), 4U) << "k, format, and two of hashes";
  for (const Hashes hashes : {Hashes::none, Hashes::all}) {  // the right ones may come along
    save_safetensors(folder / "c", tensors, hashed, hashes);
    EXPECT_EQ(read_file(folder / "c"), read_file(folder / "a"));
  }

  const auto save = [&](const Metadata& metadata) { save_safetensors(folder / "b", tensors, metadata); };
  Metadata other = hashed;
  other["k"] = "w";
  EXPECT_ERROR(save(other), "in the metadata is not the hash of what is written");
  other = hashed;
  other.erase("xxh3.tensors");
  EXPECT_ERROR(save(other), "xxh3.metadata in the metadata is not the hash");
  EXPECT_ERROR(save_safetensors(folder / "b", tensors, other, Hashes::all), "is not the hash");
  EXPECT_ERROR(save({{"xxh3.tensors", ""}}), "xxh3.tensors in the metadata is not the hash");
  EXPECT_ERROR(save_safetensors(folder / "b", {{"b", random({3}, 3, Dtype::f32)}}, hashed), "is not the hash");
  EXPECT_FALSE(std::filesystem::exists(folder / "b"));
}

}  // namespace
}  // namespace lookhere
