// npy: round trips, NumPy's own bytes, and malformed files.
#include "tensor/npy.h"

#include <cstring>

#include "tests/tensor/file_size_limit.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

using namespace std::string_literals;

// Version 1.0 with this dictionary, unpadded.
std::string file_of(const std::string& header, const std::string& data = "") {
  const auto length = static_cast<std::uint16_t>(header.size());
  return "\x93NUMPY\1\0"s + std::string(reinterpret_cast<const char*>(&length), 2) + header + data;
}
std::string dictionary(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}
std::string floats(const std::string& shape, std::size_t count) {
  return file_of(dictionary("<f4", shape), std::string(count * 4, '\0'));
}
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

Tensor load(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "a.npy", bytes);
  return load_npy(folder / "a.npy");
}

// What numpy.save writes for numpy.arange(6, dtype="float32").reshape(2, 3).
TEST(Npy, WritesNumpysBytes) {
  const TemporaryFolder folder;
  const std::vector<float> values{0, 1, 2, 3, 4, 5};
  save_npy(folder / "a", from_vector(values, {2, 3}));
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  EXPECT_EQ(read_file(folder / "a"), "\x93NUMPY\1\0\x76\0"s + header + '\n' + bytes_of(values));
}

TEST(Npy, HeaderOfEveryRank) {
  const TemporaryFolder folder;
  const std::vector<std::pair<Shape, std::string>> cases{
      {{}, "()"}, {{3}, "(3,)"}, {{3, 1}, "(3, 1)"}, {{0}, "(0,)"}, {{1, 1, 1, 1, 1}, "(1, 1, 1, 1, 1)"}};
  for (const auto& [shape, text] : cases) {
    save_npy(folder / "a", zeros(shape, Dtype::i64));
    const std::string bytes = read_file(folder / "a");
    EXPECT_NE(bytes.find("{'descr': '<i8', 'fortran_order': False, 'shape': " + text + ", }"), bytes.npos) << bytes;
    EXPECT_EQ((bytes.find('\n') + 1) % 64, 0U) << text;
    EXPECT_EQ(load_npy(folder / "a").shape(), shape);
  }
}

TEST(Npy, RoundTrip) {
  const TemporaryFolder folder;
  for (const Tensor& t : {random({2, 3, 4}, 1, Dtype::f32), random({5}, 2), from_vector<i64>({-1, 1L << 62}, {2, 1}),
                          full({}, 0.1, Dtype::f64), zeros({0, 7}), random({4, 3}, 3).rows(1, 3)}) {
    save_npy(folder / "a", t);
    const Tensor got = load_npy(folder / "a");
    EXPECT_EQ(got.dtype(), t.dtype());
    EXPECT_EQ(got.shape(), t.shape());
    EXPECT_EQ(std::memcmp(got.host<std::byte>(), t.host<std::byte>(), static_cast<std::size_t>(t.bytes())), 0);
  }
}

TEST(Npy, NarrowIntegersBecomeI64) {
  const Tensor i4 = load(file_of(dictionary("<i4", "(2,)"), bytes_of<std::int32_t>({-7, 1 << 30})));
  EXPECT_EQ(to_vector<i64>(i4), (std::vector<i64>{-7, 1 << 30}));
  EXPECT_EQ(to_vector<i64>(load(file_of(dictionary("|u1", "(3,)"), "\x00\x7f\xff"s))), (std::vector<i64>{0, 127, 255}));
}

TEST(Npy, TellsTheTypeOfTheFile) {
  const TemporaryFolder folder;
  for (const auto& [type, size] : {std::pair{"<f4", 4}, {"<f8", 8}, {"<i8", 8}, {"<i4", 4}, {"|u1", 1}}) {
    write_file(folder / "a", file_of(dictionary(type, "(1,)"), std::string(static_cast<std::size_t>(size), '\1')));
    EXPECT_EQ(load_npy_array(folder / "a").type, type);
  }
}

TEST(Npy, AcceptsEveryVersionAndPythonsSpellings) {
  const std::string data = bytes_of<float>({1.5F});
  const std::string header = dictionary("<f4", "(1,)"), length{static_cast<char>(header.size()), 0, 0, 0};
  EXPECT_EQ(load("\x93NUMPY\2\0"s + length + header + data).item(), 1.5);
  EXPECT_EQ(load("\x93NUMPY\3\0"s + length + header + data).item(), 1.5);
  for (const char* text : {"{\"shape\":(1,),\"descr\":\"<f4\",\"fortran_order\":False}",
                           "{ 'fortran_order' : False , 'shape' : ( 1 , ) , 'descr' : '<f4' , }   \n",
                           "{'descr':'<f4','fortran_order':False,'shape':()}      \n",
                           "{'descr':'<f4','fortran_order':False,'shape':(1,1,)}"})
    EXPECT_EQ(load(file_of(text, data)).item(), 1.5) << text;
}

