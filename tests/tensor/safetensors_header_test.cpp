// Safetensors files from hell: each is refused with one line that names the file, the place and the rule.
#include "tensor/safetensors_header.h"

#include <cstring>

#include "tensor/safetensors.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

using namespace std::string_literals;

// A file that claims this length for its header.
std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + rest;
}
std::string file_of(const std::string& header, const std::string& data = "") {
  return with_length(header.size(), header + data);
}
// One F32 tensor of two elements.
std::string good() { return file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "\0\0\x80?\0\0\0@"s); }

// Opens the file and reads every tensor that can be read; what a program would do with it.
void use(const std::string& path) {
  const Safetensors file(path);
  for (const Safetensors::Entry& entry : file.entries()) {
    EXPECT_TRUE(file.contains(entry.name));
    file.read(entry.name);
  }
}

struct Malformed {
  std::string bytes;
  const char* part;  // of the message
};

// A header that holds one tensor with these fields, and eight bytes of data.
std::string entry(const std::string& fields) { return file_of(R"({"w":{)" + fields + "}}", "01234567"); }
// Several F32 tensors [1] at these offsets.
std::string layout(const std::vector<std::pair<long, long>>& offsets, std::size_t data_bytes) {
  std::string header = "{";
  for (const auto& [begin, end] : offsets)
    header += concat(header.size() > 1 ? "," : "", R"("t)", header.size(), R"(":{"dtype":"F32","shape":[)",
                     (end - begin) / 4, R"(],"data_offsets":[)", begin, ',', end, "]}");
  return file_of(header + '}', std::string(data_bytes, 'x'));
}
std::string many_tensors(int count) {
  std::string header = "{";
  for (int i = 0; i < count; ++i)
    header += concat(i ? "," : "", '"', i, R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})");
  return file_of(header + '}');
}
std::string many_keys(int count) {
  std::string header = R"({"__metadata__":{)";
  for (int i = 0; i < count; ++i) header += concat(i ? "," : "", '"', i, R"(":"")");
  return file_of(header + "}}");
}

