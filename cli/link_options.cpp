#include "cli/link_options.h"

#include <filesystem>

namespace forebay::cli {
namespace {

// Separates the entries of a list in the configuration.
Status check_letters(std::string_view option, const std::string& text) {
  return text.find(',') == text.npos ? Status{} : Status(fail(EINVAL, "{} {}: has a comma", option, text));
}

Status add(Config& config, const char* key, const std::string& known, const std::string& more) {
  return set_config_key(config, key, known.empty() ? more : known + "," + more);
}

}  // namespace

void add_link_options(CLI::App& command, std::vector<std::string>& links, std::vector<std::string>& transients) {
  command.add_option("--link", links, "another directory to cache, which appears at DIR in the mount; may be repeated")
      ->type_name("DIR=EXTERNAL")
      ->allow_extra_args(false);
  command.add_option("--transient", transients, "a scratch directory whose files live in the cache alone")
      ->type_name("DIR")
      ->allow_extra_args(false);
}

Status add_links(const std::vector<std::string>& links, const std::vector<std::string>& transients, Config& config) {
  for (const std::string& text : links) {
    RETURN_IF_ERROR(check_letters("--link", text));
    const size_t equals = text.find('=');
    if (equals == text.npos || equals + 1 == text.size()) return fail(EINVAL, "--link {}: expected DIR=EXTERNAL", text);
    // Daemons work in "/".
    const std::string external = std::filesystem::absolute(text.substr(equals + 1)).lexically_normal();
    RETURN_IF_ERROR(add(config, "links.external", config.links.external, text.substr(0, equals + 1) + external));
  }
  for (const std::string& text : transients) {
    RETURN_IF_ERROR(check_letters("--transient", text));
    RETURN_IF_ERROR(add(config, "links.transient", config.links.transient, text));
  }
  return {};
}

Result<std::vector<Link>> parse_link_options(const std::vector<std::string>& links,
                                             const std::vector<std::string>& transients) {
  Config config;
  RETURN_IF_ERROR(add_links(links, transients, config));
  return links_of(config);
}

Config::Links links_config(const std::vector<Link>& links) {
  Config::Links config;
  for (const Link& link : links) {
    std::string& list = link.transient() ? config.transient : config.external;
    list += (list.empty() ? "" : ",") + (link.transient() ? link.directory : text_of(link));
  }
  return config;
}

}  // namespace forebay::cli