struct Malformed {
  std::string bytes;
  const char* part;  // of the message
};

std::vector<Malformed> malformed_files() {
  const std::string rest = ", 'fortran_order': False, 'shape': (1,), }\n";
  const auto shape = [](const std::string& text) { return file_of(dictionary("<f4", text), "0123"); };
  return {
      // The frame.
      {"", "not an npy file"},
      {"\x93NUMP", "not an npy file"},
      {"\x93NUMPY", "not an npy file"},
      {"\x93NUMPY\1", "not an npy file"},
      {"\x92NUMPY\1\0\2\0{}"s, "not an npy file"},
      {"PK\3\4, as npz files begin", "not an npy file"},
      {"\x93NUMPY\0\0\2\0{}"s, "npy version: wanted 1.0, 2.0 or 3.0, got 0.0"},
      {"\x93NUMPY\4\0\2\0{}"s, "got 4.0"},
      {"\x93NUMPY\1\1\2\0{}"s, "got 1.1"},
      {"\x93NUMPY\xff\xff\2\0{}"s, "got 255.255"},
      {"\x93NUMPY\1\0\2"s, "cut off within the header's length"},
      {"\x93NUMPY\2\0\2\0\0"s, "cut off within the header's length"},
      {"\x93NUMPY\1\0\3\0{}"s, "header length 3, but only 2 bytes follow"},
      {"\x93NUMPY\2\0\xff\xff\xff\xff{}"s, "header length 4294967295, but only 2 bytes follow"},
      // The dictionary.
      {file_of(""), "header, byte 0: wanted '{'"},
      {file_of("[]"), "header, byte 0: wanted '{', got \"[]\""},
      {file_of("{}"), "the header has no 'descr'"},
      {file_of("{,}"), "wanted a string"},
      {file_of("{"), "wanted a string"},
      {file_of("{'descr"), "wanted a string with its end"},
      {file_of("{'descr'}"), "wanted ':'"},
      {file_of("{'descr': }"), "wanted a string"},
      {file_of("{descr: '<f4'" + rest, "0123"), "wanted a string, got \"descr"},
      {file_of("{'descr': '<f4' 'shape': (1,)}", "0123"), "wanted '}', got \"'shape"},
      {file_of("{'fortran_order': False, 'shape': (1,), }\n", "0123"), "the header has no 'descr'"},
      {file_of("{'descr': '<f4', 'shape': (1,), }\n", "0123"), "the header has no 'fortran_order'"},
      {file_of("{'descr': '<f4', 'fortran_order': False, }\n", "0123"), "the header has no 'shape'"},
      {file_of("{'descr': '<f4', 'descr': '<f4'" + rest, "0123"), "field \"descr\" appears twice"},
      {file_of("{'descr': '<f4', 'order': 'C'" + rest, "0123"), "unknown field \"order\""},
      {file_of(dictionary("<f4", "(1,)") + "x", "0123"), "wanted the end of the header, got \"x\""},
      {file_of(dictionary("<f4", "(1,)") + "\n", "0123"), "wanted the end of the header"},
      {file_of(dictionary("<f4", "(1,)") + "\0"s, "0123"), "wanted the end of the header"},
      {file_of(std::string(60000, '{')), "wanted a string"},
      // descr.
      {file_of(dictionary(">f4", "(1,)"), "0123"), "wanted <f4, <f8, <i8, <i4 or |u1, got \">f4\""},
      {file_of(dictionary("=f4", "(1,)"), "0123"), "got \"=f4\""},
      {file_of(dictionary("<f2", "(2,)"), "0123"), "got \"<f2\""},
      {file_of(dictionary("<c8", "(1,)"), "01234567"), "got \"<c8\""},
      {file_of(dictionary("|O", "(1,)"), "01234567"), "got \"|O\""},
      {file_of(dictionary("", "(1,)"), "0123"), "got \"\""},
      {file_of(dictionary("<f4\n", "(1,)"), "0123"), "got \"<f4?\""},
      {file_of(dictionary("<f4" + std::string(5000, 'x'), "(1,)"), "0123"), "...\""},
      {file_of("{'descr': [('a', '<f4')]" + rest, "0123"), "wanted a string, got \"[('a', '<f4')]"},
      {file_of("{'descr': None" + rest, "0123"), "wanted a string, got \"None"},
      // fortran_order.
      {file_of(dictionary("<f4", "(1,)", "True"), "0123"), "Fortran order"},
      {file_of(dictionary("<f4", "(1,)", "0"), "0123"), "wanted True or False, got \"0"},
      {file_of(dictionary("<f4", "(1,)", "false"), "0123"), "wanted True or False"},
      {file_of(dictionary("<f4", "(1,)", "Falsey"), "0123"), "wanted '}', got \"y"},
      {file_of(dictionary("<f4", "(1,)", "'False'"), "0123"), "wanted True or False"},
      // shape.
      {shape("1"), "wanted '(', got \"1"},
      {shape("[1]"), "wanted '(', got \"[1]"},
      {shape("(1)"), "wanted a comma: (n) is no tuple"},
      {shape("(,)"), "wanted an integer >= 0, got \",)"},
      {shape("(1,,1)"), "wanted an integer >= 0"},
      {shape("(1 1)"), "wanted a comma or )"},
      {shape("(-1,)"), "wanted an integer >= 0, got \"-1"},
      {shape("(+1,)"), "wanted an integer >= 0"},
      {shape("(1.0,)"), "wanted a comma or )"},
      {shape("(0x1,)"), "wanted a comma or )"},
      {shape("(1L,)"), "wanted a comma or )"},
      {shape("('1',)"), "wanted an integer >= 0"},
      {shape("((1,),)"), "wanted an integer >= 0"},
      {shape("(1"), "wanted an integer >= 0, got \"}"},
      {shape("(1,1,1,1,1,1)"), "shape: more than 5 sizes"},
      {shape("(9223372036854775808,)"), "wanted a number below 2^63"},
      {shape("(4294967296, 4294967296)"), "shape [4294967296, 4294967296] overflows"},
      {shape("(4611686018427387905,)"), "overflows"},  // times 4 it would wrap to 4
      // The data.
      {shape("(2,)"), "shape [2] of <f4 takes 8 bytes, but the file holds 4"},
      {shape("(0,)"), "shape [0] of <f4 takes 0 bytes, but the file holds 4"},
      {shape("(1000000000000,)"), "takes 4000000000000 bytes, but the file holds 4"},
      {file_of(dictionary("<f8", "()"), "0123"), "shape [] of <f8 takes 8 bytes"},
      {floats("(2, 3)", 6) + "x", "takes 24 bytes, but the file holds 25"},
  };
}

