// Progress of a loop: one line on a terminal that is redrawn, a few plain lines in a log.
#pragma once
#include <functional>
#include <iosfwd>
#include <string>

namespace lookhere {

// Where to and how; standard_error() finds out, tests set it.
struct ProgressOptions {
  std::ostream* out;
  bool terminal = false;                // redraw one line, at most ten times a second; else a line every ten seconds
  bool unicode = false, color = false;  // of the bar; color only on a terminal
  std::function<int()> width;           // columns, asked at every redraw
  std::function<double()> now;          // seconds
  long start = 0;                       // steps done before, where a run is resumed: they took no time
};
ProgressOptions standard_error();

// label  ━━━━━━━━╸─────────  43 %  0:12, 0:16 left  loss 0.412  lr 9.1e-04  1843 images/s
//
// The time left follows from the speed of about the last half minute. Fields of the detail, told apart by two spaces,
// are left out from the end where the line is too narrow. Not for several threads at once.
class Progress {
 public:
  // total: the steps to do, 0 if unknown.
  Progress(const std::string& label, long total, ProgressOptions options = standard_error());
  // Where finish() was not reached, as after an error, the last line stays and what follows starts on a new one.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // done: steps done so far, `start` included. Cheap to call for every step.
  void update(long done, const std::string& detail = "");
  // A line that stays, above the live one.
  void note(const std::string& line);
  // Removes the live line and leaves one: label, summary, time taken.
  void finish(const std::string& summary = "");
  // The same, but without a word where nothing was shown and all took less than two seconds.
  void finish_quietly();

 private:
  void put(const std::string& text);
  void measure(double now);
  std::string bar(long width) const;
  std::string counts(double now) const;
  std::string live_line(const std::string& counts, const std::string& detail) const;

  std::string label_;
  long total_, done_, measured_done_;
  ProgressOptions options_;
  double began_, measured_, written_;
  double steps_ = 0, seconds_ = 0;  // both fade with their age; their ratio is the speed
  double since_step_ = 0;           // seconds without a step
  bool live_ = false, finished_ = false;
};

}  // namespace lookhere
