#include "knobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>
#include <vector>

namespace forebay::slowfs {
namespace {

constexpr char kAll[] = "*";

bool to_number(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// 0 when there is no error of that name.
int errno_of(std::string_view name) {
  constexpr int kLast = 133;
  for (int code = 1; code <= kLast; ++code) {
    const char* const known = ::strerrorname_np(code);
    if (known != nullptr && name == known) return code;
  }
  return 0;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace

Knobs& knobs() {
  static Knobs one;
  return one;
}

int Knobs::enter(const char* operation) {
  std::chrono::microseconds latency{0};
  int code = 0;
  {
    std::unique_lock lock(mutex_);
    ++counts_[operation];
    changed_.wait(lock, [&] { return ended_ || !hangs(operation); });
    latency = latency_;
    code = failure_of(operation);
  }
  if (latency.count() > 0) std::this_thread::sleep_for(latency);
  return code;
}

void Knobs::transfer(uint64_t bytes) {
  std::chrono::steady_clock::time_point done;
  {
    const std::lock_guard lock(mutex_);
    if (bandwidth_ == 0) return;
    const auto duration = std::chrono::nanoseconds(bytes * 1'000'000'000 / bandwidth_);
    free_at_ = std::max(free_at_, std::chrono::steady_clock::now()) + duration;
    done = free_at_;
  }
  std::this_thread::sleep_until(done);
}

bool Knobs::hangs(const char* operation) const { return hanging_.contains(operation) || hanging_.contains(kAll); }

int Knobs::failure_of(const char* operation) {
  auto found = failures_.find(operation);
  if (found == failures_.end()) found = failures_.find(kAll);
  if (found == failures_.end() || found->second.left == 0) return 0;
  if (found->second.left > 0) --found->second.left;
  return found->second.code;
}

int Knobs::set_failures(const std::string& value) {
  std::map<std::string, Failure> failures;
  for (const std::string& word : split(value)) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) return EINVAL;
    const size_t colon = std::min(word.find(':', equals), word.size());
    Failure failure;
    failure.code = errno_of(word.substr(equals + 1, colon - equals - 1));
    uint64_t left = 0;
    if (failure.code == 0 || (colon < word.size() && !to_number(word.substr(colon + 1), &left))) return EINVAL;
    if (colon < word.size()) failure.left = static_cast<int64_t>(left);
    failures[word.substr(0, equals)] = failure;
  }
  failures_ = std::move(failures);
  fail_text_ = value;
  return 0;
}

int Knobs::set(std::string_view name, std::string_view value) {
  const std::lock_guard lock(mutex_);
  uint64_t number = 0;
  if (name == "latency_us") {
    if (!to_number(value, &number)) return EINVAL;
    latency_ = std::chrono::microseconds(number);
  } else if (name == "bandwidth") {
    if (!to_number(value, &number)) return EINVAL;
    bandwidth_ = number;
  } else if (name == "fail") {
    return set_failures(std::string(value));
  } else if (name == "hang") {
    hang_text_ = value;
    hanging_.clear();
    for (std::string& word : split(value)) hanging_.insert(std::move(word));
    changed_.notify_all();
  } else {
    return ENODATA;
  }
  return 0;
}

std::string Knobs::take_counts() {
  std::string text;
  for (const auto& [operation, count] : counts_)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", operation, count);
  counts_.clear();
  return text;
}

int Knobs::get(std::string_view name, std::string* value) {
  const std::lock_guard lock(mutex_);
  if (name == "latency_us")
    *value = std::to_string(latency_.count());
  else if (name == "bandwidth")
    *value = std::to_string(bandwidth_);
  else if (name == "fail")
    *value = fail_text_;
  else if (name == "hang")
    *value = hang_text_;
  else if (name == "count")
    *value = take_counts();
  else
    return ENODATA;
  return 0;
}

void Knobs::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

}  // namespace forebay::slowfs
