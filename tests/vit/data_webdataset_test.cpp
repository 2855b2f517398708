// Photographs in tar archives: which members make a sample, where they lie, and what is refused.
#include "vit/data/webdataset.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include "tests/program.h"
#include "tests/vit/data_files.h"
#include "tests/vit/photo_files.h"
#include "vit/data/loader.h"
#include "vit/data/tar_index.h"

namespace lookhere {
namespace {

using testing::ElementsAre;

struct Member {
  std::string name, bytes;
  unsigned kind = AE_IFREG;
  bool hole = false;
};

// An archive as libarchive writes it; pax has further headers before some members.
std::string tar_of(const std::vector<Member>& members, int format = ARCHIVE_FORMAT_TAR_USTAR) {
  std::string out(1 << 20, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format(writer, format);
  archive_write_set_bytes_in_last_block(writer, 1);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const Member& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_copy_pathname(entry, member.name.c_str());
    archive_entry_set_filetype(entry, member.kind);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_mtime(entry, 1, 500'000'000);  // Python's tarfile writes such times, in a pax header
    archive_entry_set_size(entry, static_cast<la_int64_t>(member.bytes.size()));
    if (member.kind == AE_IFLNK) archive_entry_copy_symlink(entry, "elsewhere");
    if (member.hole) archive_entry_sparse_add_entry(entry, 0, 1);
    archive_write_header(writer, entry);
    archive_write_data(writer, member.bytes.data(), member.bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return out.substr(0, used);
}

std::string photo(int colour, long side = 3) {
  return png_file(Pixels(3 * side * side, static_cast<std::uint8_t>(colour)), side, side);
}
// A sample of class `label` in one colour.
std::vector<Member> sample(const std::string& key, int colour, int label) {
  return {{key + ".png", photo(colour)}, {key + ".cls", std::to_string(label)}};
}
std::vector<Member> operator+(std::vector<Member> a, const std::vector<Member>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class Webdataset : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) const { write_file(folder_ / name, bytes); }
  std::string path(const std::string& name = "") const { return folder_ / name; }
  // All of an archive, with the colour of each picture.
  std::vector<std::pair<int, int>> content(const std::string& source, bool train = true, double held_out = 0) const {
    const Dataset dataset = load_dataset(path(source), train, {.val_split = held_out});
    std::vector<std::pair<int, int>> all;
    std::vector<std::uint8_t> buffer;
    for (long i = 0; i < dataset.size(); ++i) all.emplace_back(dataset.read(i, buffer).pixels[0], dataset.labels[i]);
    return all;
  }
  TemporaryFolder folder_;
};

using Pairs = std::vector<std::pair<int, int>>;

TEST_F(Webdataset, SamplesAreFilesOfOneName) {
  const std::vector<Member> members = std::vector<Member>{{"dir", "", AE_IFDIR}} + sample("dir/b.c/2", 20, 1) +
                                      std::vector<Member>{{"./1.JPG", photo(10)},  // a PNG, whatever its name
                                                          {"./1.json", R"({"label": 0, "more": [1]})"},
                                                          {"./1.txt", "a caption"},
                                                          {"./1.seg.png", "a mask, no picture"},
                                                          {"._1.png", "what a Mac leaves"},
                                                          {"lone.json", "no JSON and nobody's"},
                                                          {"empty.txt", ""},
                                                          {"3.json", R"({"label": 9})"},
                                                          {"3.cls", " 2\n"},
                                                          {"3.jpeg", photo(30)}} +
                                      sample(std::string(150, 'l') + "/ong", 40, 0);
  for (const int format : {ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FORMAT_TAR_GNUTAR}) {
    write("x.tar", tar_of(members, format));
    EXPECT_EQ(content("x.tar"), (Pairs{{10, 0}, {40, 0}, {20, 1}, {30, 2}})) << format;
  }
  const Dataset dataset = load_dataset(path("x.tar"), true, {.val_split = 0});
  EXPECT_EQ(dataset.images->name(0), path("x.tar/./1.JPG"));
  EXPECT_THAT(dataset.class_names, ElementsAre("0", "1", "2"));
  EXPECT_EQ(dataset.crop_ratio, 0.875);
}

TEST_F(Webdataset, IndexSaysWhereMembersLie) {
  const std::string tar = tar_of({{"a", "12345"}, {"b", ""}, {"c", std::string(600, 'c')}, {"d", "x"}});
  write("x.tar", tar);
  const std::vector<TarMember> members = index_tar(MappedFile(path("x.tar")));
  ASSERT_EQ(members.size(), 4U);
  EXPECT_EQ(members[0].offset, 512);  // a header of one block before each, contents in whole blocks
  EXPECT_EQ(members[0].length, 5);
  EXPECT_EQ(members[2].offset, 512 * 4);
  EXPECT_EQ(members[2].length, 600);
  EXPECT_EQ(members[3].offset, 512 * 7);
}

TEST_F(Webdataset, ShardsAndSplits) {
  std::vector<Member> first, second;
  for (int i = 0; i < 10; ++i)
    first = first + sample(concat("a", i), i, i % 2), second = second + sample(concat("b", i), 100 + i, 1);
  write("train-0009.tar", tar_of(first)), write("train-0010.tar", tar_of(second));
  const Pairs both = content("");
  EXPECT_EQ(both.size(), 20U);
  EXPECT_EQ(content("train-{0009..0010}.tar"), both);
  EXPECT_EQ(content("train-{0009,0010}.tar"), both);
  EXPECT_EQ(content("train-0010.tar").size(), 10U);
  // A tenth is held out: of 5 images of class 0 and of 15 of class 1, lround of 0.5 and 1.5.
  EXPECT_EQ(content("", false, 0.1).size(), 3U);
  EXPECT_EQ(content("", true, 0.1).size(), 17U);
  EXPECT_EQ(content("train-{0009..0010}.tar", false, 0.1), content("", false, 0.1));
  write("Valid-0000.tar", tar_of(sample("v", 50, 1)));
  EXPECT_EQ(content("", true, 0.1).size(), 20U);
  EXPECT_EQ(content("", false), (Pairs{{50, 1}}));
  EXPECT_EQ(content("{train-0009,Valid-0000}.tar", false), (Pairs{{50, 1}}));
  EXPECT_ERROR(content("Valid-0000.tar"), "train-0000.tar");
  const Dataset train = load_dataset(path(), true);
  EXPECT_EQ(load_test_set(path(), train).classes, 2);
  // Moved, it is the same.
  std::filesystem::create_directory(path("moved"));
  for (const char* name : {"train-0009.tar", "train-0010.tar"})
    std::filesystem::copy(path(name), path(concat("moved/", name)));
  EXPECT_EQ(load_dataset(path("moved"), true, {.val_split = 0}).hash(), train.hash());
}

TEST_F(Webdataset, PatternsThatAreNone) {
  for (const auto& [pattern, message] : std::vector<std::pair<std::string, std::string>>{
           {"{1..x}.tar", "wanted {FIRST..LAST}, two numbers, got \"{1..x}\""},
           {"{2..1}.tar", "wanted 1 to 100000 files"},
           {"{0..99999999999}.tar", "wanted 1 to 100000 files"},
           {"{0..999}{0..999}.tar", "wanted at most 100000 files"},
           {"{0..99999999999999999999}.tar", "two numbers"},
           {"{a,{b}}.tar", "none in another"},
           {"{a.tar", "wanted braces that are closed"},
           {"none-{0..1}.tar", "none-0.tar: No such file"}})
    EXPECT_ERROR(content(pattern), message);
}

TEST_F(Webdataset, ClassesHaveNames) {
  write("x.tar", tar_of(sample("a", 1, 0) + sample("b", 2, 2)));
  write("classnames.txt", "cat\ndog, hound\r\ncat\n");
  EXPECT_THAT(load_dataset(path("x.tar"), true, {.val_split = 0}).class_names, ElementsAre("cat", "dog, hound", "cat"));
  write("classnames.txt", "cat\ndog\n");
  EXPECT_ERROR(content("x.tar"), "x.tar/b.png\" is of class 2, and classnames.txt has 2 names");
  write("classnames.txt", "cat\n\n");
  EXPECT_ERROR(content("x.tar"), "classnames.txt: line 2: wanted the name of a class, got \"\"");
}

TEST_F(Webdataset, BrokenSamplesAreNamed) {
  const struct {
    std::vector<Member> members;
    const char* message;
  } cases[] = {
      {{{"a.png", photo(1)}}, "x.tar: \"a.png\": wanted a label of this name (cls, json), found none"},
      {{{"a.cls", "1"}}, "x.tar: \"a.cls\": wanted a picture of this name (jpg, jpeg, png)"},
      {sample("a", 1, 1) + sample("a", 2, 1), "x.tar: \"a.png\": the sample has a picture already, \"a.png\""},
      {sample("a", 1, 1) + std::vector<Member>{{"a.jpg", "x"}}, "\"a.jpg\": the sample has a picture already"},
      {{{"a.png", "x"}, {"a.cls", "cat"}}, "x.tar: \"a.cls\": wanted the number of a class, got \"cat\""},
      {{{"a.png", "x"}, {"a.cls", ""}}, "\"a.cls\": wanted the number of a class, got \"\""},
      {{{"a.png", "x"}, {"a.cls", "-1"}}, "below 1048576, got -1"},
      {{{"a.png", "x"}, {"a.cls", "1048576"}}, "below 1048576, got 1048576"},
      {{{"a.png", "x"}, {"a.cls", "99999999999999999999"}}, "wanted the number of a class, got"},
      {{{"a.png", "x"}, {"a.json", "{"}}, "\"a.json\": wanted a JSON object, got no valid JSON"},
      {{{"a.png", "x"}, {"a.json", "{}"}}, "wanted \"label\", the number of a class"},
      {{{"a.png", "x"}, {"a.json", R"({"label": "1"})"}}, "wanted the number of a class, got \"1\""},
      {{{"a.png", "x"}, {"a.json", R"({"label": 18446744073709551615})"}}, "below 1048576, got"},
      {{{"../a.png", "x"}}, "x.tar: \"../a.png\": wanted a name below the archive's top"},
      {{{"a/../../a.txt", "x"}}, "wanted a name below the archive's top"},
      {{{"/etc/a.png", "x"}}, "\"/etc/a.png\": wanted a name below the archive's top"},
      {{{"a.png", "", AE_IFLNK}}, "x.tar: \"a.png\": wanted a file, got a link"},
      {{{"a.png", "", AE_IFIFO}}, "\"a.png\": wanted a file or a folder, got a device"},
      {{{"a.txt", "x"}}, "wanted samples KEY.jpg with KEY.cls or KEY.json, found none"},
      {sample("a", 1, 0) + sample("b", 2, 0), "x.tar: wanted samples of at least two classes, found one, \"0\""},
  };
  for (const auto& [members, message] : cases) {
    write("x.tar", tar_of(members));
    EXPECT_ERROR(content("x.tar"), message);
  }
  write("x.tar", tar_of({{"a.png", "1234", AE_IFREG, true}}, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE));
  EXPECT_ERROR(content("x.tar"), "\"a.png\": is stored with holes (sparse)");
}

// Cut anywhere, an archive is refused; with any bit turned it is refused or read.
TEST_F(Webdataset, DamagedArchives) {
  const std::string good = tar_of(sample("a", 1, 0) + sample("b", 2, 1), ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
  write("x.tar", good);
  EXPECT_EQ(content("x.tar").size(), 2U);
  for (std::size_t size = 0; size + 1024 < good.size(); size += 73) {
    write("x.tar", good.substr(0, size));
    EXPECT_ERROR(content("x.tar"), "x.tar: ");
  }
  for (std::size_t at = 0; at < good.size(); at += 37) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1 << at % 8);
    write("x.tar", bad);
    try {
      content("x.tar");
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("x.tar"), std::string::npos) << error.what();
    }
  }
  write("x.tar", good + good);
  EXPECT_ERROR(content("x.tar"), concat("x.tar: has data after the archive's end, at byte ", good.size()));
  // A size of eight gigabytes, in a header whose sum is right.
  std::string huge = tar_of({{"a.png", "x"}});
  huge.replace(124, 11, "77777777777");
  huge.replace(148, 8, "        ");
  unsigned sum = 0;
  for (int i = 0; i < 512; ++i) sum += static_cast<unsigned char>(huge[i]);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  huge.replace(148, 7, digits, 7);
  write("x.tar", huge);
  EXPECT_ERROR(content("x.tar"), "\"a.png\": truncated: 8589934591 bytes are wanted of an archive of ");
  write("x.tar.gz", gzip(good));
  EXPECT_ERROR(content("x.tar.gz"), "is compressed by gzip, and training reads its pictures in any order");
  write("x.tar", "no archive at all, but long enough to be one" + std::string(2000, 'x'));
  EXPECT_ERROR(content("x.tar"), "x.tar: damaged tar archive: \"Unrecognized archive format\"");
}

TEST_F(Webdataset, BatchesAreThoseOfTheFolderForAnyWorkers) {
  std::vector<Member> members;
  for (int i = 0; i < 24; ++i) {
    const std::string picture = photo(10 * i, 4 + i % 5);
    members = members + std::vector<Member>{{concat(i % 3, "/", i, ".png"), picture},
                                            {concat(i % 3, "/", i, ".cls"), std::to_string(i % 3)}};
    std::filesystem::create_directories(path(concat("folder/", i % 3)));
  }
  std::ranges::sort(members, {}, &Member::name);
  for (const Member& member : members)
    if (member.name.ends_with("png")) write("folder/" + member.name, member.bytes);
  write("x.tar", tar_of(members));
  const auto batches = [&](const char* source, int workers) {
    const Dataset dataset = load_dataset(path(source), true, {.val_split = 0});
    Loader loader(dataset, {.batch_size = 5, .shuffle = true, .image_height = 7, .image_width = 7, .workers = workers});
    loader.start(3);
    std::vector<float> all;
    for (Batch batch; loader.next(batch);)
      all.insert(all.end(), batch.images.host<float>(), batch.images.host<float>() + batch.images.numel());
    return all;
  };
  const std::vector<float> want = batches("folder", 1);
  EXPECT_EQ(batches("x.tar", 1), want);
  EXPECT_EQ(batches("x.tar", 4), want);
}

TEST_F(Webdataset, BadPicturesAreNamedAndSkipped) {
  write("x.tar", tar_of(sample("a", 1, 0) + std::vector<Member>{{"b.png", "bad"}, {"b.cls", "0"}} + sample("c", 3, 1)));
  EXPECT_ERROR(content("x.tar"), path("x.tar/b.png") + ": wanted a JPEG or PNG");
  const Dataset dataset = load_dataset(path("x.tar"), true, {.val_split = 0, .on_bad_image = "skip"});
  std::vector<std::uint8_t> buffer;
  EXPECT_EQ(dataset.read(1, buffer).pixels[0], 1);
  EXPECT_THAT(dataset.images->skipped(), ElementsAre(testing::Pair(1, testing::HasSubstr("x.tar/b.png: wanted"))));
  write("x.tar", tar_of(sample("a", 1, 0)).substr(0, 512));
  EXPECT_ERROR(dataset.read(0, buffer), "x.tar: has become shorter while it is in use");
  const Finished end = run_program({"verify-data", path("x.tar")});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("x.tar: "), std::string::npos) << end.err;
}

}  // namespace
}  // namespace lookhere
