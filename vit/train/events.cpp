// Protocol buffers by hand: Event {1 wall_time, 2 step, 3 file_version, 5 summary, 7 session_log}, Summary {1 value},
// Value {1 tag, 2 simple_value, 4 image}, Image {1 height, 2 width, 3 colorspace, 4 encoded_image_string}, SessionLog
// {1 status}.
#include "vit/train/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "vit/show/png.h"

namespace lookhere {
namespace {

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  return bytes;
}

// How a field is written: the lower three bits of its key.
enum Wire : unsigned { kVarint = 0, kEightBytes = 1, kBytes = 2, kFourBytes = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80U; value >>= 7) bytes += static_cast<char>((value & 0x7FU) | 0x80U);
  return bytes + static_cast<char>(value);
}
std::string key(unsigned field, Wire wire) { return varint(field << 3 | wire); }
std::string bytes_field(unsigned field, std::string_view bytes) {
  return key(field, kBytes) + varint(bytes.size()) + std::string(bytes);
}
std::string number_field(unsigned field, long value) {
  return key(field, kVarint) + varint(static_cast<std::uint64_t>(value));
}
std::string double_field(unsigned field, double value) {
  return key(field, kEightBytes) + little_endian(std::bit_cast<std::uint64_t>(value));
}
std::string float_field(unsigned field, double value) {
  return key(field, kFourBytes) + little_endian(std::bit_cast<std::uint32_t>(static_cast<float>(value)));
}

std::string event(long step, const std::string& what) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return event_record(double_field(1, now.count()) + number_field(2, step) + what);
}

// The seconds in the name of the newest event file; 0: there is none.
long newest_in(const RunFolder& folder) {
  constexpr std::string_view kPrefix = kEventFilePrefix;
  long newest = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder.path(), error), end; !error && it != end; it.increment(error))
    if (const std::string name = it->path().filename().string(); name.starts_with(kPrefix))
      newest = std::max(newest, std::atol(name.c_str() + kPrefix.size()));
  check_system(error, "list", folder.path());
  return newest;
}

// events.out.tfevents.TIME.HOST.PROCESS.NUMBER: TensorBoard reads a folder's files in the order of their names. A clock
// that was set back must not put a run's later steps before its first.
std::string free_name(const RunFolder& folder) {
  std::string name = host_name();
  for (char& c : name)
    if (c == '/') c = '-';
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const long time = std::max(std::chrono::duration_cast<std::chrono::seconds>(now).count(), newest_in(folder) + 1);
  const std::string start =
      fmt::format("{}{:010}.{}.{}.", kEventFilePrefix, time, name.empty() ? "localhost" : name, process_number());
  long number = 0;
  while (folder.has(start + std::to_string(number))) ++number;
  return folder.file(start + std::to_string(number));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

std::string event_record(std::string_view data) {
  // Masked, since a CRC of bytes that hold their own CRC says little.
  const auto masked = [](std::string_view bytes) {
    return little_endian(std::rotr(crc32c(bytes), 15) + std::uint32_t{0xA282EAD8});
  };
  const std::string size = little_endian(static_cast<std::uint64_t>(data.size()));
  return size + masked(size) + std::string(data) + masked(data);
}

EventFile::EventFile(const RunFolder& folder, long step) : file_(free_name(folder), 0) {
  constexpr std::string_view kStart = "\x08\x01";  // status: START, from this step on
  file_.write(event(0, bytes_field(3, "brain.Event:2")) + event(step + 1, bytes_field(7, kStart)));
}

void EventFile::write(long step, const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars)
    summary += bytes_field(1, bytes_field(1, scalar.tag) + float_field(2, scalar.value));
  file_.write(event(step, bytes_field(5, summary)));
}

void EventFile::write(const StepRow& row) {
  write(row.step, {{"train/loss", row.loss},
                   {"train/lr", row.lr},
                   {"train/grad_norm", row.gradient_norm},
                   {"train/cross_entropy", row.cross_entropy}});
}

void EventFile::write(const Tensor& images, const Preprocessing& preprocessing, long step) {
  constexpr long kPictures = 4;
  const Tensor here = images.rows(0, std::min(images.shape()[0], kPictures)).to(Device::cpu);
  const long channels = here.shape()[1], height = here.shape()[2], width = here.shape()[3];
  std::string summary;
  for (long i = 0; i < here.shape()[0]; ++i) {
    const std::vector<std::uint8_t> pixels = pixels_of(here.rows(i, i + 1), preprocessing);
    const Image shown{.pixels = pixels.data(), .channels = channels, .height = height, .width = width};
    const std::string picture = number_field(1, height) + number_field(2, width) +
                                number_field(3, channels < 3 ? 1 : 3) + bytes_field(4, png_of(shown));
    summary += bytes_field(1, bytes_field(1, concat("train/image/", i)) + bytes_field(4, picture));
  }
  file_.write(event(step, bytes_field(5, summary)));
}

void EventFile::write(const EpochRow& row, long step) {
  write(step, {{"eval/loss", row.eval_loss}, {"eval/top1", row.eval_top1}, {"eval/top5", row.eval_top5}});
}

}  // namespace lookhere
