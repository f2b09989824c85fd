// Links: a mount shows one external directory at its root, and others, or transient ones, at directories below it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"

namespace forebay {

struct Link {
  std::string directory;  // in the tree, without a slash at its ends: "scratch", "a/b"
  std::string external;   // an absolute path; empty: transient, nothing outside has what is in it
  bool transient() const { return external.empty(); }
  bool operator==(const Link&) const = default;
};

// "DIR=EXTERNAL", and "DIR=" for a transient one. EINVAL with one line: no such form, "..", an empty or relative path.
Result<Link> parse_link(std::string_view text);
std::string text_of(const Link& link);

// links.external and links.transient. EINVAL also for a directory that is there twice, or below another one.
Result<std::vector<Link>> links_of(const Config& config);

}  // namespace forebay
