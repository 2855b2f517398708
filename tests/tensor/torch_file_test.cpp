// What torch.save writes: tensors of every type and stride, and whatever a stranger may have put into pickle or
// archive.
#include "tensor/torch_file.h"

#include <cstring>

#include "tests/tensor/torch_files.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

using namespace std::string_literals;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
const std::string kSix = bytes_of<float>({0, 1, 2, 3, 4, 5});
std::string floats(long offset, const std::vector<long>& sizes, const std::vector<long>& strides) {
  return tensor_op(storage_op("FloatStorage", "0", 6), offset, sizes, strides);
}
// The tensor that is the only value of a file's dict.
Tensor read_one(const std::string& path) {
  const TorchFile file(path);
  const PickleValue* tensor = file.pickle().find(file.pickle().at(file.pickle().root), "w");
  check(tensor != nullptr, "there is no w");
  const Tensor read = file.read(*tensor, "w");
  EXPECT_EQ(read.shape(), file.shape_of(*tensor, "w"));
  return read;
}
class Files {
 public:
  std::string with(const std::string& bytes) const {
    std::filesystem::remove(folder_ / "a");  // faster than to overwrite it
    write_file(folder_ / "a", bytes);
    return folder_ / "a";
  }
  // {"w": value} with storage 0
  std::string torch(const std::string& value, const std::string& storage = kSix) const {
    return with(torch_file_of(dict_op({{"w", value}}), {{"0", storage}}));
  }

 private:
  TemporaryFolder folder_;
};

