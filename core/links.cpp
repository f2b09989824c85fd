#include "core/links.h"

#include <algorithm>
#include <filesystem>

namespace forebay {
namespace {

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
}

Result<std::string> parse_directory(std::string_view text) {
  const std::filesystem::path path = std::filesystem::path(text).lexically_normal();
  std::string directory = path.native();
  if (directory.ends_with('/')) directory.pop_back();
  const bool leaves = directory == "." || directory == ".." || directory.starts_with("../");
  if (directory.empty() || path.is_absolute() || leaves || has_control_characters(text)) {
    return fail(EINVAL, "link \"{}\": is no directory below the mountpoint", text);
  }
  return directory;
}

bool is_below(const std::string& path, const std::string& directory) { return path.starts_with(directory + "/"); }

}  // namespace

Result<Link> parse_link(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == text.npos) return fail(EINVAL, "link \"{}\": expected DIR=EXTERNAL", text);
  Link link;
  ASSIGN_OR_RETURN(link.directory, parse_directory(text.substr(0, equals)));
  link.external = text.substr(equals + 1);
  if (has_control_characters(link.external) || (!link.external.empty() && !link.external.starts_with('/'))) {
    return fail(EINVAL, "link \"{}\": the external directory is no absolute path", text);
  }
  return link;
}

std::string text_of(const Link& link) { return link.directory + "=" + link.external; }

Result<std::vector<Link>> links_of(const Config& config) {
  std::vector<Link> links;
  for (const std::string& text : split_list(config.links.external)) {
    ASSIGN_OR_RETURN(Link link, parse_link(text));
    if (link.transient()) return fail(EINVAL, "link \"{}\": expected DIR=EXTERNAL", text);
    links.push_back(std::move(link));
  }
  for (const std::string& directory : split_list(config.links.transient)) {
    ASSIGN_OR_RETURN(std::string parsed, parse_directory(directory));
    links.push_back({std::move(parsed), {}});
  }
  for (const Link& a : links) {
    for (const Link& b : links) {
      if (&a == &b) continue;
      if (a.directory == b.directory) return fail(EINVAL, "link \"{}\": is there twice", a.directory);
      if (is_below(a.directory, b.directory)) {
        return fail(EINVAL, "link \"{}\": is below link \"{}\"", a.directory, b.directory);
      }
    }
  }
  return links;
}

}  // namespace forebay
