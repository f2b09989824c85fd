#include "history.h"

#include <fmt/format.h>

#include "text.h"

namespace forebay::walk {

void History::add(const Op& op, int64_t value, int error, uint64_t inode) {
  if (ring_.size() < kKept) ring_.resize(kKept);
  ring_[next_++ % kKept] = {op, value, error, inode};
}

template <typename Predicate>
std::string History::lines(size_t count, Predicate&& fits) const {
  std::vector<std::string> found;
  const size_t oldest = next_ > kKept ? next_ - kKept : 0;
  for (size_t i = next_; i-- > oldest && found.size() < count;) {
    const Record& record = ring_[i % kKept];
    if (!fits(record)) continue;
    found.push_back(fmt::format("  {:>8} {} = {}\n", record.op.step, describe(record.op),
                                record.error != 0 ? error_name(record.error) : fmt::format("{}", record.value)));
  }
  std::string text;
  for (size_t i = found.size(); i-- > 0;) text += found[i];
  return text;
}

std::string History::last(size_t count) const {
  return lines(count, [](const Record&) { return true; });
}

std::string History::about(const Op& op, uint64_t inode, size_t count) const {
  auto same_place = [](const Place& a, const Place& b) {
    return !a.path.empty() && a.base == b.base && a.path == b.path;
  };
  return lines(count, [&](const Record& record) {
    if (inode != 0 && record.inode == inode) return true;
    return same_place(record.op.place, op.place) || same_place(record.op.place2, op.place) ||
           same_place(record.op.place, op.place2) || same_place(record.op.place2, op.place2);
  });
}

}  // namespace forebay::walk
