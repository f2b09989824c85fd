// InodeTable: all inodes in memory, by number and by external identity, in front of the database.
//
// An inode stays in memory while the client knows it, while it is dirty or in use, and while one of its children does:
// a child's names hold its parents. The identity is unique: hard links and renames lead to the same inode.
#pragma once

#include <mutex>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "consistency/external_tree.h"
#include "core/protocol/meta_peer_service.h"
#include "meta/inode.h"
#include "meta/store.h"

namespace forebay::meta {

class InodeTable {
 public:
  InodeTable(Store& store, const consistency::ExternalTree& external) : store_(store), external_(external) {}

  // Makes the root. Call once.
  Status open_root();

  // From memory, or from the database with the directories above. ESTALE when unknown.
  Result<InodePtr> get(InodeId id);
  // From memory only; null otherwise.
  InodePtr find(InodeId id);
  // From memory or the database; null when nothing is known of the object.
  Result<InodePtr> find_by_identity(const Identity& identity);

  // The inode of an object just seen as `name` in `parent`; made if need be. Counts `lookups` references.
  Result<InodePtr> intern(const InodePtr& parent, std::string_view name, const consistency::Probe& probe,
                          uint64_t lookups);

  // The shadow of another server's directory; made if need be.
  InodePtr adopt(const ObjectPlaces& object, std::vector<Name> names);

  // Lets the inode go if nothing needs it.
  void release(const InodePtr& inode);

  size_t size();

 private:
  // Null for an inode that is being loaded already: it is its own ancestor.
  Result<InodePtr> load(const InodeRow& row, int depth);
  Result<InodePtr> load_new(const InodeRow& row, int depth);
  InodePtr find_named(const Identity& identity);
  Result<bool> find_row(const Identity& identity, InodeRow* row);
  void insert(const InodePtr& inode);

  Store& store_;
  const consistency::ExternalTree& external_;
  std::mutex mutex_;
  std::unordered_map<InodeId, InodePtr> by_id_;
  std::unordered_map<Identity, Inode*, IdentityHash> by_identity_;
  std::unordered_set<InodeId> loading_;
};

// No tree is deeper: PATH_MAX with names of one byte.
constexpr int kMostLevels = 2100;

// A copy of an inode's names; locks inode.mutex.
std::vector<Name> names_of(Inode& inode);

// Names of an inode; the caller holds inode.mutex.
void add_name(Inode& inode, const InodePtr& parent, std::string_view name);
void remove_name(Inode& inode, const Inode& parent, std::string_view name);
bool has_name(const Inode& inode, const Inode& parent, std::string_view name);

}  // namespace forebay::meta
