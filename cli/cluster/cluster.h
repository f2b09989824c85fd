// Starting and stopping a cluster.
#pragma once

#include "cli/cluster/plan.h"
#include "core/result.h"

namespace forebay::cli {

// Starts what does not run of the cluster that the options describe. When something fails, what was started is stopped
// again. The error names the node.
Status start_cluster(ClusterOptions options);

// Unmounts, which flushes, and stops all daemons. If a client stays mounted, the daemons go on running. A cluster that
// does not run is no error. The error names the node.
Status stop_cluster(ClusterOptions options);

}  // namespace forebay::cli