TEST(Npy, RefusesMalformedFilesByName) {
  const TemporaryFolder folder;
  const std::string path = folder / "bad.npy";
  EXPECT_GE(malformed_files().size(), 20U);
  for (const Malformed& file : malformed_files()) {
    write_file(path, file.bytes);
    try {
      load_npy(path);
      ADD_FAILURE() << "accepted, wanted: " << file.part;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with(path + ": ")) << message;
      EXPECT_NE(message.find(file.part), std::string::npos) << message << "\n  wanted: " << file.part;
      EXPECT_EQ(error.code(), Exit::input) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), path.size() + 300) << message;
    }
  }
}

TEST(Npy, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  save_npy(folder / "a", random({5, 7}, 1));
  const std::string bytes = read_file(folder / "a"), path = folder / "cut";
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_file(path, bytes.substr(0, length));
    EXPECT_ERROR(load_npy(path), path + ": ");
  }
}

TEST(Npy, DamageIsAnErrorOrAnotherArrayNeverACrash) {
  const TemporaryFolder folder;
  save_npy(folder / "a", random({2, 3}, 1));
  const std::string whole = read_file(folder / "a"), path = folder / "damaged";
  int refused = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    Rng rng(trial, Purpose::test);
    std::string bytes = whole;
    for (std::uint32_t change = rng.below(3) + 1; change > 0; --change) {
      const std::uint32_t at = rng.below(72);  // the header, most of its padding aside
      if (rng.below(2))
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
      else
        bytes[at] = "(){}',:0123456789<f8i4 TF\n"[rng.below(26)];
    }
    write_file(path, bytes);
    try {
      load_npy(path);
    } catch (const Error& error) {
      ++refused;
      EXPECT_TRUE(std::string(error.what()).starts_with(path)) << error.what();
    }
  }
  EXPECT_GT(refused, 3000);
  EXPECT_LT(refused, 4000);
}

TEST(Npy, FilesystemErrors) {
  const TemporaryFolder folder;
  EXPECT_ERROR(load_npy(folder / "no"), "cannot open " + (folder / "no") + ": No such file or directory");
  EXPECT_ERROR(load_npy(folder.path().string()), ": Is a directory");
  EXPECT_ERROR(save_npy(folder / "no/a", zeros({1})), "cannot write " + (folder / "no/a") + ": No such file");
  EXPECT_ERROR(save_npy(folder / "a", zeros({1}, Dtype::bf16)), (folder / "a") + ": npy has no bf16");
  EXPECT_ERROR(save_npy(folder / "a", Tensor()), "the tensor has no value");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Npy, AFailedSaveLeavesThePreviousFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "a";
  save_npy(path, full({2}, 7));
  {
    const FileSizeLimit full(200);
    EXPECT_ERROR(save_npy(path, zeros({1000})), "cannot write " + path + ": File too large");
  }
  EXPECT_EQ(to_vector<float>(load_npy(path)), (std::vector<float>{7, 7}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace lookhere