TEST(TorchFile, TensorsOfEveryTypeAndStride) {
  const Files files;
  using Floats = std::vector<float>;
  const auto values = [&](const std::string& op) { return to_vector<float>(read_one(files.torch(op))); };
  EXPECT_EQ(values(floats(0, {2, 3}, {3, 1})), (Floats{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(values(floats(0, {3, 2}, {1, 3})), (Floats{0, 3, 1, 4, 2, 5}));  // transposed
  EXPECT_EQ(values(floats(1, {2, 2}, {3, 1})), (Floats{1, 2, 4, 5}));        // a slice
  EXPECT_EQ(values(floats(5, {}, {})), (Floats{5}));                         // a number
  EXPECT_EQ(values(floats(2, {1, 3, 1}, {9, 0, 7})), (Floats{2, 2, 2}));     // expanded
  EXPECT_EQ(values(floats(0, {0, 4}, {4, 1})), Floats());
  EXPECT_EQ(values("ctorch._utils\n_rebuild_parameter\n(" + floats(3, {1}, {1}) + "\x88" + "NtR"), (Floats{3}));
  const auto of = [&](const std::string& type, const std::string& storage) {
    return read_one(files.torch(tensor_op(storage_op(type, "0", 2), 1, {1}, {1}), storage));
  };
  EXPECT_EQ(of("DoubleStorage", bytes_of<double>({1, 0.1})).host<double>()[0], 0.1);
  EXPECT_EQ(of("LongStorage", bytes_of<i64>({1, -7})).host<i64>()[0], -7);
  EXPECT_EQ(of("HalfStorage", bytes_of<std::uint16_t>({0, 0x3555})).host<float>()[0], 0.333251953125F);
  EXPECT_EQ(of("BFloat16Storage", bytes_of<std::uint16_t>({0, 0xC020})).to(Dtype::f32).host<float>()[0], -2.5F);
}

TEST(TorchFile, KnowsWhatSurroundsTensors) {
  const Files files;
  // An OrderedDict with attributes, a memo, a class whose object is not needed, and numbers of every kind.
  const std::string dict =
      "ccollections\nOrderedDict\n)Rq\0("s + text_op("w") + floats(0, {6}, {1}) + "u}" + text_op("_metadata") + "}sb";
  const std::string args = "cargparse\nNamespace\n)\x81}" + text_op("lr") + "G\x3f\xe0\0\0\0\0\0\0sb"s;
  const std::string numbers = "(K\xffM\1\2J\xff\xff\xff\xff\x8a\1\x80\x8a\0N\x88\x89t"s;
  const std::string value = dict_op({{"model", dict}, {"args", args}, {"again", "h\0"s}, {"numbers", numbers}});
  const TorchFile file(files.with(torch_file_of(value, {{"0", kSix}})));
  const Pickle& pickle = file.pickle();
  const auto get = [&](const char* key) { return *pickle.find(pickle.at(pickle.root), key); };
  EXPECT_EQ(to_vector<float>(file.read(*pickle.find(get("model"), "w"), "w")).size(), 6U);
  EXPECT_EQ(get("again").items, get("model").items);
  EXPECT_EQ(get("args").kind, PickleKind::object);
  EXPECT_EQ(get("args").text, "argparse Namespace");
  std::vector<long> got;
  for (const PickleIndex i : get("numbers").items) got.push_back(pickle.at(i).integer);
  EXPECT_EQ(got, (std::vector<long>{255, 513, -1, -128, 0, 0, 1, 0}));
  EXPECT_ERROR(file.read(get("args"), "args"), "\"args\" is no tensor");
  EXPECT_EQ(pickle.find(get("args"), "lr"), nullptr);
}

TEST(TorchFile, NothingIsCalled) {
  const Files files;
  const std::string mark = files.with("x") + "-called";
  const Pickle pickle = read_pickle(pickle_of("cposix\nsystem\n(" + text_op("touch " + mark) + "tR"), "p");
  EXPECT_EQ(pickle.at(pickle.root).kind, PickleKind::object);
  EXPECT_EQ(pickle.at(pickle.root).text, "posix system");
  EXPECT_FALSE(std::filesystem::exists(mark));
}

// A pickle with all opcodes that are known, but those of other protocols' framing.
std::string rich_pickle() {
  return "\x80\x04\x95\xff\0\0\0\0\0\0\0(NNN\x88\x89J\1\0\0\0K\1M\1\0\x8a\1\1G\0\0\0\0\0\0\0\0U\1aC\1aT\1\0\0\0a"s +
         "B\1\0\0\0aX\1\0\0\0a\x8c\1a\x8d\1\0\0\0\0\0\0\0a\x8e\1\0\0\0\0\0\0\0a\x96\1\0\0\0\0\0\0\0a("s + "1)]q\0"s +
         "}r\1\0\0\0\x94\x8f(N\x90(N\x91N\x85NN\x86NNN\x87]Na](Ne}NNs}(NNuN0h\0j\1\0\0\0\x8c\1a\x8c\1b\x93)R"s +
         "ca\nb\n)\x81}b" + storage_op("FloatStorage", "0", 6) + "t.";
}

TEST(TorchFile, EveryPrefixOfAPickleIsRefused) {
  const std::string whole = rich_pickle();
  EXPECT_EQ(read_pickle(whole, "p").values.empty(), false);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_ERROR(read_pickle(whole.substr(0, length), "p"), "p: the pickle at byte ");
}

TEST(TorchFile, OpcodesThatAreNotKnownAndThoseThatFindNothing) {
  const std::string known =
      "\x80\x95.N\x88\x89JKM\x8aGUCXTB\x8c\x8d\x8e\x96()]}t\x91\x85\x86\x87"
      "aseu\x90"
      "01qrhj\x94"
      "c\x93R\x81"
      "bQ\x8f";
  const std::string takes =
      "t\x91\x85\x86\x87"
      "aseu\x90"
      "01\x94\x93R\x81"
      "bQ.";
  for (int opcode = 0; opcode < 256; ++opcode) {
    const char c = static_cast<char>(opcode);
    if (known.find(c) == known.npos)
      EXPECT_ERROR(read_pickle("\x80\x02"s + c, "p"), concat("at byte 2: opcode ", opcode, " is not known here"));
    if (takes.find(c) != takes.npos)
      EXPECT_ERROR(read_pickle("\x80\x02"s + c, "p"),
                   c == 't' || c == 'e' || c == 'u' || c == '1' || c == '\x91' || c == '\x90' ? "there is no mark"
                                                                                              : "the stack is empty");
  }
}

TEST(TorchFile, BrokenPickles) {
  const std::string many(Pickle::kMaxValues + 1, '('), long_text = "X\xff\xff\xff\xff";
  std::string numbers, places;
  for (long i = 0; i <= Pickle::kMaxValues; ++i) numbers += "N0";
  places = "N";
  for (std::uint32_t i = 0; i <= Pickle::kMaxValues; ++i) places += 'r' + little_endian(i);
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "does not begin with a protocol of 2 to 5"},
      {"(lp0\n.", "does not begin with a protocol of 2 to 5"},
      {"\x80\x01.", "protocol 1, wanted 2 to 5"},
      {"\x80\x06.", "protocol 6, wanted 2 to 5"},
      {"\x80\x02" + long_text, "it wants 4294967295 bytes, but 0 follow"},
      {"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s, "it wants 18446744073709551615 bytes, but 0 follow"},
      {"\x80\x02\x8a\xff"s + std::string(255, 'x'), "an integer of 255 bytes, at most 8"},
      {"\x80\x02"
       "cos\nsystem",
       "a line without end"},
      {"\x80\x02h\7."s, "the memo has no entry 7"},
      {"\x80\x02j\xff\xff\xff\xff.", "the memo has no entry 4294967295"},
      {"\x80\x02NN\x93."s, "a global whose name is no text"},
      {"\x80\x02NNR."s, "a call of what is no function"},
      {"\x80\x02"
       "ca\nb\nNR.",
       "a call whose arguments are no tuple"},
      {"\x80\x02NNa.", "items for a list, but there is a None"},
      {"\x80\x02]NNs.", "items for a dict, but there is a list"},
      {"\x80\x02}(Nu.", "a dict of 1 keys and values"},
      {"\x80\x02NNb.", "attributes for a None"},
      {"\x80\x02N(NNN0000.", "the stack is empty"},  // nothing below a mark
      {"\x80\x02N(0.", "the stack is empty"},
      {"\x80\x02"
       "c" +
           std::string(200, 'm') + "\n" + std::string(56, 'n') + "\n.",
       "a global's name of 256 bytes, at most 255"},
      {"\x80\x02" + storage_op("FloatStorage", std::string(257, '0'), 1), "a storage's key of 257 bytes, at most 256"},
      {"\x80\x02NQ.", "a persistent id that is none of a storage"},
      {"\x80\x02" + storage_op("FloatStorage", "0", -1), "a storage of -1 elements"},
      {"\x80\x02"
       "ctorch._utils\n_rebuild_tensor_v2\n)R.",
       "a tensor that is not made of storage, offset, sizes"},
      {"\x80\x02"
       "ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR.",
       "a tensor that is not made of storage, offset"},
      {"\x80\x02"
       "ctorch._utils\n_rebuild_parameter\n(NtR.",
       "a parameter that is not made of a tensor"},
      {"\x80\x02" + many, "more than 1048576 marks"},
      {"\x80\x02" + numbers, "more than 1048576 values"},
      {"\x80\x02" + places, "more than 1048576 memo entries"},
      {"\x80\x02Nq\0"s +
           [] {
             std::string gets;
             for (long i = 0; i <= Pickle::kMaxValues; ++i) gets += "h\0"s;
             return gets;
           }(),
       "more than 1048576 values on the stack"},
      {"\x80\x02" + std::string(Pickle::kMaxBytes, 'N'), "it has 67108866 bytes, at most 67108864"}};
  for (const auto& [bytes, message] : cases) EXPECT_ERROR(read_pickle(bytes, "p"), message);
  // A list within itself is a value like any other.
  const Pickle loop = read_pickle("\x80\x02]q\0h\0a."s, "p");
  EXPECT_EQ(loop.at(loop.root).items, std::vector<PickleIndex>{loop.root});
}

TEST(TorchFile, TensorsThatAreNotThere) {
  const Files files;
  const long huge = 1L << 62;
  const std::vector<std::pair<std::string, std::string>> cases{
      {floats(0, {7}, {1}), "[7] of a storage of 6 elements"},
      {floats(1, {6}, {1}), "it reaches to element 6 of a storage of 6"},
      {floats(0, {2, 2}, {5, 1}), "it reaches to element 6 of a storage of 6"},
      {floats(-1, {1}, {1}), "it begins at element -1"},
      {floats(1L << 30, {0}, {1}), "it begins at element 1073741824 of 6"},
      {floats(9, {1}, {1}), "it reaches to element 9 of a storage of 6"},
      {floats(0, {2}, {-1}), "the stride -1"},
      {floats(0, {-2}, {1}), "sizes must not be negative, got -2"},
      {floats(0, {2, 1}, {1}), "2 sizes, but 1 strides"},
      {floats(0, {1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}), "at most 5 sizes, got 6"},
      {floats(0, {huge, 4}, {0, 0}), "size overflow"},
      {floats(0, {1L << 40}, {0}), "of a storage of 6 elements"},  // expanded: no more than there are
      {floats(0, {2, 2}, {huge, huge}), "strides that overflow"},
      {floats(0, {3}, {huge}), "size overflow"},
      {tensor_op(storage_op("FloatStorage", "0", 5), 0, {1}, {1}), "5 elements of 4 bytes, but the storage has 24"},
      {tensor_op(storage_op("DoubleStorage", "0", 6), 0, {1}, {1}), "6 elements of 8 bytes, but the storage has 24"},
      {tensor_op(storage_op("FloatStorage", "0", huge), 0, {1}, {1}), "size overflow"},
      {tensor_op(storage_op("QInt8Storage", "0", 6), 0, {1}, {1}), "LongStorage, got \"torch QInt8Storage\""},
      {tensor_op(storage_op("FloatStorage", "../../../etc/passwd", 6), 0, {1}, {1}), "no entry \"a/data/../../../etc/"},
      {tensor_op(storage_op("FloatStorage", "0\n\x1b[2J", 6), 0, {1}, {1}), "no entry \"a/data/0??[2J\""},
      {tensor_op(storage_op("FloatStorage", "1", 6), 0, {1}, {1}), "no entry \"a/data/1\""},
      {"ctorch._utils\n_rebuild_tensor_v2\n(" + storage_op("FloatStorage", "0", 6) + integer_op(0) + "N\x85)tR",
       "a size or stride that is no integer"}};
  for (const auto& [op, message] : cases) EXPECT_ERROR(read_one(files.torch(op)), message);
}

TEST(TorchFile, Archives) {
  const Files files;
  const std::string value = dict_op({{"w", floats(0, {6}, {1})}}), pickle = pickle_of(value);
  const std::vector<ZipEntry> entries{{.name = "a/data.pkl", .bytes = pickle}, {.name = "a/data/0", .bytes = kSix}};
  const auto with = [&](const ZipEntry& more) {
    std::vector<ZipEntry> all = entries;
    all.push_back(more);
    return files.with(zip_of(all));
  };
  const auto six = [](const Tensor& t) { return to_vector<float>(t).size() == 6; };
  EXPECT_TRUE(six(read_one(files.with(zip_of(entries)))));
  EXPECT_TRUE(six(read_one(files.with(zip_of(entries, "a comment, PK\5\6")))));
  std::vector<ZipEntry> large = entries;
  large[1].zip64 = true;
  EXPECT_TRUE(six(read_one(files.with(zip_of(large)))));
  EXPECT_TRUE(six(read_one(files.with(zip_of(large, "", true)))));

  const auto spoilt = [&](auto spoil) {
    std::vector<ZipEntry> all = entries;
    spoil(all[1]);
    return files.with(zip_of(all));
  };
  EXPECT_ERROR(read_one(spoilt([](ZipEntry& e) { e.method = 8; })), "\"a/data/0\" is packed or encrypted");
  EXPECT_ERROR(read_one(spoilt([](ZipEntry& e) { e.flags = 1; })), "\"a/data/0\" is packed or encrypted");
  EXPECT_ERROR(read_one(spoilt([](ZipEntry& e) { e.spoil_crc = 1; })), "\"a/data/0\" does not match its CRC-32");
  EXPECT_ERROR(read_one(with(entries[1])), "entry \"a/data/0\" appears twice");
  EXPECT_ERROR(read_one(with({.name = "a/byteorder", .bytes = "big"})), "its numbers are big-endian");
  EXPECT_ERROR(read_one(with({.name = "a/constants.pkl", .bytes = ""})), "a TorchScript archive");
  EXPECT_ERROR(read_one(files.with(zip_of({entries[1]}))), "a zip archive without data.pkl");
  EXPECT_ERROR(read_one(files.with("")), "neither safetensors nor a file of torch.save");
  EXPECT_ERROR(read_one(files.with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20")), "from before version 1.6");
}

TEST(TorchFile, EveryPrefixAndEveryDamagedByteOfAnArchive) {
  const Files files;
  std::vector<ZipEntry> entries{{.name = "a/data.pkl", .bytes = pickle_of(dict_op({{"w", floats(0, {6}, {1})}}))},
                                {.name = "a/data/0", .bytes = kSix, .zip64 = true}};
  const std::string whole = zip_of(entries, "", true);
  const auto refused_or_right = [&](const std::string& bytes) {
    try {
      return to_vector<float>(read_one(files.with(bytes))) == std::vector<float>{0, 1, 2, 3, 4, 5};
    } catch (const Error& error) {
      const std::string line = error.what();
      return line.find_first_of("\n\x1b") == line.npos && line.size() < 512;
    }
  };
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_ERROR(read_one(files.with(whole.substr(0, length))), "");
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int bit : {1, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ bit);
      EXPECT_TRUE(refused_or_right(bytes)) << at << " " << bit;
    }
}

}  // namespace
}  // namespace lookhere
