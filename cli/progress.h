// How far a command has come: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace forebay::cli {

// One thread at a time. Writes to stderr, so that the output of a command stays clean.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  // Where it goes and what it looks like; the default asks stderr.
  struct Place {
    bool terminal = false;
    unsigned columns = 80;
    std::function<void(const std::string&)> write;
    std::function<Clock::time_point()> now = Clock::now;
  };
  static Place standard_error();

  // `label` names the command ("flush").
  explicit Progress(std::string label, Place place = standard_error());
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `total` bytes are moved, `files` are left. Cheap: draws at most ten times a second on a terminal, a line
  // every five seconds elsewhere.
  void update(uint64_t done, uint64_t total, uint64_t files);

  // Takes the bar away, so that something else can be printed; the next update() draws it again.
  void clear();

 private:
  std::string bar(uint64_t done, uint64_t total, uint64_t files) const;
  std::string line(uint64_t done, uint64_t total, uint64_t files) const;
  void measure(uint64_t done, Clock::time_point now);

  std::string label_;
  Place place_;
  Clock::time_point begin_;
  Clock::time_point last_drawn_;
  Clock::time_point last_measured_;
  uint64_t last_done_ = 0;
  double rate_ = 0;  // bytes per second, smoothed
  bool visible_ = false;
};

}  // namespace forebay::cli
