#include "core/config.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands/commands.h"
#include "cli/output.h"

namespace forebay::cli {
namespace {

enum class Format { kText, kJson, kMarkdown };

int check_file(const std::string& path) {
  Config config;
  if (const Status loaded = load_config_file(config, path); !loaded) return report(loaded.error());
  if (const Status checked = check_config(config); !checked) {
    return report(Error{checked.error().code, fmt::format("{}: {}", path, checked.error().context)});
  }
  fmt::print("{}: ok\n", one_line(path));
  return 0;
}

// A bar would end the cell of a table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

void print_text() {
  std::string_view table;
  for (const ConfigKeyInfo& row : config_keys()) {
    const std::string_view group = row.key.substr(0, row.key.find('.'));
    if (group != table) fmt::print("{}[{}]\n", table.empty() ? "" : "\n", group);
    table = group;
    fmt::print("# {}\n# Takes: {}\n{} = {}\n", row.meaning, row.type, row.key.substr(group.size() + 1),
               row.default_value);
  }
}

void print_markdown() {
  fmt::print("| key | takes | default | meaning |\n| --- | --- | --- | --- |\n");
  for (const ConfigKeyInfo& row : config_keys()) {
    fmt::print("| `{}` | {} | `{}` | {} |\n", row.key, cell(row.type), row.default_value, cell(row.meaning));
  }
}

void print_json() {
  auto rows = nlohmann::ordered_json::array();
  for (const ConfigKeyInfo& row : config_keys()) {
    rows.push_back({{"key", row.key}, {"type", row.type}, {"default", row.default_value}, {"meaning", row.meaning}});
  }
  fmt::print("{}\n", rows.dump(2));
}

int print_keys(Format format) {
  switch (format) {
    case Format::kText:
      print_text();
      break;
    case Format::kJson:
      print_json();
      break;
    case Format::kMarkdown:
      print_markdown();
      break;
  }
  return 0;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  CLI::App* const config = app.add_subcommand("config", "Check a configuration file; list all keys")->group("Commands");
  config->require_subcommand(1);
  config->footer(
      "Example:\n  forebay config keys > forebay.toml     all keys with their defaults and meaning\n"
      "  forebay config check forebay.toml");

  const auto path = std::make_shared<std::string>();
  CLI::App* const check = config->add_subcommand("check", "Check a configuration file")->group("Commands");
  check->add_option("FILE", *path, "the TOML file")->type_name("")->required();
  check->callback([&action, path] { action = [path] { return check_file(*path); }; });

  const auto format = std::make_shared<Format>(Format::kText);
  CLI::App* const keys =
      config->add_subcommand("keys", "Print all keys with their defaults and meaning, as a file")->group("Commands");
  CLI::Option* const json = keys->add_flag_callback(
      "--json", [format] { *format = Format::kJson; }, "as JSON");
  keys->add_flag_callback(
          "--markdown", [format] { *format = Format::kMarkdown; }, "as a table for documents")
      ->excludes(json);
  keys->callback([&action, format] { action = [format] { return print_keys(*format); }; });
}

}  // namespace forebay::cli
