// config.toml: every form that the program or a person writes, and a corpus of broken ones, each with its one line.
#include "vit/train/recipe_file.h"

#include "tests/vit/tiny_run.h"
#include "vit/model/json.h"

namespace lookhere {
namespace {

// What a text sets, as one JSON object.
nlohmann::json settings(const std::string& text) {
  nlohmann::json all = nlohmann::json::object();
  read_recipe_file(text, "f", [&](const std::string& name, const nlohmann::json& value) { all[name] = value; });
  return all;
}

TEST(RecipeFile, ReadsEveryForm) {
  EXPECT_EQ(settings(""), nlohmann::json::object());
  EXPECT_EQ(settings("# only this"), nlohmann::json::object());
  EXPECT_EQ(settings("\xEF\xBB\xBF"
                     "a=1"),
            nlohmann::json::parse(R"({"a":1})"));
  const std::string text = R"(
    # a comment: ünïcode, "quotes", [brackets
    a = 1   # after a value
    b=+1_000
    c	=	-2.5e-3
    d = 1_0.2_5
    e = true
    f = false#
    g = "a # \"b\"\tc	d \\ \u00e9 \/ ü"
    h = 'C:\data # "as" it stands'
    i = []
    j = [1, 2.5, +3,]
    k = [ # the first
      "a", 'b'   # the second

      , # and
    ]
    with-dash_9 = ''
    1 = ""
    last = 0)";
  const nlohmann::json wanted = nlohmann::json::parse(R"({"a": 1, "b": 1000, "c": -2.5e-3, "d": 10.25, "e": true,
    "f": false, "g": "a # \"b\"\tc\td \\ é / ü", "h": "C:\\data # \"as\" it stands", "i": [], "j": [1, 2.5, 3],
    "k": ["a", "b"], "with-dash_9": "", "1": "", "last": 0})");
  EXPECT_EQ(settings(text), wanted);
  std::string windows;
  for (const char c : text) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_EQ(settings(windows), wanted);
  EXPECT_EQ(settings(text + std::string((1 << 20) - text.size() - 1, ' ') + "\n"), wanted) << "just short enough";
}

struct Broken {
  std::string text;
  long line;
  const char* message;
};

void expect_refused(const Broken& broken) {
  Recipe recipe;
  const std::string wanted = concat("f: line ", broken.line, ": ", broken.message);
  SCOPED_TRACE(broken.text.substr(0, 60));
  EXPECT_ERROR(update_from_toml_text(recipe, broken.text, "f"), wanted);
}

TEST(RecipeFile, NamesTheLineOfWhatIsNoSetting) {
  const char *kName = "wanted a name, got ", *kEnd = "wanted the end of the line, got ";
  for (const Broken& broken : std::vector<Broken>{
           {"[=", 1, "wanted a name, got \"[=\""},
           {"[model]\ndim = 3\n", 1, "wanted a name, got \"[model]\""},
           {"dim = 24\n[[model]]", 2, kName},
           {"= 3", 1, kName},
           {"dim = 1\n\"depth\" = 3", 2, "wanted a name, got \"\"depth\" = 3\""},
           {"\xC3\xBC = 3", 1, kName},
           {std::string("\0dim = 3", 8), 1, "wanted a name, got \"?dim = 3\""},
           {std::string("\x7f"
                        "ELF\0\1\xff\n",
                        8),
            1, kName},
           {"\xff\xfe\n", 1, "wanted a name, got \"??\""},
           {"{\"dim\": 24}", 1, kName},
           {"\n\ndim", 3, "wanted = after a name, got the end of the file"},
           {"\ndim\n", 2, "wanted = after a name, got the end of the line"},
           {"dim: 24", 1, "wanted = after a name, got \": 24\""},
           {"model.dim = 24", 1, "wanted = after a name, got \".dim = 24\""},
           {"dim.a.b.c.d = 24", 1, "wanted = after a name, got "},
           {"dim 24", 1, "wanted = after a name, got \"24\""},
           {"d\xC3\xBCm = 3", 1, "wanted = after a name, got "},
           {"dim = 1 2", 1, "wanted the end of the line, got \"2\""},
           {"dim = 1 depth = 2", 1, kEnd},
           {"dim = 1,\n", 1, "wanted the end of the line, got \",\""},
           {"dim = 1\rdepth = 2", 1, kEnd},
           {"data = \"\"\"a\"\"\"", 1, kEnd},
           {"data = '''a'''", 1, kEnd},
           {"data = 'it''s'", 1, kEnd},
           {"dim = 1 // wide", 1, kEnd},
           {"lr = 1979-05-27T07:32:00Z", 1,
            "wanted a number, true, false or text in quotes, got \"1979-05-27T07:32:00Z\""},
       })
    expect_refused(broken);
}

