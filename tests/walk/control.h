// What the threads of a walk share: when to stop, and one voice to speak with.
#pragma once

#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>

namespace forebay::walk {

class Control {
 public:
  // Throws std::system_error if the log cannot be written.
  explicit Control(const std::string& log_path);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  bool failed() const { return failed_; }
  bool died() const { return died_; }

  // A disagreement: the first one is printed, everything stops.
  void fail(const std::string& report);
  // The subject's daemon is gone.
  void die();

  bool logging() const { return log_ != nullptr; }
  void log(const std::string& line);
  void say(const std::string& line);

 private:
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> died_ = false;
  std::mutex mutex_;
  std::FILE* log_ = nullptr;
};

}  // namespace forebay::walk
