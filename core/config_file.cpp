// load_config_file(): TOML into the table of keys, with file and line for everything that is wrong.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/config.h"
#include "core/config_keys.h"
#include "core/nearest.h"
#include "core/unique_fd.h"

namespace forebay {
namespace {

// No configuration is larger, and a device or a huge file given by mistake shall not fill the memory.
constexpr size_t kLargestFile = 1 << 20;

// For who reads from another program's pipe.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::minutes(1);

Result<std::string> read_file(const std::string& path) {
  // A FIFO that nobody writes to reads as empty instead of holding us for ever.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return fail_errno("configuration file {}", path);
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      pollfd waited{file.get(), POLLIN, 0};
      const int ready = ::poll(&waited, 1, static_cast<int>(kLongestWait.count()));
      if (ready > 0 || (ready < 0 && errno == EINTR)) continue;
      if (ready == 0) errno = ETIMEDOUT;
    }
    if (got < 0) return fail_errno("configuration file {}", path);
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kLargestFile) return fail(EFBIG, "configuration file {}", path);
  }
}

// The text that the key's parser takes; nothing when the TOML type is not one for this key.
std::optional<std::string> text_of(const toml::node& node, KeyType type) {
  const bool number = type == KeyType::kSize || type == KeyType::kShare || type == KeyType::kDuration;
  if (const auto* text = node.as_string(); text != nullptr) {
    // "4" for 4 is a slip; but a count may have a word for "decide yourself".
    const bool digits = !text->get().empty() && text->get().find_first_not_of("0123456789") == std::string::npos;
    if (type == KeyType::kCount && digits) return std::nullopt;
    return text->get();
  }
  if (const auto* count = node.as_integer(); count != nullptr && (number || type == KeyType::kCount)) {
    return std::to_string(count->get());
  }
  if (const auto* real = node.as_floating_point(); real != nullptr && type == KeyType::kDuration) {
    return fmt::format("{}", real->get());
  }
  return std::nullopt;
}

std::string_view wanted(KeyType type) {
  switch (type) {
    case KeyType::kSize:
      return "a size, such as \"64MiB\"";
    case KeyType::kDuration:
      return "a duration, such as \"5s\"";
    case KeyType::kShare:
      return "a percentage or a size, such as \"90%\" or \"10GiB\"";
    case KeyType::kCount:
      return "a whole number without quotes, such as 4";
    case KeyType::kText:
    case KeyType::kChoice:
      return "text in quotes";
  }
  return "something else";
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "text in quotes";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

// Applies a parsed file and remembers the first thing that is wrong, in the order of the lines: the parser sorts by
// key.
class Loader {
 public:
  Loader(Config& config, const std::string& path) : config_(config), path_(path) {}

  Status apply(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const toml::table* table = node.as_table();
      if (table == nullptr) {
        complain(key.source(), EINVAL, unknown_key_message(key.str()));
      } else if (!known_table(key.str())) {
        complain(key.source(), EINVAL, unknown_table_message(key.str()));
      } else {
        for (const auto& [name, value] : *table) set(fmt::format("{}.{}", key.str(), name.str()), name, value);
      }
    }
    if (!error_) return {};
    return Failure(*error_);
  }

 private:
  static std::vector<std::string_view> tables() {
    std::vector<std::string_view> names;
    for (const ConfigKey& row : config_key_table()) {
      const std::string_view table = row.key.substr(0, row.key.find('.'));
      if (names.empty() || names.back() != table) names.push_back(table);
    }
    return names;
  }

  static bool known_table(std::string_view name) {
    const auto names = tables();
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  static std::string unknown_table_message(std::string_view name) {
    return fmt::format("unknown table \"{}\"{}", name, suggestion(name, tables()));
  }

  void set(const std::string& key, const toml::key& name, const toml::node& value) {
    const ConfigKey* row = find_config_key(key);
    if (row == nullptr) return complain(name.source(), EINVAL, unknown_key_message(key));
    const auto text = text_of(value, row->type);
    if (!text) {
      return complain(name.source(), EINVAL,
                      fmt::format("{}: this is {}; it takes {}", key, type_name(value), wanted(row->type)));
    }
    if (const Status status = set_config_key(config_, key, *text); !status) {
      complain(name.source(), status.error().code, status.error().context);
    }
  }

  void complain(const toml::source_region& where, int code, const std::string& what) {
    const auto line = where.begin.line;
    if (error_ && error_line_ <= line) return;
    error_line_ = line;
    error_ = Error{code, fmt::format("{}:{}: {}", path_, line, what)};
  }

  Config& config_;
  const std::string& path_;
  std::optional<Error> error_;
  toml::source_index error_line_ = 0;
};

}  // namespace

Status load_config_file(Config& config, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, read_file(path));
  try {
    const toml::table root = toml::parse(text, path);
    Config changed = config;  // all of the file, or nothing of it
    RETURN_IF_ERROR(Loader(changed, path).apply(root));
    config = changed;
    return {};
  } catch (const toml::parse_error& error) {
    return fail(EINVAL, "{}:{}: {}", path, error.source().begin.line, error.description());
  }
}

}  // namespace forebay
