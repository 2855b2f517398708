// A list of paths; which of them are bad is remembered as they are found.
#include "vit/data/photo/source.h"

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"

namespace lookhere {
namespace {

constexpr long kHashedBytes = 4096;
constexpr long kImagesPerBad = 1000;

class PhotoFiles : public ImageSource {
 public:
  PhotoFiles(ImageFiles files, bool skip_bad) : files_(std::move(files)), skip_bad_(skip_bad) {}

  long size() const override { return std::ssize(files_.paths); }
  std::string name(long i) const override { return (std::filesystem::path(files_.root) / files_.paths[i]).string(); }
  Image read(long i, std::vector<std::uint8_t>& buffer) const override { return read_enough(i, buffer, {}); }
  Image read_enough(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) const override;
  std::uint64_t hash() const override;
  long read_stored(long i) const override;
  Skipped skipped() const override;
  void also_skipped(const Skipped& others) const override;

 private:
  // Calls use(bytes) of image i, which stay until it returns.
  template <class F>
  auto with_bytes(long i, const F& use) const {
    if (files_.members.empty()) {
      const MappedFile file(name(i));
      return use(Bytes(file.data(), static_cast<std::size_t>(file.size())));
    }
    const ImageFiles::Member& member = files_.members[i];
    const MappedFile archive((std::filesystem::path(files_.root) / files_.archives[member.archive]).string());
    check_io(member.length <= archive.size() && member.offset <= archive.size() - member.length, archive.path(),
             ": has become shorter while it is in use");
    return use(Bytes(archive.data() + member.offset, static_cast<std::size_t>(member.length)));
  }
  Image decode(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) const {
    return with_bytes(i, [&](Bytes bytes) { return decode_photo(bytes, name(i), buffer, enough); });
  }
  long next_of_class(long i) const;

  ImageFiles files_;
  bool skip_bad_;
  mutable std::mutex mutex_;  // guards all below
  mutable Skipped bad_;
  mutable std::once_flag hashed_;
  mutable std::uint64_t hash_ = 0;
};

Image PhotoFiles::read_enough(long i, std::vector<std::uint8_t>& buffer, const EnoughPixels& enough) const {
  for (long tried = i;;) try {
      return decode(tried, buffer, enough);
    } catch (const Error& error) {
      if (!skip_bad_ || error.code() != Exit::input) throw;
      also_skipped({{tried, error.what()}});
      tried = next_of_class(tried);
      if (tried == i) throw;
    }
}

long PhotoFiles::next_of_class(long i) const {
  const std::vector<std::int32_t>& labels = files_.labels;
  if (i + 1 < size() && labels[i + 1] == labels[i]) return i + 1;
  return std::ranges::lower_bound(labels, labels[i]) - labels.begin();
}

void PhotoFiles::also_skipped(const Skipped& others) const {
  const std::lock_guard lock(mutex_);
  bad_.insert(others.begin(), others.end());
  check(std::ssize(bad_) <= std::max(size() / kImagesPerBad, 1L), files_.root, ": ", bad_.size(), " of ", size(),
        " images are bad, more than may be skipped (one in ", kImagesPerBad, "); among them ", bad_.begin()->second);
}

ImageSource::Skipped PhotoFiles::skipped() const {
  const std::lock_guard lock(mutex_);
  return bad_;
}

long PhotoFiles::read_stored(long i) const {
  return with_bytes(i, [](Bytes bytes) {
    hash_of(bytes.data(), std::ssize(bytes));  // touches every byte
    return static_cast<long>(std::ssize(bytes));
  });
}

std::uint64_t PhotoFiles::hash() const {
  std::call_once(hashed_, [&] {
    std::vector<std::uint64_t> parts;
    for (long i = 0; i < size(); ++i) {
      const std::string& path = files_.paths[i];
      with_bytes(i, [&](Bytes bytes) {
        parts.insert(parts.end(), {hash_of(path.data(), std::ssize(path)), static_cast<std::uint64_t>(bytes.size()),
                                   hash_of(bytes.data(), std::min(std::ssize(bytes), kHashedBytes))});
      });
    }
    hash_ = hash_of(parts.data(), std::ssize(parts) * static_cast<long>(sizeof parts[0]));
  });
  return hash_;
}

}  // namespace

std::shared_ptr<const ImageSource> photos_in_files(ImageFiles files, bool skip_bad) {
  return std::make_shared<PhotoFiles>(std::move(files), skip_bad);
}

}  // namespace lookhere
