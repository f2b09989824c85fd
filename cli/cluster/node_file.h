// Node files: which hosts a cluster has, in the forms that batch systems and people write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace forebay::cli {

// The hosts in their order. One host a line, or a list in Slurm's compact form: "node[01-04,07],login1". What MPI's
// files have besides is dropped: "host slots=4", "host:4". "#" begins a comment. EINVAL with `path` and line for what
// is no host, for a host that is there twice, and when there is none.
Result<std::vector<std::string>> parse_node_file(std::string_view text, const std::string& path);

// The same of a file, which may be a pipe. Errno of open(2) and read(2); EFBIG.
Result<std::vector<std::string>> read_node_file(const std::string& path);

}  // namespace forebay::cli
