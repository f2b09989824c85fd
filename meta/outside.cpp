// Looking at the outside: descriptors through names, probes, and what follows from them.
#include <fcntl.h>
#include <sys/stat.h>

#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {
namespace {

// Directory descriptors kept open at most.
constexpr size_t kMostDirectories = 4096;

}  // namespace

bool MetaServer::is_gone(const Error& error) {
  return error.code == ENOENT || error.code == ENOTDIR || error.code == ELOOP || error.code == ESTALE;
}

// `find` goes by names. What it does not find there is looked for again while no own rename is under way, and once more
// when other servers have said where their directories are.
template <typename Find>
auto MetaServer::find_surely(const InodePtr& inode, Find find) -> decltype(find()) {
  auto found = find();
  if (found || !is_gone(found.error())) return found;
  {
    const std::unique_lock names_lock(names_mutex_);
    found = find();
  }
  // What is moved on and on is looked for again; gone is what was nowhere while nobody moved anything above it.
  constexpr int kMostMoves = 100;
  bool moved = true;
  for (int asks = 0; asks < kMostMoves && moved && !found && is_gone(found.error()) && !ownership_.alone(); ++asks) {
    std::unordered_set<InodeId> asked;
    ASSIGN_OR_RETURN(moved, ask_for_ancestors(inode, asked));
    moved = moved || asks == 0;
    const std::unique_lock names_lock(names_mutex_);
    found = find();
  }
  if (!found && is_gone(found.error())) {
    // Who looks for its name now must not be told of it.
    const std::lock_guard lock(inode->mutex);
    inode->validated_at = {};
  }
  return found;
}

Result<MetaServer::FdPtr> MetaServer::path_fd(const InodePtr& inode) {
  return find_surely(inode, [&] { return find_by_names(inode, 0); });
}

Result<MetaServer::FdPtr> MetaServer::find_by_names(const InodePtr& inode, int depth) {
  if (depth > kMostLevels) return fail(ELOOP);
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->fd != nullptr) return inode->fd;
  }
  for (const Name& name : names_of(*inode)) {
    Result<FdPtr> parent = find_by_names(name.parent, depth + 1);
    if (!parent && !is_gone(parent.error())) return parent;
    if (!parent) continue;
    Result<UniqueFd> fd = consistency::ExternalTree::open_child((*parent)->get(), name.name.c_str(), O_PATH);
    if (!fd && !is_gone(fd.error())) return Failure(std::move(fd).error());
    if (!fd) continue;
    const Result<consistency::Probe> probe = external_.probe_known(fd->get());
    if (!probe && !is_gone(probe.error())) return Failure(probe.error());
    if (!probe || !(probe->identity == inode->identity)) continue;
    auto found = std::make_shared<UniqueFd>(*std::move(fd));
    if (!S_ISDIR(probe->attributes.mode)) return found;
    {
      const std::lock_guard lock(inode->mutex);
      inode->fd = found;
    }
    std::vector<InodeId> oldest;
    {
      const std::lock_guard lock(directories_mutex_);
      directories_.touch(inode->id);
      if (directories_.size() > kMostDirectories) oldest = directories_.oldest(1);
      for (const InodeId id : oldest) directories_.remove(id);
    }
    for (const InodeId id : oldest) {
      if (const InodePtr old = inodes_.find(id); old != nullptr) {
        const std::lock_guard lock(old->mutex);
        if (!old->unlinked) old->fd.reset();
      }
    }
    return found;
  }
  return fail(ESTALE);
}

Result<MetaServer::FdPtr> MetaServer::directory_fd(const InodePtr& directory) {
  {
    const std::lock_guard lock(directory->mutex);
    if (directory->unlinked) return fail(ENOENT);
  }
  return path_fd(directory);
}

Result<MetaServer::FdPtr> MetaServer::hold_fd(const InodePtr& inode) {
  ASSIGN_OR_RETURN(FdPtr fd, path_fd(inode));
  const std::lock_guard lock(inode->mutex);
  if (inode->fd == nullptr) inode->fd = fd;
  return inode->fd;
}

Result<consistency::Probe> MetaServer::look(const InodePtr& inode) {
  FdPtr fd;
  {
    const std::lock_guard lock(inode->mutex);
    fd = inode->fd;
  }
  if (fd != nullptr) return external_.probe_fd(fd->get());
  return find_surely(inode, [&] { return look_by_names(inode); });
}

// One system call, no descriptor.
Result<consistency::Probe> MetaServer::look_by_names(const InodePtr& inode) {
  for (const Name& name : names_of(*inode)) {
    const Result<FdPtr> parent = find_by_names(name.parent, 0);
    if (!parent && !is_gone(parent.error())) return Failure(parent.error());
    if (!parent) continue;
    Result<consistency::Probe> probe = external_.probe_child((*parent)->get(), name.name.c_str());
    if (probe && probe->identity == inode->identity) return probe;
    if (!probe && !is_gone(probe.error())) return probe;
  }
  return fail(ESTALE);
}

