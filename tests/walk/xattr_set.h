// All extended attributes of one entry of a directory.
#pragma once

#include <map>
#include <string>

namespace forebay::walk {

// Without the cache's own attributes. Errors appear as an attribute whose name is the error.
std::map<std::string, std::string> read_xattrs(int directory, const std::string& name);

}  // namespace forebay::walk