std::vector<Malformed> malformed_files() {
  const std::string dtype = R"("dtype":"F32",)", shape = R"("shape":[2],)", offsets = R"("data_offsets":[0,8])";
  return {
      // The frame.
      {"", "not a safetensors file: 0 bytes"},
      {"1234567", "7 bytes"},
      {with_length(2, "{"), "9 bytes, the smallest has 10"},
      {with_length(0, "{}"), "header length 0"},
      {with_length(1, "{}"), "header length 1"},
      {with_length(3, "{}"), "header length 3, but only 2 bytes follow"},
      {with_length(100'000'000, "{}"), "header length 100000000, but only 2 bytes follow"},
      {with_length(100'000'001, "{}"), "header length 100000001, wanted 2 to 100000000"},
      {with_length(1ULL << 63, "{}"), "header length 9223372036854775808"},
      {with_length(~0ULL, "{}"), "header length 18446744073709551615"},
      {"PK\3\4 a zip file, such as torch.save writes", "not a safetensors file but a zip archive"},
      {"version https://git-lfs.github.com/spec/v1\n", "not a safetensors file: header length"},
      {good() + "x", "the tensors take 8 bytes, but the file holds 9"},
      {file_of("{}", "x"), "the tensors take 0 bytes, but the file holds 1"},
      // JSON.
      {file_of("[]"), "must start with {, got \"[]\""},
      {file_of(" {}"), "must start with {"},
      {file_of("\xef\xbb\xbf{}"), "must start with {"},
      {file_of("{}{}"), "not valid JSON"},
      {file_of("{} x"), "not valid JSON"},
      {file_of("{ "), "not valid JSON"},
      {file_of("{}\0\0\0"s), "byte 2 is zero"},
      {file_of("{}\0{\"w\":1}"s), "byte 2 is zero"},
      {file_of("{'w':1}"), "not valid JSON"},
      {file_of("{\"w\":1,}"), "header: \"w\" must be an object"},
      {file_of("{/**/}"), "not valid JSON"},
      {file_of("{\"\xff\":1}"), "ill-formed UTF-8"},
      {file_of("{\"\xc0\xaf\":1}"), "ill-formed UTF-8"},
      {file_of("{\"\\ud800\":1}"), "surrogate"},
      {file_of("{\"a\nb\":1}"), "not valid JSON"},
      {entry(dtype + R"("shape":[1e999],)" + offsets), "not valid JSON: number overflow"},
      {file_of("{\"w\":" + std::string(100000, '[')), "\"w\" must be an object, got a list"},
      {file_of([] {
         std::string deep;
         for (int i = 0; i < 10000; ++i) deep += "{\"w\":";
         return deep;
       }()),
       "wanted dtype, shape and data_offsets, got \"w\""},
      // Entries.
      {file_of(R"({"w":null})"), "\"w\" must be an object, got null"},
      {file_of(R"({"w":"F32"})"), "\"w\" must be an object, got the string \"F32\""},
      {file_of(R"({"w":true})"), "\"w\" must be an object, got a truth value"},
      {file_of(R"({"w":-1})"), "\"w\" must be an object, got the negative number -1"},
      {file_of(R"({"w":{}})"), "tensor \"w\": dtype is missing"},
      {entry(shape + offsets), "tensor \"w\": dtype is missing"},
      {entry(dtype + offsets), "tensor \"w\": shape is missing"},
      {entry(dtype + R"("shape":[2])"), "tensor \"w\": data_offsets is missing"},
      {entry(dtype + shape + R"("strides":[1],)" + offsets), "wanted dtype, shape and data_offsets, got \"strides\""},
      {entry(dtype + shape + dtype + offsets), "tensor \"w\": \"dtype\" appears twice"},
      {entry(dtype + shape + shape + offsets), "tensor \"w\": \"shape\" appears twice"},
      {file_of(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
               "01234567"),
       "the name \"w\" appears twice"},
      {file_of("{\"" + std::string(513, 'n') + "\":1}"), "has 513 bytes, at most 512"},
      {many_tensors(65537), "more than 65536 tensors"},
      // dtype.
      {entry(R"("dtype":"f32",)" + shape + offsets), "tensor \"w\": unknown dtype \"f32\""},
      {entry(R"("dtype":"",)" + shape + offsets), "unknown dtype \"\""},
      {entry(R"("dtype":"F4",)" + shape + offsets), "unknown dtype \"F4\""},
      {entry(R"("dtype":32,)" + shape + offsets), "tensor \"w\", dtype: wanted a string, got the number 32"},
      {entry(R"("dtype":["F32"],)" + shape + offsets), "tensor \"w\", dtype: wanted a string, got a list"},
      {entry(R"("dtype":null,)" + shape + offsets), "tensor \"w\", dtype: wanted a string, got null"},
      {entry(R"("dtype":"BF16",)" + shape + offsets), "BF16 [2] takes 4 bytes, but data_offsets [0, 8] give 8"},
      // shape.
      {entry(dtype + R"("shape":2,)" + offsets), "tensor \"w\", shape: wanted a list of integers, got the number 2"},
      {entry(dtype + R"("shape":"2",)" + offsets), "tensor \"w\", shape: wanted a list of integers, got the string"},
      {entry(dtype + R"("shape":{},)" + offsets), "tensor \"w\", shape: wanted a list of integers, got an object"},
      {entry(dtype + R"("shape":[-2],)" + offsets), "shape: wanted integers >= 0, got the negative number -2"},
      {entry(dtype + R"("shape":[2.0],)" + offsets), "shape: wanted integers >= 0, got the number \"2.0\""},
      {entry(dtype + R"("shape":[2e0],)" + offsets), "got the number \"2e0\""},
      {entry(dtype + R"("shape":["2"],)" + offsets), "shape: wanted integers >= 0, got the string \"2\""},
      {entry(dtype + R"("shape":[null],)" + offsets), "shape: wanted integers >= 0, got null"},
      {entry(dtype + R"("shape":[false],)" + offsets), "shape: wanted integers >= 0, got a truth value"},
      {entry(dtype + R"("shape":[[2]],)" + offsets), "shape: wanted integers >= 0, got a list"},
      {entry(dtype + R"("shape":[{}],)" + offsets), "got an object"},
      {entry(dtype + R"("shape":[1,1,1,1,1,2],)" + offsets), "tensor \"w\", shape: more than 5 sizes"},
      {entry(dtype + R"("shape":[3],)" + offsets), "F32 [3] takes 12 bytes, but data_offsets [0, 8] give 8"},
      {entry(dtype + R"("shape":[],)" + offsets), "F32 [] takes 4 bytes"},
      {entry(dtype + R"("shape":[0],)" + offsets), "F32 [0] takes 0 bytes"},
      {entry(dtype + R"("shape":[9223372036854775808],)" + offsets), "the number 9223372036854775808 is too large"},
      {entry(dtype + R"("shape":[18446744073709551616],)" + offsets), "wanted integers >= 0, got the number"},
      {entry(dtype + R"("shape":[4294967296,4294967296],)" + offsets), "shape [4294967296, 4294967296] overflows"},
      {entry(dtype + R"("shape":[4294967296,4294967296,0],)" + offsets), "overflows"},
      {entry(dtype + R"("shape":[4611686018427387906],)" + offsets), "overflows"},  // times 4 it would wrap to 8
      // data_offsets.
      {entry(dtype + shape + R"("data_offsets":[])"), "data_offsets: wanted two numbers, got 0"},
      {entry(dtype + shape + R"("data_offsets":[8])"), "data_offsets: wanted two numbers, got 1"},
      {entry(dtype + shape + R"("data_offsets":[0,8,8])"), "data_offsets: wanted two numbers, got more"},
      {entry(dtype + shape + R"("data_offsets":{"0":8})"), "data_offsets: wanted a list of integers, got an object"},
      {entry(dtype + shape + R"("data_offsets":"0,8")"), "data_offsets: wanted a list of integers, got the string"},
      {entry(dtype + shape + R"("data_offsets":[8,0])"), "data_offsets: begin 8 lies after end 0"},
      {entry(dtype + shape + R"("data_offsets":[-8,0])"),
       "data_offsets: wanted integers >= 0, got the negative number -8"},
      {entry(dtype + shape + R"("data_offsets":[0,8.5])"),
       "data_offsets: wanted integers >= 0, got the number \"8.5\""},
      {entry(dtype + shape + R"("data_offsets":[18446744073709551608,0])"), "18446744073709551608 is too large"},
      {entry(dtype + shape + R"("data_offsets":[9223372036854775799,9223372036854775807])"), "a hole before it"},
      {entry(dtype + R"("shape":[4],"data_offsets":[0,16])"), "ends at byte 16, but the file holds 8"},
      {layout({{4, 8}}, 8), "tensor \"t1\": a hole before it: it begins at 4"},
      {layout({{0, 4}, {8, 12}}, 12), "a hole before it: it begins at 8, the one before it ends at 4"},
      {layout({{0, 8}, {4, 12}}, 12), "overlaps another: it begins at 4, the one before it ends at 8"},
      {layout({{0, 4}, {0, 4}}, 8), "overlaps another"},
      {layout({{0, 4}, {0, 4}}, 4), "overlaps another"},
      {layout({{0, 8}, {4, 4}}, 8), "overlaps another"},  // an empty tensor within another
      {layout({{0, 4}, {8, 8}}, 8), "a hole before it"},  // an empty tensor must not bridge a hole
      {layout({{0, 4}, {4, 8}}, 12), "the tensors take 8 bytes, but the file holds 12"},
      // __metadata__.
      {file_of(R"({"__metadata__":[]})"), "\"__metadata__\" must be an object, got a list"},
      {file_of(R"({"__metadata__":null})"), "\"__metadata__\" must be an object, got null"},
      {file_of(R"({"__metadata__":{"epoch":3}})"), "__metadata__, \"epoch\": wanted a string, got the number 3"},
      {file_of(R"({"__metadata__":{"a":{}}})"), "__metadata__, \"a\": wanted a string, got an object"},
      {file_of(R"({"__metadata__":{"a":["b"]}})"), "__metadata__, \"a\": wanted a string, got a list"},
      {file_of(R"({"__metadata__":{"a":null}})"), "__metadata__, \"a\": wanted a string, got null"},
      {file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "__metadata__: \"a\" appears twice"},
      {file_of(R"({"__metadata__":{},"__metadata__":{}})"), "the name \"__metadata__\" appears twice"},
      {many_keys(65537), "__metadata__: more than 65536 keys"},
  };
}