TEST(RecipeFile, NamesTheLineOfWhatIsNoValue) {
  const char* kValue = "wanted a number, true, false or text in quotes, got ";
  std::vector<Broken> corpus{
      {"dim = \n", 1, "wanted a number, true, false or text in quotes, got the end of the line"},
      {"dim =", 1, "wanted a number, true, false or text in quotes, got the end of the file"},
      {"data = shapes\n", 1, "wanted a number, true, false or text in quotes, got \"shapes\""},
      {"y=[}", 1, "wanted a number, true, false or text in quotes, got \"}\""},
      {"dim = # 3", 1, kValue},
      {"dim = {a = 1}", 1, kValue},
      {"dim = ]", 1, kValue},
      {"dim = \xff", 1, "wanted a number, true, false or text in quotes, got \"?\""},
      {"lr = 9999-99-99", 1, kValue},
      {"layer-slopes = [[1, 2]]", 1, "wanted a number, true, false or text in quotes, got \"[1, 2]]\""},
      {"layer-slopes = [\n1\n2]", 3, "wanted a comma or ], got \"2]\""},
      {"layer-slopes = [1,\n,2]", 2, "wanted a number, true, false or text in quotes, got \",2]\""},
      {"layer-slopes = [,]", 1, kValue},
      {"layer-slopes = [1,\n2", 2, "wanted a comma or ], got the end of the file"},
      {"layer-slopes = [\n\n# no more", 3, "wanted a number, true, false or text in quotes, got the end of the file"},
      {"directions = [\"a\",\n\"b]", 2, "wanted text with its closing quote on the line, got \"\"b]\""},
      {"data = \"shapes\n", 1, "wanted text with its closing quote on the line, got \"\"shapes\""},
      {"data = 'shapes\n'", 1, "wanted text with its closing quote on the line, got \"'shapes\""},
      {"data = \"shapes\\\"", 1, "wanted text with its closing quote on the line"},
      {"data = \"\\", 1, "wanted text with its closing quote on the line"},
      {"data = \"a\\qb\"", 1, "wanted text with escapes such as \\\" \\\\ \\n \\u00e9, got \"\"a\\qb\"\""},
      {"data = \"\\ud800\"", 1, "wanted text with escapes"},
      {"data = \"\xff\"", 1, "wanted UTF-8 text, got "},
      {"data = '\xed\xa0\x80'", 1, "wanted UTF-8 text, got "},
      {"data = \"a\x01\"", 1, "wanted text, got byte 1"},
      {"data = 'a\rb'", 1, "wanted text, got byte 13"},
      {"\n# \xff", 2, "wanted UTF-8 text, got \"# ?\""},
      {std::string("dim = 3 # \0", 11), 1, "wanted text, got byte 0"},
  };
  for (const char* word :
       {"1.",   ".5",  "01",   "1__0", "_1",   "1_",   "1_.5", "1e",  "1e999",     "+-1",  "-+1", "--1",   "++1",
        "0x10", "inf", "-inf", "nan",  "True", "TRUE", "yes",  "tru", "truefalse", "null", "1-2", "1.2.3", "-"})
    corpus.push_back({std::string("\nlr = ") + word, 2, kValue});
  for (const Broken& broken : corpus) expect_refused(broken);
}