std::string MetaServer::path_of(const InodePtr& inode) {
  std::vector<std::string> parts;
  for (InodePtr at = inode; at->id != kRootInode && parts.size() < size_t{kMostLevels};) {
    const std::lock_guard lock(at->mutex);
    if (at->names.empty()) return {};
    parts.push_back(at->names.front().name);
    const InodePtr parent = at->names.front().parent;
    at = parent;
  }
  std::string path;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!path.empty()) path += '/';
    path += *part;
  }
  return path;
}

Result<ExternalRef> MetaServer::ref_of(const InodePtr& inode) {
  ASSIGN_OR_RETURN(FdPtr fd, path_fd(inode));
  // In another process the descriptor is worth nothing.
  return ExternalRef{placement_.is_cluster() ? path_of(inode) : std::string(), inode->identity, std::move(fd)};
}

Attributes MetaServer::attributes_of(const InodePtr& inode, bool* leased) {
  std::unique_lock lock(inode->mutex);
  if (!inode->is_file() || (!inode->dirty && inode->writers == 0)) return inode->attributes;
  lock.unlock();
  // Not between the two steps of a flush's end, where the data is no longer newer but the attributes are not yet new.
  const std::lock_guard change_lock(inode->change_mutex);
  const Result<ChunkState> state = storage_.stat_file(inode->id);
  lock.lock();
  Attributes attributes = inode->attributes;
  if (leased != nullptr) *leased = state && state->leased;
  if (!state || !state->dirty) return attributes;
  attributes.size = state->size;
  attributes.mtime = state->mtime;
  attributes.ctime = std::max(attributes.ctime, state->ctime);
  attributes.blocks = std::max(state->blocks, std::min(attributes.blocks, (state->size + 511) / 512));
  return attributes;
}

EntryReply MetaServer::entry_of(const InodePtr& inode) {
  EntryReply reply;
  reply.id = inode->id;
  bool leased = false;
  const bool shared = placement_.is_cluster();  // other clients change them
  const auto granted = shared ? answers_.grant(attributes_answer(inode), freshness_.names_valid_for())
                              : std::chrono::milliseconds::max();
  reply.attributes = attributes_of(inode, &leased);
  if (leased) return reply;  // a store into a mapping changes them, and the kernel does not know
  // Nor when a write takes these away, and it would run the program with the rights that it had.
  if (inode->is_file() && (reply.attributes.mode & (S_ISUID | S_ISGID)) != 0) return reply;
  const std::lock_guard lock(inode->mutex);
  if (shared && (inode->writers > 0 || inode->unseen_writer)) return reply;  // nobody hears of their writes here
  reply.valid_for = std::min(granted, freshness_.valid_for(inode->validated_at, std::chrono::steady_clock::now()));
  const bool kept = shared && reply.valid_for > std::chrono::milliseconds::zero();
  if (kept && is_whole(*inode)) reply.delegated = *inode->layout;
  return reply;
}

// On one target, all of it, as the attributes say; and no failure is to be told to who opens it. Where this is out of
// date, the target says no.
bool MetaServer::is_whole(const Inode& inode) {
  const bool is_empty = inode.seen.size == 0 && inode.mtime0.size == 0;
  const bool is_here = inode.dirty || is_empty || (inode.cached && inode.mtime0 == inode.seen);
  return inode.is_file() && is_here && !inode.outdated && !inode.unlinked && inode.flush_failures == 0 &&
         inode.layout != nullptr && !inode.striped();
}

std::chrono::milliseconds MetaServer::names_valid_for(const InodePtr& directory) {
  const auto valid_for = freshness_.names_valid_for();
  return placement_.is_cluster() ? answers_.grant(names_of_directory(directory), valid_for) : valid_for;
}

Result<EntryReply> MetaServer::enter_made(const InodePtr& parent, std::string_view name) {
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_child(directory->get(), std::string(name).c_str()));
  ASSIGN_OR_RETURN(const uint32_t owner, owner_of_object(probe));
  if (owner == ownership_.self()) return enter_made(parent, name, probe);
  touched(parent, name);
  return elsewhere(probe.identity, owner, names_valid_for(parent));
}

Result<EntryReply> MetaServer::enter_made(const InodePtr& parent, std::string_view name,
                                          const consistency::Probe& probe) {
  const auto valid_for = names_valid_for(parent);
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.intern(parent, name, probe, 1));
  std::unique_lock lock(inode->mutex);
  const bool known = inode->validated_at != consistency::SteadyTime{} || inode->changes > 0;
  const uint64_t changes = inode->changes;
  lock.unlock();
  // One that was known may have changed since the look.
  if (known) {
    (void)refresh(inode, true);
  } else {
    take_over(inode, probe, changes);
  }
  touched(parent, name);
  record_directory(inode);
  return named_entry(inode, valid_for);
}

EntryReply MetaServer::named_entry(const InodePtr& inode, std::chrono::milliseconds name_valid_for) {
  EntryReply entry = entry_of(inode);
  if (placement_.is_cluster()) entry.valid_for = std::min(entry.valid_for, name_valid_for);
  return entry;
}

void MetaServer::touched(const InodePtr& directory, std::string_view made) {
  if (!made.empty()) known_names_.made(directory->id, made);
  const std::lock_guard lock(directory->mutex);
  directory->validated_at = directory->listed_at = {};
  note_change(*directory);
}

}  // namespace forebay::meta
