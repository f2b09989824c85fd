#include "shared_area.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include "random.h"
#include "text.h"

namespace forebay::walk {
namespace {

void make_directory(int base, const std::string& name) {
  if (::mkdirat(base, name.c_str(), 0777) != 0)
    throw std::runtime_error(fmt::format("{}: {} (the walk needs fresh directories)", name, error_name(errno)));
  // Against the umask: the other users work here too.
  ::fchmodat(base, name.c_str(), 0777, 0);
}

void make_file(int base, const std::string& name, int64_t size) {
  const UniqueFd fd(::openat(base, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd || ::fchmod(fd.get(), 0666) != 0 || ::ftruncate(fd.get(), size) != 0)
    throw std::runtime_error(fmt::format("{}: {}", name, error_name(errno)));
}

// What cannot be read is empty, and a fault.
std::string read_whole(int base, const char* name, std::vector<std::string>& faults) {
  std::string content;
  const UniqueFd fd(::openat(base, name, O_RDONLY | O_CLOEXEC));
  char block[65'536];
  ssize_t count = 0;
  while ((count = ::read(fd.get(), block, sizeof block)) > 0) content.append(block, static_cast<size_t>(count));
  if (count < 0) faults.push_back(fmt::format("shared/{}: {}", name, error_name(errno)));
  return content;
}

bool is_record(const std::string& text) {
  int thread = 0;
  unsigned long long step = 0;
  return std::sscanf(text.c_str(), "t%2d %llu", &thread, &step) == 2 && text == append_record(thread, step);
}

}  // namespace

void make_areas(const std::string& root, int threads) {
  const UniqueFd base = open_directory(AT_FDCWD, root);
  for (int thread = 0; thread < threads; ++thread) make_directory(base.get(), thread_name(thread));
  make_directory(base.get(), "shared");
  make_directory(base.get(), "shared/d0");
  make_directory(base.get(), "shared/d1");
  make_file(base.get(), "shared/stripes", kStripeBytes * kStripesPerThread * threads);
  make_file(base.get(), "shared/append", 0);
}

void open_shared_files(Side& side) {
  side.shared().stripes = UniqueFd(::openat(side.shared_root(), "stripes", O_RDWR | O_CLOEXEC));
  side.shared().append = UniqueFd(::openat(side.shared_root(), "append", O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!side.shared().stripes || !side.shared().append)
    throw std::system_error(errno, std::generic_category(), side.label() + "/shared");
}

std::string append_record(int thread, uint64_t step) {
  const uint64_t tag = mix(step * 100 + static_cast<uint64_t>(thread));
  std::string record = fmt::format("t{:02} {:012} {:016x} {:016x}", thread, step, tag, mix(tag));
  record.resize(kRecordBytes - 1, '.');
  return record + "\n";
}

std::vector<std::string> read_records(const Side& side, std::vector<std::string>& faults) {
  const std::string content = read_whole(side.shared_root(), "append", faults);
  std::vector<std::string> records;
  for (size_t at = 0; at < content.size(); at += kRecordBytes) {
    std::string record = content.substr(at, kRecordBytes);
    if (!is_record(record))
      faults.push_back(
          fmt::format("shared/append of the {}: no whole record at {}: {}", side.label(), at, printable(record)));
    records.push_back(std::move(record));
  }
  std::sort(records.begin(), records.end());
  return records;
}

std::vector<std::string> compare_shared_files(const Side& subject, const Side& model) {
  std::vector<std::string> faults;
  const auto in_subject = read_records(subject, faults);
  const auto in_model = read_records(model, faults);
  auto list = [&](const auto& from, const auto& other, const char* text) {
    std::vector<std::string> only;
    std::set_difference(from.begin(), from.end(), other.begin(), other.end(), std::back_inserter(only));
    for (size_t i = 0; i < std::min<size_t>(only.size(), 5); ++i)
      faults.push_back(fmt::format("shared/append: {} {} ({} such records)", text, printable(only[i]), only.size()));
  };
  list(in_model, in_subject, "lost record");
  list(in_subject, in_model, "record too many");
  const std::string subject_stripes = read_whole(subject.shared_root(), "stripes", faults);
  const std::string model_stripes = read_whole(model.shared_root(), "stripes", faults);
  if (subject_stripes != model_stripes)
    faults.push_back("shared/stripes: " + bytes_difference(subject_stripes, model_stripes));
  return faults;
}

}  // namespace forebay::walk