TEST(SafetensorsHeader, RefusesMalformedFilesByName) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.safetensors";
  EXPECT_GE(malformed_files().size(), 40U);
  for (const Malformed& file : malformed_files()) {
    write_file(path, file.bytes);
    try {
      use(path);
      ADD_FAILURE() << "accepted, wanted: " << file.part;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with(path + ": ")) << message;
      EXPECT_NE(message.find(file.part), std::string::npos) << message << "\n  wanted: " << file.part;
      EXPECT_EQ(error.code(), Exit::input) << message;
      EXPECT_LT(message.size(), path.size() + 300) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

TEST(SafetensorsHeader, TheLimitsThemselvesAreFine) {
  const TemporaryFolder folder;
  write_file(folder / "a", many_tensors(65536));
  EXPECT_EQ(Safetensors(folder / "a").entries().size(), 65536U);
  write_file(folder / "b", many_keys(65536));
  EXPECT_EQ(Safetensors(folder / "b").metadata().size(), 65536U);
  write_file(folder / "c", layout({{4, 4}, {0, 4}, {0, 0}, {4, 8}, {8, 8}}, 8));  // empty tensors at the seams
  EXPECT_NO_THROW(use(folder / "c"));
}

TEST(SafetensorsHeader, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a",
                   {{"w", random({20, 9}, 1, Dtype::f32)}, {"b", random({3}, 2, Dtype::bf16)}, {"", zeros({0})}},
                   {{"config", "{}"}});
  const std::string bytes = read_file(folder / "a"), path = folder / "cut";
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_file(path, bytes.substr(0, length));
    EXPECT_ERROR(Safetensors{path}, path + ": ");
  }
  write_file(path, bytes);
  EXPECT_NO_THROW(use(path));
}

