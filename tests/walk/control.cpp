#include "control.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace forebay::walk {

Control::Control(const std::string& log_path) {
  if (log_path.empty()) return;
  log_ = std::fopen(log_path.c_str(), "we");
  if (log_ == nullptr) throw std::system_error(errno, std::generic_category(), log_path);
}

Control::~Control() {
  if (log_ != nullptr) std::fclose(log_);
}

void Control::fail(const std::string& report) {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  if (failed_.exchange(true)) return;
  fmt::print("{}\n", report);
  std::fflush(stdout);
}

void Control::die() {
  died_ = true;
  stopped_ = true;
}

void Control::log(const std::string& line) {
  const std::lock_guard lock(mutex_);
  fmt::print(log_, "{}\n", line);
}

void Control::say(const std::string& line) {
  const std::lock_guard lock(mutex_);
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace forebay::walk
