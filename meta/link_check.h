// Whether the links that a cache is started with are those that it has data of.
#pragma once

#include <vector>

#include "core/links.h"
#include "meta/store.h"

namespace forebay::meta {

// Files of a link that is missing, or leads elsewhere, would look as if the outside had removed them. EINVAL, with the
// link, if there is a file with data that is not outside; otherwise the links are noted. New ones are welcome.
Status check_links(Store& store, const std::vector<Link>& links);

}  // namespace forebay::meta
