// Store: the metadata database (SQLite, WAL). The only place with SQL.
//
// It holds the objects that the cache knows something about that the outside does not: files with a copy here, pinned
// ones, and the directories above them. Everything else is asked from outside when it is needed.
//
//   inode(id, device, inode, birth_s, birth_ns, mode, flags, mtime0..., last_access)   by id, and by external identity
//   dentry(child, parent, name)     where an object was seen outside last; a hint, the identity decides
//   layout(inode, chunk_size, targets)   of files that do not lie on the only target there is
//   layout_rule(inode, count, chunk_size)   what directories say about files below them
//   foreign_object(identity..., owner)   objects in directories of this server that another server has
//   intent(child, parent, name)     where an object may be after a rename, or was before an unlink, that a crash cut
//                                   short
//   setting(key, value)             schema version, link, next inode number
//
// Group commit: changes of all threads go into one open transaction. commit() ends it; threads that come while one
// commits find their changes committed by it. A commit is safe against the death of the process; sync() also against
// a power cut.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay::meta {

struct InodeRow {
  InodeId id = 0;
  Identity identity;
  mode_t mode = 0;
  bool cached = false;  // the copy is complete
  bool dirty = false;
  bool pinned = false;
  bool has_data = false;  // there is, or may be, a chunk file
  bool transient = false;
  Validator mtime0;
  FileTime shown_ctime;                  // see Inode
  uint64_t last_access = 0;              // a number that grows with each use
  std::shared_ptr<const Layout> layout;  // null: none was chosen, or there is one target only
};

// What a start needs of each file.
struct FileRow {
  InodeId id = 0;
  bool cached = false, dirty = false, pinned = false, has_data = false, transient = false;
  uint64_t last_access = 0;
  std::shared_ptr<const Layout> layout;  // as in InodeRow
};

struct DentryRow {
  InodeId parent = 0;
  std::string name;
};

class Store {
 public:
  // Opens or makes the database. `server`: the number of the metadata server, the upper 16 bits of the inode numbers
  // that it gives. EIO with one line when it is corrupt or of another version.
  static Result<std::unique_ptr<Store>> open(const std::string& path, uint32_t server = 0);
  ~Store();

  // --- reads
  Result<bool> find_by_identity(const Identity& identity, InodeRow* row);
  Result<bool> find_by_id(InodeId id, InodeRow* row);
  Result<std::vector<DentryRow>> names_of(InodeId id);
  Result<std::vector<DentryRow>> intents_of(InodeId id);
  // Inodes that have intents.
  Result<std::vector<InodeId>> with_intents();
  // Files with data, dirty and pinned ones, least recently used first.
  Result<std::vector<FileRow>> files();

  // --- changes; in the database after the next commit()
  Status put_inode(const InodeRow& row);
  Status delete_inode(InodeId id);  // with its names and intents
  Status put_name(InodeId parent, std::string_view name, InodeId child);
  Status delete_name(InodeId parent, std::string_view name, InodeId child);
  Status delete_names(InodeId child);
  Status put_intent(InodeId parent, std::string_view name, InodeId child);
  Status delete_intents(InodeId child);
  // Directories above nothing that is known any more.
  Status prune_directories();

  // What directories say about layouts; and one of them, or no more.
  Result<std::vector<std::pair<InodeId, LayoutRule>>> layout_rules();
  Status put_layout_rule(InodeId directory, const std::optional<LayoutRule>& rule);

  // The metadata server that has an object which is, or is about to be, in a directory of this one; nothing: this one,
  // as far as is known.
  Result<std::optional<uint32_t>> foreign_owner(const Identity& identity);
  Status put_foreign(const Identity& identity, uint32_t owner);
  Status delete_foreign(const Identity& identity);

  // How often a full disk has made SQLite take back what was not committed.
  uint64_t losses() const { return losses_; }
  // `losses_before`: what losses() was before the changes that the caller relies on. ENOSPC when they may be gone.
  Status commit(uint64_t losses_before);
  Status commit() { return commit(losses()); }
  Status sync();

  // A number never given before.
  Result<InodeId> next_id();

  // The link that this cache belongs to; empty in a new database.
  Result<std::string> setting(const std::string& key);
  Status put_setting(const std::string& key, const std::string& value);

 private:
  class Statement;
  struct Statements;

  Store() = default;
  Status read_layout(InodeRow* row);
  Result<std::shared_ptr<const Layout>> layout_of(InodeId id, int64_t chunk_size, const std::string& targets);
  Status put_layout(const InodeRow& row);
  Result<std::vector<DentryRow>> list_names(sqlite3_stmt* statement, InodeId id);
  Status execute(const char* sql);
  Status sync_log();
  Status reserve_ids();
  Status begin();
  void note_loss();
  Status changed(int step, const char* what);
  Status error(const char* what) const;
  Status prepare();
  Status check_integrity();

  std::string path_;
  sqlite3* db_ = nullptr;
  std::unique_ptr<Statements> statements_;
  std::mutex mutex_;
  bool in_transaction_ = false;
  std::atomic<uint64_t> losses_{0};
  bool unsynced_ = false;
  InodeId next_id_ = 0, reserved_to_ = 0;
};

}  // namespace forebay::meta
