#include "core/log.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/nearest.h"
#include "core/unique_fd.h"

namespace forebay {
namespace {

constexpr char kJournalSocket[] = "/run/systemd/journal/socket";
constexpr char kPattern[] = "%Y-%m-%d %H:%M:%S.%e %l %n: %v";
constexpr char kJournalPattern[] = "%n: %v";  // the journal has time and level itself

// In the order of Module.
constexpr std::array<std::string_view, 8> kModules = {"core",    "meta",    "storage", "consistency",
                                                      "evictor", "cachefs", "mgmt",    "cli"};
static_assert(kModules.size() == static_cast<size_t>(Module::kCli) + 1);

struct LevelName {
  std::string_view name;
  spdlog::level::level_enum level;
};
constexpr std::array kLevels = {
    LevelName{"trace", spdlog::level::trace}, LevelName{"debug", spdlog::level::debug},
    LevelName{"info", spdlog::level::info},   LevelName{"warn", spdlog::level::warn},
    LevelName{"error", spdlog::level::err},   LevelName{"critical", spdlog::level::critical},
    LevelName{"off", spdlog::level::off},
};

using Levels = std::array<spdlog::level::level_enum, kModules.size()>;
using Loggers = std::array<std::shared_ptr<spdlog::logger>, kModules.size()>;

std::unique_ptr<spdlog::formatter> make_formatter(const char* pattern, const char* end_of_line) {
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::local, end_of_line);
}

Loggers make_loggers() {
  const auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_formatter(make_formatter(kPattern, "\n"));
  Loggers loggers;
  for (size_t i = 0; i < loggers.size(); ++i) {
    loggers[i] = std::make_shared<spdlog::logger>(std::string(kModules[i]), sink);
    loggers[i]->set_level(spdlog::level::warn);
  }
  return loggers;
}

Loggers& loggers() {
  // Never destroyed: threads and destructors may still log while the process ends.
  static Loggers& all = *new Loggers(make_loggers());
  return all;
}

Result<spdlog::level::level_enum> parse_level(std::string_view name) {
  std::vector<std::string_view> names;
  for (const LevelName& level : kLevels) {
    if (level.name == name) return level.level;
    names.push_back(level.name);
  }
  return fail(EINVAL, "\"{}\" is not a log level (trace, debug, info, warn, error, critical, off){}", name,
              suggestion(name, names));
}

Result<size_t> parse_module(std::string_view name) {
  const auto* const found = std::find(kModules.begin(), kModules.end(), name);
  if (found != kModules.end()) return static_cast<size_t>(found - kModules.begin());
  return fail(EINVAL, "\"{}\" is not a module of the log{}", name,
              suggestion(name, {kModules.begin(), kModules.end()}));
}

// "info,storage=debug": one level for all modules, which need not come first, and levels for single ones.
Result<Levels> parse_levels(std::string_view list) {
  std::optional<spdlog::level::level_enum> common;
  std::array<std::optional<spdlog::level::level_enum>, kModules.size()> single;
  for (;;) {
    const size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    const size_t equals = item.find('=');
    ASSIGN_OR_RETURN(const auto level, parse_level(equals == item.npos ? item : item.substr(equals + 1)));
    if (equals != item.npos) {
      ASSIGN_OR_RETURN(const size_t module, parse_module(item.substr(0, equals)));
      single[module] = level;
    } else if (common) {
      return fail(EINVAL, "\"{}\" is a second level for all modules", item);
    } else {
      common = level;
    }
    if (comma == list.npos) break;
    list.remove_prefix(comma + 1);
  }
  Levels levels;
  for (size_t i = 0; i < levels.size(); ++i) levels[i] = single[i].value_or(common.value_or(spdlog::level::info));
  return levels;
}

Result<spdlog::sink_ptr> make_sink(const std::string& target) {
  if (target == "stderr") {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    sink->set_formatter(make_formatter(kPattern, "\n"));
    return sink;
  }
  if (target == "journal") {
    // libsystemd drops lines in silence when there is no journal.
    if (::access(kJournalSocket, W_OK) != 0) return fail_errno("log: journal at {}", kJournalSocket);
    auto sink = std::make_shared<spdlog::sinks::systemd_sink_mt>("forebay", true);
    sink->set_formatter(make_formatter(kJournalPattern, ""));
    return sink;
  }
  // Opened here first: for the errno, for a mode that keeps file names private, and so that spdlog makes no
  // directories.
  const UniqueFd file(::open(target.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!file) return fail_errno("log file {}", target);
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(target);
    sink->set_formatter(make_formatter(kPattern, "\n"));
    return sink;
  } catch (const spdlog::spdlog_ex& error) {
    return fail(EIO, "log file {}: {}", target, error.what());
  }
}

}  // namespace

Status start_log(const std::string& target, const std::string& level) {
  ASSIGN_OR_RETURN(const Levels levels, parse_levels(level));
  ASSIGN_OR_RETURN(const spdlog::sink_ptr sink, make_sink(target));
  for (size_t i = 0; i < levels.size(); ++i) {
    spdlog::logger& logger = *loggers()[i];
    logger.sinks() = {sink};
    logger.set_level(levels[i]);
    // The process may be killed at any time, and the last line is the one that is wanted then.
    logger.flush_on(spdlog::level::trace);
  }
  return {};
}

Status check_log_level(const std::string& level) {
  RETURN_IF_ERROR(parse_levels(level));
  return {};
}

spdlog::logger& log(Module module) { return *loggers()[static_cast<size_t>(module)]; }

}  // namespace forebay
