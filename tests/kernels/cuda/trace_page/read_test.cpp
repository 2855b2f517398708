// Traces as text: a whole one, and every way in which one may be broken.
#include "kernels/cuda/trace_page/read.h"

#include <stdexcept>

#include "tests/testing.h"

namespace lookhere {
namespace {

using namespace kernels::trace_page;

const std::string kHeader =
    "lookhere trace 1\nkernel k<float, 2>\nlaunched my file.cu:12\ngrid 3 2 1\nblock 8 4 1\nindex 2 1 0\n"
    "seed 18446744073709551615\n";
const std::string kEvents =
    "array 0 0 4 32 values\narray 1 128 8 2 x\nwrite 31 0 31 1 124 a.h:7\nbarrier 31 a.h:8\nrelease a.h:8\n"
    "read 0 1 1 1 136 a.h:9\nexchange 5 ffffffff __shfl_sync a.h:8\ndone 3\n"
    "array 2 128 2 0 none\ncopy 7 0 8 4 32 a.h:7\nupdate 7 1 0 1 128 a.h:8\ninstruction 7 80 mma a.h:9\n";
const std::string kWhole = kHeader + kEvents + "end 12\n";

std::string problem_of(const std::string& text) {
  try {
    read_trace(text);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ReadTrace, TakesAWholeOne) {
  const Trace trace = read_trace(kWhole);
  EXPECT_EQ(trace.kernel, "k<float, 2>");
  EXPECT_EQ(trace.launched, "my file.cu:12");
  EXPECT_EQ(trace.grid.x * 100 + trace.grid.y * 10 + trace.grid.z, 321);
  EXPECT_EQ(trace.block.x * 100 + trace.block.y * 10 + trace.block.z, 841);
  EXPECT_EQ(trace.index.x * 100 + trace.index.y * 10 + trace.index.z, 210);
  EXPECT_EQ(trace.seed, ~std::uint64_t{0});
  EXPECT_EQ(trace.threads, 32);
  EXPECT_EQ(trace.failure, "");
  ASSERT_EQ(trace.arrays.size(), 3U);
  EXPECT_EQ(trace.arrays[1].name, "x");
  EXPECT_EQ(trace.arrays[1].address, 128);
  EXPECT_EQ(trace.arrays[1].bytes, 8);
  EXPECT_EQ(trace.arrays[1].elements, 2);
  EXPECT_EQ(trace.words, (std::vector<std::string>{"a.h:7", "a.h:8", "a.h:9", "__shfl_sync", "mma"}));
  ASSERT_EQ(trace.events.size(), 9U);
  EXPECT_EQ(trace.events[0].kind, Kind::write);
  EXPECT_EQ(trace.events[0].thread, 31);
  EXPECT_EQ(trace.events[0].value, 31);
  EXPECT_EQ(trace.events[1].kind, Kind::barrier);
  EXPECT_EQ(trace.events[2].kind, Kind::release);
  EXPECT_EQ(trace.events[2].place, 1);
  EXPECT_EQ(trace.events[3].kind, Kind::read);
  EXPECT_EQ(trace.events[3].what, 1);
  EXPECT_EQ(trace.events[3].value, 1);
  EXPECT_EQ(trace.events[4].kind, Kind::exchange);
  EXPECT_EQ(trace.events[4].what, 3);
  EXPECT_EQ(trace.events[4].value, 0xffffffff);
  EXPECT_EQ(trace.events[4].count, 1);
  EXPECT_EQ(trace.events[5].kind, Kind::done);
  EXPECT_EQ(trace.arrays[2].elements, 0);
  EXPECT_EQ(trace.events[6].kind, Kind::copy);
  EXPECT_EQ(trace.events[6].value, 8);
  EXPECT_EQ(trace.events[6].count, 4);
  EXPECT_EQ(trace.events[7].kind, Kind::update);
  EXPECT_EQ(trace.events[7].what, 1);
  EXPECT_EQ(trace.events[8].kind, Kind::instruction);
  EXPECT_EQ(trace.events[8].what, 4);
  EXPECT_EQ(trace.events[8].value, 0x80);
  EXPECT_EQ(read_trace(kHeader + "failed it, really\nend 1\n").failure, "it, really");
}

// What a line is replaced by, and the report.
TEST(ReadTrace, NamesTheLineAndWhatItShouldBe) {
  struct Case {
    const char *line, *instead, *says;
  };
  for (const Case& c : {
           Case{"lookhere trace 1", "lookhere trace 2", "1: wanted \"lookhere trace 1\", got \"lookhere trace 2\""},
           {"lookhere trace 1", "lookhere trace 1 x", "1: wanted the end of the line, got \"x\""},
           {"kernel k<float, 2>", "kernel ", "2: wanted the kernel's name, got nothing"},
           {"kernel k<float, 2>", "kernels k", "2: wanted kernel, got \"kernels\""},
           {"launched my file.cu:12", "launched file.cu", "3: wanted a place as in \"file.cu:12\", got \"file.cu\""},
           {"launched my file.cu:12", "launched file.cu:0", "3: wanted a place"},
           {"launched my file.cu:12", "launched file.cu:12x", "3: wanted a place"},
           {"launched my file.cu:12", "launched :12", "3: wanted a place"},
           {"launched my file.cu:12", "launched f:99999999999", "3: wanted a place"},
           {"grid 3 2 1", "grid 0 2 1", "4: wanted grid's x from 1 to 4294967296, got \"0\""},
           {"grid 3 2 1", "grid 3 2", "4: wanted grid's z from 1 to 4294967296, got \"\""},
           {"grid 3 2 1", "grid 3 2 1 1", "4: wanted the end of the line, got \"1\""},
           {"block 8 4 1", "block 1025 1 1", "5: wanted block's x from 1 to 1024, got \"1025\""},
           {"block 8 4 1", "block 1024 2 1", "5: wanted a block of at most 1024 threads, got 2048"},
           {"index 2 1 0", "index 3 1 0", "6: wanted index's x from 0 to 2, got \"3\""},
           {"index 2 1 0", "index -1 1 0", "6: wanted index's x from 0 to 2, got \"-1\""},
           {"seed 18446744073709551615", "seed 18446744073709551616",
            "7: wanted a seed from 0 to 18446744073709551615"},
           {"array 0 0 4 32 values", "array 1 0 4 32 values",
            "8: wanted the next array's number from 0 to 0, got \"1\""},
           {"array 0 0 4 32 values", "array 0 -4 4 32 values", "8: wanted an address from 0 to 4294967296, got \"-4\""},
           {"array 0 0 4 32 values", "array 0 0 0 32 values",
            "8: wanted an element's bytes from 1 to 65536, got \"0\""},
           {"array 0 0 4 32 values", "array 0 0 4 99999999999999999999 values",
            "8: wanted a number of elements from 0"},
           {"array 0 0 4 32 values", "array 0 0 4 32", "8: wanted the array's name, got nothing"},
           {"write 31 0 31 1 124 a.h:7", "write 32 0 31 1 124 a.h:7", "10: wanted a thread from 0 to 31, got \"32\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 2 31 1 124 a.h:7", "10: wanted an array from 0 to 1, got \"2\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 0 -1 1 -4 a.h:7", "10: wanted an element from 0 to 31, got \"-1\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 0 32 1 128 a.h:7", "10: wanted an element from 0 to 31, got \"32\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 0 31 2 124 a.h:7",
            "10: wanted a number of elements from 1 to 1, got \"2\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 0 31 0 124 a.h:7",
            "10: wanted a number of elements from 1 to 1, got \"0\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 0 31 1 120 a.h:7",
            "10: wanted its address from 124 to 124, got \"120\""},
           {"write 31 0 31 1 124 a.h:7", "write 31 0 31 1 124", "10: wanted a place, got nothing"},
           {"write 31 0 31 1 124 a.h:7", "write  31 0 31 1 124 a.h:7", "10: wanted a thread from 0 to 31, got \"\""},
           {"write 31 0 31 1 124 a.h:7", "write 0x1f 0 31 124 a.h:7", "10: wanted a thread from 0 to 31, got \"0x1f\""},
           {"write 31 0 31 1 124 a.h:7", "scribble 31",
            "10: wanted array, read, write, copy, update, barrier, release, exchange, instruction, done, "
            "failed or end, got \"scribble\""},
           {"exchange 5 ffffffff __shfl_sync a.h:8", "exchange 5 1ffffffff s a.h:8",
            "14: wanted a mask in hexadecimal"},
           {"exchange 5 ffffffff __shfl_sync a.h:8", "exchange 5 0 s a.h:8", "14: wanted a mask in hexadecimal"},
           {"exchange 5 ffffffff __shfl_sync a.h:8", "exchange 5 1 s a.h:8",
            "14: wanted a mask that has the thread's lane"},
           {"exchange 5 ffffffff __shfl_sync a.h:8", "exchange 5 ffffffff s", "14: wanted a place, got nothing"},
           {"copy 7 0 8 4 32", "copy 7 2 0 1 128", "17: wanted an element from 0 to -1, got \"0\""},
           {"instruction 7 80 mma", "instruction 7 40 mma", "19: wanted a mask that has the thread's lane"},
           {"done 3", "done 3 3", "15: wanted the end of the line, got \"3\""},
           {"instruction 7 80 mma a.h:9", "failed here", ""},
           {"end 12", "end 11", "20: wanted the number of events from 12 to 12, got \"11\""},
           {"end 12", "end 12\nend 8", "21: wanted nothing after \"end\", got \"end 8\""},
           {"release a.h:8", "failed here", "13: wanted \"end\" after a failure, got \"read\""},
       }) {
    std::string text = kWhole;
    const std::size_t at = text.find(c.line);
    ASSERT_NE(at, text.npos) << c.line;
    text.replace(at, std::string(c.line).size(), c.instead);
    const std::string said = problem_of(text);
    if (*c.says)
      EXPECT_NE(said.find(c.says), said.npos) << c.instead << ": " << said;
    else
      EXPECT_EQ(said, "") << c.instead;
  }
  EXPECT_EQ(problem_of(kHeader + "read 0 0 0 1 0 a.h:1\n"), "8: wanted an array before it is used, got none");
  EXPECT_EQ(problem_of(kHeader + "array 0 0 4 4294967296 a\nread 0 0 0 16385 0 a.h:1\n"),
            "9: wanted a number of elements from 1 to 16384, got \"16385\"");
}

// Wherever a trace ends too early, it says so in one line; what is still a trace has all of it.
TEST(ReadTrace, RefusesAnythingLess) {
  for (std::size_t size = 0; size < kWhole.size(); ++size) {
    const std::string said = problem_of(kWhole.substr(0, size));
    EXPECT_NE(said.find(": wanted "), said.npos) << size;
    EXPECT_EQ(said.find('\n'), said.npos) << said;
  }
  EXPECT_EQ(problem_of(""), "1: wanted another line, \"end\" at last, got the end of the file");
  EXPECT_EQ(problem_of(kHeader), "8: wanted another line, \"end\" at last, got the end of the file");
}

// Any byte in any place ends in a trace or in one printable line that names a line of the text.
TEST(ReadTrace, StandsAnyBytes) {
  long read = 0, refused = 0;
  const auto feed = [&](const std::string& text) {
    const std::string said = problem_of(text);
    ++(said.empty() ? read : refused);
    if (said.empty()) return;
    EXPECT_GT(std::atol(said.c_str()), 0) << said;
    EXPECT_LT(said.size(), 200U) << said;
    for (const char c : said) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << said;
  };
  for (std::size_t at = 0; at < kWhole.size(); ++at)
    for (const char byte : {'\0', '\n', ' ', '-', '0', '9', 'a', '\xff', '\x1b'}) {
      std::string changed = kWhole, longer = kWhole;
      changed[at] = byte, longer.insert(at, 30, byte);
      feed(changed), feed(longer), feed(std::string(kWhole).erase(at, 1));
    }
  Rng rng(1, Purpose::test);
  for (int i = 0; i < 200; ++i) {
    std::string binary(1 + i * 7, '\0');
    for (char& c : binary) c = static_cast<char>(rng.uniform(0, 256));
    feed(binary), feed(kHeader + binary), feed("lookhere trace 1\n" + binary);
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lookhere
