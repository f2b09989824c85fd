#include "meta/link_check.h"

#include <algorithm>

namespace forebay::meta {
namespace {

constexpr char kSetting[] = "links";

Result<bool> has_dirty_files(Store& store) {
  ASSIGN_OR_RETURN(const std::vector<FileRow> files, store.files());
  return std::any_of(files.begin(), files.end(), [](const FileRow& row) { return row.dirty; });
}

}  // namespace

Status check_links(Store& store, const std::vector<Link>& links) {
  ASSIGN_OR_RETURN(const std::string known, store.setting(kSetting));
  std::string now;
  for (const Link& link : links) now += text_of(link) + ",";
  if (known == now) return {};
  for (const std::string& line : split_list(known)) {
    const bool kept = std::any_of(links.begin(), links.end(), [&](const Link& link) { return text_of(link) == line; });
    if (kept) continue;
    ASSIGN_OR_RETURN(const bool dirty, has_dirty_files(store));
    if (!dirty) break;
    ASSIGN_OR_RETURN(const Link link, parse_link(line));
    const std::string option = link.transient() ? "--transient " + link.directory : "--link " + line;
    return fail(EINVAL, "link {}: is missing, and the cache has data that is nowhere else; mount with {}",
                link.directory, option);
  }
  RETURN_IF_ERROR(store.put_setting(kSetting, now));
  return store.commit();
}

}  // namespace forebay::meta
