// lookup, all_names, enter, forget: a name outside becomes an inode here (paper 4.2: validated on demand, one level at
// a time).
#include <algorithm>
#include <optional>

#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

Result<EntryReply> MetaServer::lookup(const Caller&, InodeId parent_id, std::string_view name) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  const auto valid_for = names_valid_for(parent);
  uint64_t look = 0;
  if (const auto seen = seen_names_.find(parent_id, name, &look)) {
    if (std::optional<EntryReply> entry = use_seen(*seen, valid_for)) return *std::move(entry);
  }
  if (name_locks_.is_held(parent_id, name)) look = 0;
  EntryReply none;
  if (!known_names_.lacks(parent_id, directory->get(), name, &none.valid_for)) {
    Result<EntryReply> found = look_up(parent, directory, name, valid_for, nullptr);
    if (found && !found->elsewhere) seen_names_.note(parent_id, name, look, found->id);
    if (found || found.error().code != ENOENT) return found;
    seen_names_.note(parent_id, name, look, 0);
    none.valid_for = valid_for;
  }
  none.valid_for = std::min(none.valid_for, valid_for);
  return none;
}

std::optional<EntryReply> MetaServer::use_seen(const SeenNames::Answer& seen,
                                               std::chrono::milliseconds name_valid_for) {
  const auto valid_for = std::min(name_valid_for, seen.valid_for);
  if (seen.id == 0) return EntryReply{.valid_for = valid_for};
  const InodePtr inode = inodes_.find(seen.id);
  if (inode == nullptr) return {};
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->unlinked || freshness_.due(inode->validated_at, std::chrono::steady_clock::now())) return {};
    ++inode->lookups;
  }
  if (await_revocation(inode)) (void)refresh(inode);
  return named_entry(inode, valid_for);
}

Result<NamesReply> MetaServer::all_names(InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr directory, inodes_.get(id));
  ASSIGN_OR_RETURN(const FdPtr fd, directory_fd(directory));
  NamesReply reply;
  const auto valid_for = names_valid_for(directory);
  if (valid_for <= std::chrono::milliseconds::zero()) return reply;
  std::optional<NameFilter> names = known_names_.all(id, fd->get(), &reply.valid_for);
  if (!names) return NamesReply();
  reply.names = *std::move(names);
  reply.valid_for = std::min(reply.valid_for, valid_for);
  return reply;
}

Result<EntryReply> MetaServer::enter(InodeId parent_id, std::string_view name, const Identity& identity) {
  ASSIGN_OR_RETURN(const InodePtr parent, directory(parent_id));
  ASSIGN_OR_RETURN(const FdPtr fd, directory_fd(parent));
  // For how long the name is good its directory's owner has said.
  Result<EntryReply> found = look_up(parent, fd, name, std::chrono::milliseconds::max(), &identity);
  if (!found && found.error().code == ENOENT) return fail(ESTALE);
  return found;
}

Result<EntryReply> MetaServer::look_up(const InodePtr& parent, const FdPtr& directory, std::string_view name,
                                       std::chrono::milliseconds valid_for, const Identity* expected) {
  const uint64_t changes_before = own_changes_;
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_child(directory->get(), std::string(name).c_str()));
  if (expected != nullptr && !(probe.identity == *expected)) return fail(ESTALE);
  if (expected == nullptr) {
    ASSIGN_OR_RETURN(const uint32_t owner, owner_of_object(probe));
    if (owner != ownership_.self()) return elsewhere(probe.identity, owner, valid_for);
  }
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.intern(parent, name, probe, 1));
  uint64_t changes = 0;
  bool seen = false, new_name = false;
  {
    const std::lock_guard lock(inode->mutex);
    new_name = inode->stored && !inode->names_stored;
    changes = inode->changes;
    seen = inode->validated_at != consistency::SteadyTime{};
  }
  // Where the outside moved it is where the next start must look for it.
  if (new_name) {
    if (Status kept = put_chain(inode, 0); !kept) log(Module::kMeta).error("{}", kept.error().message());
  }
  record_directory(inode);
  if (seen && config_.consistency.validate == Validate::kNever) return named_entry(inode, valid_for);
  // Of an object that we have not changed no look is out of date. That it was not looked at since says nothing: a
  // change of ours sees to that as well.
  if (own_changes_ == changes_before || changes == 0) {
    take_over(inode, probe, changes);
  } else {
    // Something of ours changed since the look began, perhaps this object.
    (void)refresh(inode, true);
  }
  if (await_revocation(inode)) (void)refresh(inode);
  return named_entry(inode, valid_for);
}

void MetaServer::forget(InodeId id, uint64_t count) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;
  bool discard = false;
  {
    const std::lock_guard lock(inode->mutex);
    inode->lookups -= std::min(count, inode->lookups);
    if (inode->lookups > 0) return;
    discard = inode->unlinked && inode->opens == 0;
  }
  if (discard) discard_copy(inode);
  inodes_.release(inode);
}

}  // namespace forebay::meta