TEST(SafetensorsHeader, DamageIsAnErrorOrAnotherFileNeverACrash) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a",
                   {{"w", random({2, 3}, 1, Dtype::f32)}, {"label", from_vector<i64>({1}, {1})}, {"s", zeros({})}},
                   {{"k", "v"}});
  const std::string whole = read_file(folder / "a"), path = folder / "damaged";
  const std::string tokens = "{}[]\",:-+.eE0123456789 \\u\0\xff\x80tfn"s;
  int refused = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    Rng rng(trial, Purpose::test);
    std::string bytes = whole;
    for (std::uint32_t change = rng.below(4) + 1; change > 0; --change) {
      const std::uint32_t at = rng.below(static_cast<std::uint32_t>(bytes.size()));
      switch (rng.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
          break;
        case 1:
          bytes[at] = tokens[rng.below(static_cast<std::uint32_t>(tokens.size()))];
          break;
        case 2:
          bytes.erase(at, rng.below(9));
          break;
        default:
          bytes.insert(at, bytes.substr(rng.below(at + 1), rng.below(33)));
          break;
      }
      if (bytes.empty()) bytes = "x";
    }
    write_file(path, bytes);
    try {
      use(path);
    } catch (const Error& error) {
      ++refused;
      EXPECT_TRUE(std::string(error.what()).starts_with(path)) << error.what();
    }
  }
  EXPECT_GT(refused, 2000);  // the rest hit data, names or metadata
  EXPECT_LT(refused, 4000);
}

}  // namespace
}  // namespace lookhere
