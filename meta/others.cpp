// What other metadata servers have: whose an object is, and their directories, of which this server keeps shadows.
//
// A shadow is an inode with another server's number. It is what a path to an own object needs: an identity, and names
// as hints. They are asked for anew when an object is not found through them.
#include <sys/stat.h>

#include <algorithm>
#include <unordered_set>

#include "meta/server.h"

namespace forebay::meta {

// Servers that start at the same time do not wait for each other: what is not known yet is looked at later.
std::chrono::milliseconds MetaServer::patience() const {
  constexpr std::chrono::seconds kOfClients{60}, kAtStart{3};
  return started_ ? kOfClients : kAtStart;
}

Result<InodePtr> MetaServer::directory(InodeId id) {
  Result<InodePtr> known = inodes_.get(id);
  if (known || known.error().code != ESTALE || ownership_.is_own(id)) return known;
  return ask_for_shadow(id, 0);
}

Result<InodePtr> MetaServer::ask_for_shadow(InodeId id, int depth) {
  if (depth > kMostLevels) return fail(ELOOP, "inode {}: has too many ancestors", id);
  if (Result<InodePtr> known = inodes_.get(id); known || known.error().code != ESTALE) return known;
  if (ownership_.is_own(id)) return fail(ESTALE, "inode {}", id);
  ASSIGN_OR_RETURN(const auto owner, ownership_.peer(owner_of(id)));
  ASSIGN_OR_RETURN(const ObjectPlaces found, owner->where(id, {}, patience()));
  if (!S_ISDIR(found.type)) return fail(ENOTDIR);
  ASSIGN_OR_RETURN(std::vector<Name> names, names_at(found, depth));
  return inodes_.adopt(found, std::move(names));
}

Result<std::vector<Name>> MetaServer::names_at(const ObjectPlaces& found, int depth) {
  std::vector<Name> names;
  for (const ObjectPlaces::Place& place : found.places) {
    ASSIGN_OR_RETURN(InodePtr parent, ask_for_shadow(place.parent, depth + 1));
    names.push_back({std::move(parent), place.name});
  }
  return names;
}

Result<bool> MetaServer::refresh_shadow(const InodePtr& shadow) {
  ASSIGN_OR_RETURN(const auto owner, ownership_.peer(owner_of(shadow->id)));
  uint64_t changes = 0;
  const auto ask = [&]() -> Result<std::vector<Name>> {
    ASSIGN_OR_RETURN(const ObjectPlaces found, owner->where(shadow->id, shadow->identity, patience()));
    changes = found.changes;
    return names_at(found, 0);
  };
  Result<std::vector<Name>> names = ask();
  // That its owner does not know it does not say that it is gone; so nobody may act as if it were.
  if (!names && is_gone(names.error())) {
    return fail(EIO, "a directory above is not known to the metadata server that has it");
  }
  if (!names) return Failure(std::move(names).error());
  const std::lock_guard lock(shadow->mutex);
  const auto is_same = [](const Name& a, const Name& b) { return a.parent == b.parent && a.name == b.name; };
  const bool same = shadow->changes == changes &&
                    std::equal(names->begin(), names->end(), shadow->names.begin(), shadow->names.end(), is_same);
  if (same) return false;
  shadow->changes = changes;  // its owner's count
  shadow->names = *std::move(names);
  shadow->names_stored = false;
  return true;
}

Result<bool> MetaServer::ask_for_ancestors(const InodePtr& inode, std::unordered_set<InodeId>& asked) {
  bool moved = false;
  if (ownership_.alone()) return moved;
  std::vector<InodePtr> next{inode};
  while (!next.empty()) {
    const InodePtr at = std::move(next.back());
    next.pop_back();
    if (at->id == kRootInode || !asked.insert(at->id).second) continue;
    if (!ownership_.is_own(at->id)) {
      ASSIGN_OR_RETURN(const bool was_moved, refresh_shadow(at));
      moved = moved || was_moved;
    }
    for (Name& name : names_of(*at)) next.push_back(std::move(name.parent));
  }
  return moved;
}

Result<uint32_t> MetaServer::owner_of_object(const consistency::Probe& probe) {
  const uint32_t self = ownership_.self();
  if (ownership_.alone()) return self;
  if (probe.transient) return uint32_t{0};
  const Identity& identity = probe.identity;
  if (S_ISDIR(probe.attributes.mode)) return ownership_.of_directory(identity);
  ASSIGN_OR_RETURN(const InodePtr own, inodes_.find_by_identity(identity));
  if (own != nullptr) return self;
  ASSIGN_OR_RETURN(const std::optional<uint32_t> noted, store_->foreign_owner(identity));
  if (noted) return *noted;
  if (probe.attributes.link_count < 2) return self;
  const uint32_t home = ownership_.home_of(identity);
  if (home == self) return find_owner(identity);
  ASSIGN_OR_RETURN(const auto peer, ownership_.peer(home));
  ASSIGN_OR_RETURN(const uint32_t owner, peer->find_owner(identity));
  // Once its other links are gone nothing tells it from a file that was never seen.
  if (owner != self) RETURN_IF_ERROR(note_foreign(identity, owner));
  return owner;
}

Status MetaServer::note_foreign(const Identity& identity, uint32_t owner) {
  const uint64_t losses = store_->losses();
  RETURN_IF_ERROR(store_->put_foreign(identity, owner));
  return store_->commit(losses);
}

// --- what others ask

Result<ObjectPlaces> MetaServer::where(InodeId id, const Identity& identity, std::chrono::milliseconds) {
  Result<InodePtr> known = inodes_.get(id);
  if (!known && known.error().code == ESTALE && !(identity == Identity{})) known = inodes_.find_by_identity(identity);
  if (!known) return Failure(std::move(known).error());
  const InodePtr inode = *known;
  if (inode == nullptr || !ownership_.is_own(inode->id)) return fail(ESTALE, "inode {}", id);
  ObjectPlaces found{inode->id, inode->identity, inode->type, inode->transient, {}, 0};
  const std::lock_guard lock(inode->mutex);
  for (const Name& name : inode->names) found.places.push_back({name.parent->id, name.name});
  found.changes = inode->changes;
  return found;
}

Result<bool> MetaServer::has(const Identity& identity) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.find_by_identity(identity));
  if (inode == nullptr) return false;
  inodes_.release(inode);
  return true;
}

