// Layouts: where a file's chunks are or will be, and what directories say about that.
#include "core/layout.h"

#include <bit>

#include "meta/server.h"

namespace forebay::meta {

Result<std::shared_ptr<const Layout>> MetaServer::layout_of(const Caller& caller, const InodePtr& inode) {
  uint64_t size = 0;
  {
    const std::lock_guard lock(inode->mutex);
    // That of a file without data is only a plan, until it is opened.
    if (inode->layout != nullptr && (inode->has_data || inode->opens > 0)) return inode->layout;
    size = inode->attributes.size;
  }
  const LayoutRule rule = rule_above(inode).value_or(LayoutRule{});
  ASSIGN_OR_RETURN(auto chosen, placement_.place(caller.node, rule, size));
  const std::lock_guard lock(inode->mutex);
  if (inode->layout == nullptr || (!inode->has_data && inode->opens == 0)) inode->layout = std::move(chosen);
  return inode->layout;
}

Result<std::shared_ptr<const Layout>> MetaServer::find_layout(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  const std::lock_guard lock(inode->mutex);
  return inode->layout;
}

std::optional<LayoutRule> MetaServer::rule_above(const InodePtr& inode) {
  if (layout_rules_.empty()) return {};
  InodePtr at = inode;
  for (int level = 0; at != nullptr && level < kMostLevels; ++level) {
    if (std::optional<LayoutRule> rule = layout_rules_.find(at->id)) return rule;
    const std::lock_guard lock(at->mutex);
    InodePtr parent = at->names.empty() ? nullptr : at->names.front().parent;
    at.swap(parent);
  }
  return {};
}

Result<LayoutRule> MetaServer::layout_rule(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  LayoutRule rule = rule_above(inode).value_or(LayoutRule{});
  if (rule.count == 0) rule.count = config_.stripe.count;
  return rule;
}

Status MetaServer::set_layout_rule(InodeId id, const std::optional<LayoutRule>& rule) {
  ASSIGN_OR_RETURN(const InodePtr inode, directory(id));
  if (!placement_.is_cluster()) return fail(ENOTSUP, "this mount has one target; layouts are for clusters");
  if (!inode->is_directory()) {
    return fail(ENOTDIR, "layouts are set for directories; a file takes its directory's when it is cached first");
  }
  if (rule && rule->count > kMostStripes) return fail(EINVAL, "{} targets; {} at most", rule->count, kMostStripes);
  const uint64_t chunk = rule ? rule->chunk_size_bytes : 0;
  if (chunk != 0 && (chunk < kLeastChunkBytes || chunk > kMostChunkBytes || !std::has_single_bit(chunk))) {
    return fail(EINVAL, "chunks of {} bytes; a power of two from 64 KiB to 64 MiB is needed", chunk);
  }
  if (rule) RETURN_IF_ERROR(store_inode(inode));
  RETURN_IF_ERROR(layout_rules_.set(id, rule));
  return store_->commit();
}

}  // namespace forebay::meta
