// By libarchive's tar reader alone, over the mapped file: where it points at is where a member lies.
#include "vit/data/tar_index.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include "tensor/error.h"
#include "tensor/out_of_memory.h"

namespace lookhere {
namespace {

constexpr long kBlock = 512;

struct Close {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

class Index {
 public:
  explicit Index(const MappedFile& file) : file_(file), reader_(archive_read_new()) {
    if (!reader_) throw OutOfMemory(0, "index", file.path().c_str());
  }
  std::vector<TarMember> all();

 private:
  void open();
  void require(int status) const;
  TarMember member_of(archive_entry* entry, const std::string& name) const;
  void require_end(long end) const;

  const MappedFile& file_;
  std::unique_ptr<archive, Close> reader_;
};

void Index::open() {
  const std::string& path = file_.path();
  for (const auto& [begin, kind, tool] : {std::tuple{std::string_view("\x1F\x8B"), "gzip", "gunzip -k"},
                                          {std::string_view("\x28\xB5\x2F\xFD"), "zstd", "unzstd"},
                                          {std::string_view("\xFD"
                                                            "7zXZ"),
                                           "xz", "unxz -k"},
                                          {std::string_view("BZh"), "bzip2", "bunzip2 -k"}})
    check(!file_.text().starts_with(begin), path, ": is compressed by ", kind,
          ", and training reads its pictures in any order: unpack it with ", tool);
  check(file_.size() > 0, path, ": wanted a tar archive, got an empty file");
  require(archive_read_support_format_tar(reader_.get()));
  require(archive_read_open_memory(reader_.get(), file_.data(), static_cast<std::size_t>(file_.size())));
}

// A warning is that a name is not in the locale's characters; it is then given as it is.
void Index::require(int status) const {
  if (status >= ARCHIVE_WARN) return;
  if (archive_errno(reader_.get()) == ENOMEM) throw OutOfMemory(0, "index", file_.path().c_str());
  const char* why = archive_error_string(reader_.get());
  fail(file_.path(), ": damaged tar archive: ", shown(why ? why : "no reason given"));
}

TarMember Index::member_of(archive_entry* entry, const std::string& name) const {
  const auto check_member = [&](bool ok, const auto&... parts) {
    if (!ok) fail(file_.path(), ": ", shown(name), ": ", parts...);
  };
  for (const std::filesystem::path& part : std::filesystem::path(name))
    check_member(part != ".." && part != "/", "wanted a name below the archive's top");
  const bool link = archive_entry_hardlink(entry) || archive_entry_filetype(entry) == AE_IFLNK;
  check_member(!link, "wanted a file, got a link; tar --dereference --hard-dereference writes files");
  check_member(archive_entry_filetype(entry) == AE_IFREG, "wanted a file or a folder, got a device");
  check_member(archive_entry_sparse_count(entry) == 0, "is stored with holes (sparse)");
  TarMember member{.name = name, .offset = 0, .length = archive_entry_size(entry)};
  if (member.length == 0) return member;
  const void* begin = nullptr;
  std::size_t bytes = 0;
  la_int64_t hole = 0;
  const int status = archive_read_data_block(reader_.get(), &begin, &bytes, &hole);
  if (status != ARCHIVE_EOF) require(status);
  const auto* at = static_cast<const unsigned char*>(begin);
  const bool inside = status == ARCHIVE_OK && hole == 0 && !std::less<>()(at, file_.data()) &&
                      std::less<>()(at, file_.data() + file_.size());
  check_member(inside && member.length > 0 && member.length <= file_.size() - (at - file_.data()),
               "truncated: ", member.length, " bytes are wanted of an archive of ", file_.size());
  member.offset = at - file_.data();
  return member;
}

// Without the zeros that end an archive it may have been cut between two members; whatever follows them would be lost.
void Index::require_end(long end) const {
  const std::string_view rest = file_.text().substr(static_cast<std::size_t>(std::min(end, file_.size())));
  check(std::ssize(rest) >= kBlock, file_.path(), ": truncated: the archive's end is missing");
  const std::size_t more = rest.find_first_not_of('\0');
  check(more == rest.npos, file_.path(), ": has data after the archive's end, at byte ", end + static_cast<long>(more));
}

std::vector<TarMember> Index::all() {
  open();
  std::vector<TarMember> members;
  for (archive_entry* entry = nullptr;;) {
    const int status = archive_read_next_header(reader_.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    require(status);
    const char* name = archive_entry_pathname(entry);
    check(name && *name, file_.path(), ": member ", members.size(), " has no name");
    if (archive_entry_filetype(entry) != AE_IFDIR) members.push_back(member_of(entry, name));
  }
  require_end(archive_read_header_position(reader_.get()));
  return members;
}

}  // namespace

std::vector<TarMember> index_tar(const MappedFile& archive) { return Index(archive).all(); }

}  // namespace lookhere