Result<uint32_t> MetaServer::find_owner(const Identity& identity) {
  const std::lock_guard lock(homes_mutex_);  // two who ask at a time get the same answer
  const uint32_t self = ownership_.self();
  ASSIGN_OR_RETURN(const bool own, has(identity));
  if (own) return self;
  ASSIGN_OR_RETURN(const std::optional<uint32_t> noted, store_->foreign_owner(identity));
  if (noted) return *noted;
  uint32_t owner = self;
  for (uint32_t server = 0; server < ownership_.servers() && owner == self; ++server) {
    if (server == self) continue;
    ASSIGN_OR_RETURN(const auto peer, ownership_.peer(server));
    ASSIGN_OR_RETURN(const bool has_it, peer->has(identity));
    if (has_it) owner = server;
  }
  if (owner != self) RETURN_IF_ERROR(note_foreign(identity, owner));
  return owner;
}

Result<OwnedObject> MetaServer::named(InodeId directory_id, const std::string& name) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(directory_id));
  ASSIGN_OR_RETURN(const FdPtr fd, directory_fd(parent));
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_child(fd->get(), name.c_str()));
  ASSIGN_OR_RETURN(const uint32_t owner, owner_of_object(probe));
  return OwnedObject{probe.identity, probe.attributes.mode & S_IFMT, owner};
}

}  // namespace forebay::meta
