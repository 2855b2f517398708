// The live line: what fits into the terminal's width, and when it is drawn.
#include "vit/show/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>

#include "tensor/system/terminal.h"
#include "vit/show/text.h"

namespace lookhere {
namespace {

constexpr double kRedraw = 0.1, kLogLine = 10, kMemory = 30, kLumps = 8;  // seconds, but for the last
constexpr long kShortestBar = 10, kLongestBar = 30;                       // columns
constexpr const char *kGreen = "\033[32m", *kDim = "\033[2m", *kReset = "\033[0m", *kClear = "\r\033[K";

// 0:41, 12:05, 3:07:30
std::string clock_time(double seconds) {
  const auto s = static_cast<long>(std::clamp(seconds, 0.0, 1e9));
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

// As many fields from the front as fit.
std::string whole_fields(std::string detail, long width) {
  while (columns(detail) > width) {
    const std::size_t end = detail.rfind("  ");
    detail.resize(end == std::string::npos ? 0 : end);
    if (detail.empty()) break;
  }
  return detail;
}

}  // namespace

ProgressOptions standard_error() {
  const bool terminal = is_live_terminal(kStandardError);
  return {
      .out = &std::cerr,
      .terminal = terminal,
      .unicode = utf8_locale(),
      .color = terminal && color_wanted(),
      .width = [] { return terminal_width(kStandardError); },
      .now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }};
}

Progress::Progress(const std::string& label, long total, ProgressOptions options)
    : label_(one_line(label)),
      total_(total),
      done_(options.start),
      measured_done_(options.start),
      options_(std::move(options)),
      began_(options_.now()),
      measured_(began_),
      written_(options_.terminal ? began_ - 1 : began_) {}

Progress::~Progress() {
  if (live_) put("\n");
}

// Failing to report never stops work, nor does it end the reporting: a disk that was full may have room again.
void Progress::put(const std::string& text) {
  *options_.out << text << std::flush;
  options_.out->clear();
}

void Progress::measure(double now) {
  const double passed = now - measured_;
  since_step_ += passed;
  measured_ = now;
  if (done_ <= measured_done_) return;
  // Work that is told of in lumps is remembered for some of them.
  const double fade = std::exp(-since_step_ / std::max(kMemory, kLumps * since_step_));
  steps_ = steps_ * fade + static_cast<double>(done_ - measured_done_);
  seconds_ = seconds_ * fade + since_step_;
  since_step_ = 0;
  measured_done_ = done_;
}

std::string Progress::counts(double now) const {
  const double elapsed = now - began_;
  if (total_ <= 0) return fmt::format("{}  {}", done_, clock_time(elapsed));
  const long done = std::clamp(done_, 0L, total_);
  std::string text =
      fmt::format("{:3} %  {}", static_cast<long>(static_cast<double>(done) * 100.0 / static_cast<double>(total_)),
                  clock_time(elapsed));
  if (done < total_ && steps_ > 0 && elapsed >= 1)
    text +=
        fmt::format(", {} left", clock_time(static_cast<double>(total_ - done) * (seconds_ + since_step_) / steps_));
  return text;
}

std::string Progress::bar(long width) const {
  const double share = std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
  if (!options_.unicode) {
    const auto filled = static_cast<long>(share * static_cast<double>(width - 2));
    return "[" + repeat("=", filled) + repeat(" ", width - 2 - filled) + "]";
  }
  const auto halves = static_cast<long>(share * static_cast<double>(2 * width));
  const std::string done = repeat("━", halves / 2) + (halves % 2 ? "╸" : "");
  const std::string rest = repeat("─", width - (halves + 1) / 2);
  return options_.color ? kGreen + done + kReset + kDim + rest + kReset : done + rest;
}

std::string Progress::live_line(const std::string& counts, const std::string& detail) const {
  // The last column stays free: a full line would wrap on some terminals.
  const long width = options_.width() - 1, room = width - columns(label_) - columns(counts) - 4;
  if (room < 0 || total_ <= 0) {
    const std::string fields = whole_fields(detail, width - columns(label_) - columns(counts) - 4);
    return clip(label_ + "  " + counts + (fields.empty() ? "" : "  " + fields), width, options_.unicode);
  }
  const std::string fields = whole_fields(detail, room - kShortestBar - 2);
  const long bar_width = std::min(room - (fields.empty() ? 0 : columns(fields) + 2), kLongestBar);
  return label_ + "  " + (bar_width < kShortestBar ? "" : bar(bar_width) + "  ") + counts +
         (fields.empty() ? "" : "  " + fields);
}

void Progress::update(long done, const std::string& detail) {
  if (finished_) return;
  done_ = done;
  const double now = options_.now();
  const bool last = options_.terminal && done == total_;  // never stop short of 100 %
  if (now - written_ < (options_.terminal ? kRedraw : kLogLine) && !last) return;
  measure(now);
  written_ = now;
  const std::string fields = one_line(detail), text = counts(now);
  if (options_.terminal)
    put(kClear + live_line(text, fields));
  else
    put(label_ + "  " + text + (fields.empty() ? "" : "  " + fields) + "\n");
  live_ = options_.terminal;
}

void Progress::note(const std::string& line) {
  put((live_ ? kClear : "") + one_line(line) + "\n");
  live_ = false;
}

void Progress::finish_quietly() {
  finished_ = finished_ || (!live_ && options_.now() - began_ < 2);
  finish();
}

void Progress::finish(const std::string& summary) {
  if (finished_) return;
  finished_ = true;
  const double elapsed = options_.now() - began_;
  const std::string time = elapsed < 10 ? fmt::format("{:.1f} s", elapsed) : clock_time(elapsed);
  put((live_ ? kClear : "") + label_ + (summary.empty() ? "" : "  " + one_line(summary)) + "  (" + time + ")\n");
  live_ = false;
}

}  // namespace lookhere