TEST(RecipeFile, NamesTheLineOfWhatNoOptionTakes) {
  for (const Broken& broken : std::vector<Broken>{
           {"dim = 24\nfoo = 3\n", 2, "there is no option \"foo\""},
           {"dimm = 24\n", 1, "there is no option \"dimm\""},
           {"Dim = 24\n", 1, "there is no option \"Dim\""},
           {"dim = 24\n\ndim = 25\n", 3, "wanted each name once, got dim again"},
           {"dim = \"24\"\n", 1, "'dim' must be a whole number, got \"24\""},
           {"dim = 24.0\n", 1, "'dim' must be a whole number, got 24.0"},
           {"dim = []\n", 1, "'dim' must be a whole number, got array of 0"},
           {"data = 3", 1, "'data': wanted a text, got 3"},
           {"bce-loss = 1", 1, "'bce-loss': wanted true or false, got 1"},
           {"directions = \"a\"", 1, "'directions': wanted a list of texts, got \"a\""},
           {"layer-slopes = [\n1,\n'b']", 1, "'layer-slopes': wanted a list of numbers, got array of 2"},
           {"lr = 1\nlr = -1\n", 2, "wanted each name once"},
           {"\nlr = -1\n", 2, "--lr: wanted 0 to 1000, got -1"},
           {"dim = -1\n", 1, "--dim: wanted 0 to 65536, got -1"},
           {"seed = 9000000000000001", 1, "--seed: wanted 0 to 9000000000000000, got 9000000000000001"},
           {"seed = 18446744073709551615", 1, "--seed: wanted 0 to 9000000000000000, got 18446744073709551615"},
           {"seed = 99999999999999999999", 1, "'seed' must be a whole number, got 1e+20"},
           {"smoothing = 0.9990000000000001", 1, "--smoothing: wanted 0 to 0.999, got 0.9990000000000001"},
       })
    expect_refused(broken);
}

// What a few bytes could make of memory or time: each of these ends at once.
TEST(RecipeFile, IsBounded) {
  Recipe recipe;
  std::string dotted = "a";
  while (dotted.size() < 40000) dotted += ".a";
  EXPECT_ERROR(update_from_toml_text(recipe, dotted + " = 1", "f"), "f: line 1: wanted = after a name");
  EXPECT_ERROR(update_from_toml_text(recipe, "dim = " + std::string(1000000, '['), "f"), "f: line 1: wanted a number");
  EXPECT_ERROR(update_from_toml_text(recipe, std::string((1 << 20) + 1, '\n'), "f"),
               "f: wanted a file of at most 1048576 bytes, got 1048577");
  std::string names;
  for (long i = 0; names.size() < 1000000; ++i) names += concat("a", i, "=1\n");
  EXPECT_EQ(settings(names).size(), static_cast<std::size_t>(std::count(names.begin(), names.end(), '\n')));
  EXPECT_ERROR(update_from_toml_text(recipe, names, "f"), "f: line 1: there is no option \"a0\"");
  const TemporaryFolder folder;
  write_file(folder / "large", "dim = 3\n");
  std::filesystem::resize_file(folder / "large", 1L << 40);  // a hole: nothing of it may be read
  EXPECT_ERROR(update_from_toml(recipe, folder / "large"), "bytes, got 1099511627776");
}

// Everything that to_toml writes reads back equal, onto whatever was there before.
TEST(RecipeFile, ReadsBackWhatIsWritten) {
  std::vector<Recipe> recipes(1);
  const auto add = [&](auto change) { change(recipes.emplace_back()); };
  for (const char* text :
       {"", "a\"b\\c", "tab\tline\nreturn\rbell\x07", "\x7f", "ünï 日本 🙂", "# [x] = 'y'", "\\u00e9"})
    add([&](Recipe& r) {
      r.data = text, r.position_options["directions"] = std::vector<std::string>{text, "", "b"}, r.head = text;
    });
  for (const double x : {0.1 + 0.2, 1e-300, 5e-324, 1.0, 999.9999999999999, 1e-5, 123.456})
    add([&](Recipe& r) {
      r.lr = r.weight_decay = x, r.position_options["global-slope"] = -x,
      r.position_options["layer-slopes"] = std::vector{x, 0.0};
    });
  for (const long x : {1L, 9007L, 9000000000000000L}) add([&](Recipe& r) { r.seed = x; });
  add([](Recipe& r) { r.bce_loss = true; });
  for (const Recipe& recipe : recipes) {
    Recipe read;
    update_from_toml_text(read, to_toml(recipe), "f");
    EXPECT_EQ(to_json(read), to_json(recipe));
    EXPECT_EQ(to_toml(read), to_toml(recipe));
  }
}

}  // namespace
}  // namespace lookhere
