#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "core/units.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr auto kLineEvery = 5s;
constexpr auto kMeasure = 100ms;
constexpr double kSmoothing = 3.0;          // seconds over which the rate is averaged
constexpr double kLongestEta = 100 * 3600;  // a guess beyond is none
constexpr size_t kBarWidth = 24;
constexpr size_t kLeastBarWidth = 6;

int percent(uint64_t done, uint64_t total) {
  if (total == 0) return 100;
  return static_cast<int>(static_cast<long double>(std::min(done, total)) * 100 / static_cast<long double>(total));
}

// Nothing while the rate is not known, or next to none.
std::string time_left(uint64_t done, uint64_t total, double rate) {
  if (rate < 1 || done >= total) return {};
  const double seconds = std::ceil(static_cast<double>(total - done) / rate);
  return seconds < kLongestEta ? format_duration(std::chrono::seconds(static_cast<int64_t>(seconds))) : std::string();
}

}  // namespace

Progress::Place Progress::standard_error() {
  Place place;
  place.terminal = ::isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (place.terminal && ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) place.columns = size.ws_col;
  place.write = [](const std::string& text) {
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
  };
  return place;
}

Progress::Progress(std::string label, Place place)
    : label_(std::move(label)),
      place_(std::move(place)),
      begin_(place_.now()),
      last_drawn_(begin_),
      last_measured_(begin_) {}

void Progress::update(uint64_t done, uint64_t total, uint64_t files) {
  const auto now = place_.now();
  measure(done, now);
  if (now - last_drawn_ < (place_.terminal ? Clock::duration(kRedraw) : Clock::duration(kLineEvery))) return;
  last_drawn_ = now;
  if (!place_.terminal) return place_.write(line(done, total, files) + "\n");
  place_.write("\r" + bar(done, total, files) + "\x1b[K");
  visible_ = true;
}

void Progress::clear() {
  if (visible_) place_.write("\r\x1b[K");
  visible_ = false;
}

void Progress::measure(uint64_t done, Clock::time_point now) {
  const auto passed = now - last_measured_;
  if (passed < kMeasure) return;
  const double seconds = std::chrono::duration<double>(passed).count();
  // What was done may shrink by a little when new work comes in.
  const double rate = done < last_done_ ? 0 : static_cast<double>(done - last_done_) / seconds;
  // At first the average of all, later of the last seconds.
  const double whole = std::chrono::duration<double>(now - begin_).count();
  rate_ += (rate - rate_) * std::max(1 - std::exp(-seconds / kSmoothing), seconds / whole);
  last_done_ = done;
  last_measured_ = now;
}

std::string Progress::bar(uint64_t done, uint64_t total, uint64_t files) const {
  const int share = percent(done, total);
  const std::string left = time_left(done, total, rate_);
  const std::string text =
      fmt::format(" {:3}%  {} of {}, {} file{} left  {:.1f} MB/s{}{}", share, format_bytes(done), format_bytes(total),
                  files, files == 1 ? "" : "s", rate_ / 1e6, left.empty() ? "" : "  ETA ", left);
  // On a narrow terminal the numbers stay and the bar goes. The last column stays free: some wrap there.
  const size_t used = label_.size() + std::string_view(" []").size() + text.size() + 1;
  const size_t width = std::min(kBarWidth, place_.columns > used ? place_.columns - used : 0);
  std::string drawn;
  if (width >= kLeastBarWidth) {
    drawn = fmt::format(" [{:-<{}}]", std::string(width * static_cast<size_t>(share) / 100, '#'), width);
  }
  return (label_ + drawn + text).substr(0, place_.columns - 1);
}

std::string Progress::line(uint64_t done, uint64_t total, uint64_t files) const {
  const std::string left = time_left(done, total, rate_);
  return fmt::format("forebay: {}: {}%, {} of {}, {} file{} left, {:.1f} MB/s{}{}", label_, percent(done, total),
                     format_bytes(done), format_bytes(total), files, files == 1 ? "" : "s", rate_ / 1e6,
                     left.empty() ? "" : ", ETA ", left);
}

}  // namespace forebay::cli
