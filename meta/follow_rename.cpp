// A rename by somebody else, outside, changes the object's ctime as a change of its data with a backdated mtime would.
// What tells them apart is the old name: it is the object's no longer. Each lost name explains one change of ctime, and
// is forgotten with it, so that the next change must have its own explanation; and a name that was lost before there
// was a copy explains nothing.
#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

std::vector<Name> MetaServer::stale_names(const InodePtr& inode) {
  std::vector<Name> stale;
  for (const Name& name : names_of(*inode)) {
    const Result<FdPtr> parent = path_fd(name.parent);
    if (!parent) return {};
    const Result<consistency::Probe> probe = external_.probe_child((*parent)->get(), name.name.c_str());
    if (!probe && probe.error().code != ENOENT) return {};
    if (!probe || !(probe->identity == inode->identity)) stale.push_back(name);
  }
  return stale;
}

void MetaServer::forget_stale_names(const InodePtr& inode) {
  const std::vector<Name> stale = stale_names(inode);
  bool stored = false;
  {
    const std::lock_guard lock(inode->mutex);
    for (const Name& name : stale) remove_name(*inode, *name.parent, name.name);
    stored = inode->stored;
  }
  if (!stored) return;
  for (const Name& name : stale) (void)store_->delete_name(name.parent->id, name.name, inode->id);
}

bool MetaServer::follow_rename(const InodePtr& inode) {
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->outdated) return false;
  }
  const Result<consistency::Probe> now = look(inode);
  const Result<ChunkState> state = storage_.stat_file(inode->id);
  if (!now || !state) return false;
  const Validator& before = state->mtime0;
  const Validator same_but_ctime{before.mtime, now->version.ctime, before.size, before.inode};
  if (before == now->version) return true;
  if (!(now->version == same_but_ctime)) return false;
  if (stale_names(inode).empty() || !storage_.set_version(inode->id, before, now->version)) return false;
  forget_stale_names(inode);
  bool stored = false;
  {
    const std::lock_guard lock(inode->mutex);
    inode->mtime0 = now->version;
    inode->shown_ctime = {};
    stored = inode->stored;
  }
  if (!stored) return true;
  if (Status kept = store_inode(inode); !kept) log(Module::kMeta).error("{}", kept.error().message());
  return true;
}

}  // namespace forebay::meta
