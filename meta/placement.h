// Placement: on which targets a file's chunks will lie, decided when it is touched first.
//
// `auto`, as in the design: a file lives whole on a target of the node that touches it first, so that a job that reads
// its own files again, or reads what it wrote, needs no network. What is large outside is striped over all targets.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "core/config.h"
#include "core/protocol/mgmt_service.h"
#include "core/protocol/types.h"

namespace forebay::meta {

class Placement {
 public:
  // `targets`: all of the cache, with what is known of their state; thread safe. None: the one of this process.
  Placement(const Config& config, std::function<TargetList()> targets);

  // The layout for a file of so many bytes that a caller on `node` touches first, below a directory with that rule (or
  // none). Over fewer targets than it asks for where there are fewer. While no target is online, on those that may come
  // back; ENXIO when none of them takes files. Thread safe.
  Result<std::shared_ptr<const Layout>> place(const std::string& node, LayoutRule rule, uint64_t size_bytes);
  // The run of the file's one target, if that is on the node (TargetInfo::run); otherwise 0. Thread safe.
  uint64_t run_on(const std::string& node, const Layout& layout) const;
  // Those that are to be emptied. Thread safe.
  std::vector<TargetId> draining() const;
  // How many are not online, and had not been emptied before. Thread safe.
  uint32_t absent_targets() const;
  // True if there are targets of other processes.
  bool is_cluster() const { return targets_ != nullptr; }
  // The layout of files that have none of their own, because there is one target.
  const std::shared_ptr<const Layout>& plain() const { return plain_; }
  // How large chunks are where nobody says: of several targets so that a request of 1 MiB is for all of them.
  uint64_t chunk_size_for(size_t targets) const;

 private:
  const Config::Stripe stripe_;
  const std::function<TargetList()> targets_;
  const std::shared_ptr<const Layout> plain_;
  std::atomic<uint64_t> turn_{0};
};

}  // namespace forebay::meta
