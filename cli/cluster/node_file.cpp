#include "cli/cluster/node_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/unique_fd.h"

namespace forebay::cli {
namespace {

constexpr size_t kLargestNodeFile = 16 << 20;
constexpr size_t kMostHosts = 100'000;  // "n[0-999999999]" must not fill the memory
constexpr size_t kLongestHost = 253;    // as in DNS

constexpr std::string_view kBlanks = " \t\r";

bool is_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; }

bool is_host_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

Status check_host(std::string_view host) {
  if (host.empty()) return fail(EINVAL, "a host has no name");
  const auto bad = std::find_if_not(host.begin(), host.end(), is_host_letter);
  if (bad != host.end()) return fail(EINVAL, "\"{}\" is no host name: it has \"{}\"", host, *bad);
  const bool shape = host.front() != '-' && host.front() != '.' && host.find("..") == host.npos;
  if (!shape || host.size() > kLongestHost) return fail(EINVAL, "\"{}\" is no host name", host);
  return {};
}

// The commas outside of brackets part hosts.
std::vector<std::string_view> split_list(std::string_view list) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  bool inside = false;
  for (size_t at = 0; at <= list.size(); ++at) {
    if (at == list.size() || (list[at] == ',' && !inside)) {
      parts.push_back(list.substr(begin, at - begin));
      begin = at + 1;
    } else if (list[at] == '[' || list[at] == ']') {
      inside = list[at] == '[';
    }
  }
  return parts;
}

// "01-04" -> 01 02 03 04: as many digits as the first has.
Status expand_range(std::string_view range, std::vector<std::string>& numbers) {
  const size_t dash = range.find('-');
  const std::string_view first = range.substr(0, dash);
  const std::string_view last = dash == range.npos ? first : range.substr(dash + 1);
  uint64_t low = 0, high = 0;
  const auto parse = [](std::string_view text, uint64_t& number) {
    return is_digits(text) && std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc();
  };
  if (!parse(first, low) || !parse(last, high)) return fail(EINVAL, "\"{}\" is no range of numbers", range);
  if (high < low) return fail(EINVAL, "\"{}\" is a range that ends before it begins", range);
  if (high - low >= kMostHosts) return fail(EINVAL, "\"{}\" are too many hosts", range);
  for (uint64_t number = low; number <= high; ++number) {
    numbers.push_back(fmt::format("{:0{}}", number, first.size()));
  }
  return {};
}

// One member of a list, with any number of brackets.
Status expand_host(std::string_view host, std::vector<std::string>& hosts) {
  const size_t open = host.find('[');
  if (open == host.npos) {
    RETURN_IF_ERROR(check_host(host));
    if (hosts.size() >= kMostHosts) return fail(EINVAL, "more than {} hosts", kMostHosts);
    hosts.emplace_back(host);
    return {};
  }
  const size_t close = host.find(']', open);
  if (close == host.npos) return fail(EINVAL, "\"{}\" has no \"]\"", host);
  std::vector<std::string> numbers;
  for (const std::string_view range : split_list(host.substr(open + 1, close - open - 1))) {
    RETURN_IF_ERROR(expand_range(range, numbers));
  }
  for (const std::string& number : numbers) {
    RETURN_IF_ERROR(expand_host(fmt::format("{}{}{}", host.substr(0, open), number, host.substr(close + 1)), hosts));
  }
  return {};
}

std::string_view trimmed_line(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == line.npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

// Behind a host there may be "slots=4 max-slots=8" or a number, and nothing that could have been meant as a host.
Status check_rest(std::string_view rest) {
  for (size_t at = rest.find_first_not_of(kBlanks); at < rest.size(); at = rest.find_first_not_of(kBlanks, at)) {
    const size_t end = std::min(rest.find_first_of(kBlanks, at), rest.size());
    const std::string_view word = rest.substr(at, end - at);
    if (word.find('=') == word.npos && !is_digits(word)) {
      return fail(EINVAL, "\"{}\" behind a host; write one host a line", word);
    }
    at = end;
  }
  return {};
}

Status expand_line(std::string_view line, std::vector<std::string>& hosts) {
  const size_t blank = std::min(line.find_first_of(kBlanks), line.size());
  RETURN_IF_ERROR(check_rest(line.substr(blank)));
  for (std::string_view part : split_list(line.substr(0, blank))) {
    const size_t colon = part.rfind(':');
    if (colon != part.npos && is_digits(part.substr(colon + 1))) part = part.substr(0, colon);
    RETURN_IF_ERROR(expand_host(part, hosts));
  }
  return {};
}

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

}  // namespace

Result<std::vector<std::string>> parse_node_file(std::string_view text, const std::string& path) {
  std::vector<std::string> hosts;
  std::map<std::string, size_t> line_of;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = trimmed_line(text.substr(at, end - at));
    at = end + 1;
    ++number;
    if (line.empty()) continue;
    const size_t before = hosts.size();
    if (const Status expanded = expand_line(line, hosts); !expanded) {
      return fail(EINVAL, "{}:{}: {}", path, number, expanded.error().context);
    }
    for (size_t i = before; i < hosts.size(); ++i) {
      const auto [known, is_new] = line_of.emplace(lower_case(hosts[i]), number);
      if (!is_new) return fail(EINVAL, "{}:{}: {} is in line {} already", path, number, hosts[i], known->second);
    }
  }
  if (hosts.empty()) return fail(EINVAL, "{}: there is no host in it", path);
  return hosts;
}

Result<std::vector<std::string>> read_node_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("node file {}", path);
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got == 0) return parse_node_file(text, path);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("node file {}", path);
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kLargestNodeFile) return fail(EFBIG, "node file {}", path);
  }
}

}  // namespace forebay::cli
