// MetaServer: the one implementation of MetaService. One file per operation: meta/ops/.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "consistency/external_tree.h"
#include "consistency/freshness.h"
#include "core/config.h"
#include "core/protocol/meta_peer_service.h"
#include "core/protocol/meta_service.h"
#include "core/protocol/storage_service.h"
#include "core/work_queue.h"
#include "evictor/evictor_set.h"
#include "evictor/flush_scheduler.h"
#include "evictor/lru.h"
#include "meta/answer_leases.h"
#include "meta/inode_table.h"
#include "meta/known_names.h"
#include "meta/layout_rules.h"
#include "meta/lock_table.h"
#include "meta/name_locks.h"
#include "meta/ownership.h"
#include "meta/placement.h"
#include "meta/seen_names.h"
#include "meta/store.h"

namespace forebay::meta {

class MetaServer final : public MetaService, public MetaPeerService {
 public:
  // `targets`: those of the cluster, thread safe; none: there is one, in this process.
  MetaServer(const Config& config, std::unique_ptr<Store> store, const consistency::ExternalTree& external,
             StorageService& storage, std::function<TargetList()> targets = {}, Ownership ownership = {});
  ~MetaServer() override;

  // From here on storage servers may ask.
  Status open_tree();
  // Takes up what an earlier run left dirty, which needs the storage servers. Then flushes and evicts in the
  // background.
  Status start();
  // Of a cluster, before the first request: locks are kept in this file, and outlive a restart. Returns the sessions of
  // clients that have some since an earlier run. Errors of LockStore::open().
  Result<std::set<uint64_t>> keep_locks_in(const std::string& path);
  // Takes directories out of the database that lead to nothing which is kept here. When no client knows their numbers.
  Status forget_unused_directories();
  // Where an inode's chunks are; for who routes requests to targets. Null when none was chosen yet. ESTALE.
  Result<std::shared_ptr<const Layout>> find_layout(InodeId id);
  // Ends the background work. What is dirty is brought out first, kept for the next start, or given up. Returns what
  // could not be brought out; that is kept.
  enum class End { kFlush, kKeep, kDiscard };
  Status stop(End end);
  // `revoke` has the client drop its pages of an inode whose copy was replaced while it is open, and calls
  // pages_revoked() after that. It must not wait, nor call that itself. An empty one: no client has pages any more.
  void on_replaced(std::function<void(InodeId, uint64_t generation)> revoke);

  Result<EntryReply> lookup(const Caller& caller, InodeId parent, std::string_view name) override;
  Result<NamesReply> all_names(InodeId directory) override;
  Result<EntryReply> enter(InodeId parent, std::string_view name, const Identity& identity) override;
  void forget(InodeId id, uint64_t count) override;
  Result<EntryReply> mknod(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                           uint64_t device) override;
  Result<EntryReply> mkdir(const Caller& caller, InodeId parent, std::string_view name, mode_t mode) override;
  Result<EntryReply> symlink(const Caller& caller, InodeId parent, std::string_view name,
                             const std::string& target) override;
  Result<EntryReply> link(const Caller& caller, InodeId id, InodeId new_parent, std::string_view new_name) override;
  Status unlink(const Caller& caller, InodeId parent, std::string_view name) override;
  Status rmdir(const Caller& caller, InodeId parent, std::string_view name) override;
  Status rename(const Caller& caller, InodeId parent, std::string_view name, InodeId new_parent,
                std::string_view new_name, unsigned flags) override;
  Result<std::string> readlink(const Caller& caller, InodeId id) override;
  Result<AttributesReply> getattr(InodeId id) override;
  Result<AttributesReply> setattr(const Caller& caller, InodeId id, const SetAttributes& change) override;
  Result<std::string> getxattr(const Caller& caller, InodeId id, const std::string& name) override;
  Result<std::string> listxattr(const Caller& caller, InodeId id) override;
  Status setxattr(const Caller& caller, InodeId id, const std::string& name, std::string_view value,
                  int flags) override;
  Status removexattr(const Caller& caller, InodeId id, const std::string& name) override;
  Result<struct statvfs> statfs(InodeId id) override;
  Result<OpenReply> open(const Caller& caller, InodeId id, int flags) override;
  Result<CreateReply> create(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                             int flags) override;
  Result<CreateReply> tmpfile(const Caller& caller, InodeId parent, mode_t mode, int flags) override;
  void release(InodeId id, int flags) override;
  void release_many(std::span<const Released> all) override;
  // The handles are counted where requests of several clients come in (meta/service/dispatch_files.cpp).
  Result<Layout> reopen(const Caller& caller, InodeId id, const HandleCounts& handles) override;
  Status strip_privileges(const Caller& caller, InodeId id, bool set_id_bits) override;
  Status close(InodeId id) override;
  Status fsync(InodeId id) override;
  uint64_t flush_failures(InodeId id) override;
  Error last_flush_error(InodeId id) override;
  Result<LayoutRule> layout_rule(InodeId id) override;
  Status set_layout_rule(InodeId id, const std::optional<LayoutRule>& rule) override;
  Result<OpenDirectoryReply> opendir(const Caller& caller, InodeId id) override;
  Status readdir(uint64_t handle, uint64_t cookie, bool with_attributes, const DirectorySink& sink) override;
  Status fsyncdir(uint64_t handle) override;
  void releasedir(uint64_t handle) override;
  Result<bool> lock(const LockRequest& request, bool wait) override;
  Status unlock(const LockRequest& request) override;
  Result<std::optional<HeldLock>> test_lock(const LockRequest& request) override;
  Result<LockNews> await_locks(std::span<const LockRequest> waits, uint64_t ended,
                               std::chrono::milliseconds limit) override;
  Result<bool> cancel_lock(const LockRequest& request) override;
  Status await_news(uint64_t session, const AwaitNews& await, TellNews tell) override;
  void end_session(uint64_t session) override;
  Result<CacheState> cache_state(InodeId id) override;
  Result<WorkProgress> flush(InodeId id, bool first, std::chrono::milliseconds limit) override;
  Result<WorkProgress> prefetch(InodeId id, std::chrono::milliseconds limit) override;
  Result<WorkProgress> evict(InodeId id, bool first, std::chrono::milliseconds limit) override;
  Status pin(InodeId id, bool pinned) override;
  CacheStatus status() override;
  Status mark_dirty(InodeId id, bool leased) override;
  void data_changed(InodeId id) override;
  bool use_pages(InodeId id) override;
  void bypass_pages(InodeId id) override;
  void pages_revoked(InodeId id, uint64_t generation) override;
  void lease_settled(InodeId id) override;
  Status after_write(InodeId id) override;
  Result<Validator> revalidate(InodeId id) override;
  void copy_replaced(InodeId id) override;
  Result<ExternalRef> locate(InodeId id) override;
  void report_complete(InodeId id) override;
  Status make_room(TargetId target, uint64_t bytes) override;

  // Waits for nobody.
  Result<ObjectPlaces> where(InodeId id, const Identity& identity, std::chrono::milliseconds limit) override;
  Result<bool> has(const Identity& identity) override;
  Result<uint32_t> find_owner(const Identity& identity) override;
  Result<OwnedObject> named(InodeId directory, const std::string& name) override;
  Status remove_object(const RemoveStep& step) override;
  Status link_object(const LinkStep& step) override;
  Status rename_step(const RenameStep& step) override;

 private:
  struct DirectoryHandle;
  Status open_outside(DirectoryHandle& handle);
  using FdPtr = std::shared_ptr<UniqueFd>;

  // --- meta/ops/lookup.cpp
  // ENOENT if the outside has no such name. `expected`: the object, which is ours, as who has the directory says;
  // ESTALE if it is not there. Null: the directory is ours, and the object may be another server's.
  Result<EntryReply> look_up(const InodePtr& parent, const FdPtr& directory, std::string_view name,
                             std::chrono::milliseconds name_valid_for, const Identity* expected);

  // What a look of somebody else has shown, if that still counts.
  std::optional<EntryReply> use_seen(const SeenNames::Answer& seen, std::chrono::milliseconds name_valid_for);

  // --- meta/others.cpp: what other servers have
  // A directory, our own or another's. ESTALE; ENOTDIR; errors of the way to its owner.
  Result<InodePtr> directory(InodeId id);
  std::chrono::milliseconds patience() const;
  Result<InodePtr> ask_for_shadow(InodeId id, int depth);
  Result<std::vector<Name>> names_at(const ObjectPlaces& found, int depth);
  // True if it was moved since it was asked for last.
  Result<bool> refresh_shadow(const InodePtr& shadow);
  // Asks other servers where those directories above the inode are now that they have, but for those in `asked`. True
  // if one of them was moved since.
  Result<bool> ask_for_ancestors(const InodePtr& inode, std::unordered_set<InodeId>& asked);
  // Who has an object that was seen in a directory of ours.
  Result<uint32_t> owner_of_object(const consistency::Probe& probe);
  // Committed when it returns.
  Status note_foreign(const Identity& identity, uint32_t owner);
  static EntryReply elsewhere(const Identity& identity, uint32_t owner, std::chrono::milliseconds name_valid_for) {
    return {0, {}, name_valid_for, Elsewhere{owner, identity}};
  }
  // Who changes names of several servers' objects plans anew, should others be at them or have changed them meanwhile.
  static constexpr int kMostPlans = 1000;

  // --- meta/outside.cpp: looking at the outside
  // The outside says that nothing lies at a name, or something else does. Any other error says nothing of the kind:
  // data must not be given up because the outside could not be asked.
  static bool is_gone(const Error& error);
  // A descriptor (O_PATH) of the inode's object, through the names where it was seen. ESTALE when it is not there.
  Result<FdPtr> path_fd(const InodePtr& inode);
  template <typename Find>
  auto find_surely(const InodePtr& inode, Find find) -> decltype(find());
  Result<FdPtr> find_by_names(const InodePtr& inode, int depth);
  // The same of a directory, for a change of its names. ENOENT when it was removed.
  Result<FdPtr> directory_fd(const InodePtr& directory);
  // As path_fd(), kept in the inode until the last release().
  Result<FdPtr> hold_fd(const InodePtr& inode);
  // Looks at the object, through its descriptor if there is one.
  Result<consistency::Probe> look(const InodePtr& inode);
  Result<consistency::Probe> look_by_names(const InodePtr& inode);
  // True if the copy is valid although the outside seems to have changed: it differs in its ctime alone, and one of the
  // names under which we knew the object is no longer its own, so it was renamed (or lost a link) outside.
  bool follow_rename(const InodePtr& inode);
  // Names that lead elsewhere or nowhere now. Empty when that can't be told for one of them.
  std::vector<Name> stale_names(const InodePtr& inode);
  void forget_stale_names(const InodePtr& inode);
  std::string path_of(const InodePtr& inode);
  static std::string joined(const std::string& directory, const std::string& name) {
    return directory.empty() ? name : directory + "/" + name;
  }
  Result<ExternalRef> ref_of(const InodePtr& inode);
  // Attributes for an application: the outside's, with size and times of newer data here.
  // `leased`: set if they may change at any time.
  Attributes attributes_of(const InodePtr& inode, bool* leased = nullptr);
  EntryReply entry_of(const InodePtr& inode);
  // Whether a reader needs nothing but the lease of its chunk file, as far as is known here. The caller holds its
  // mutex.
  static bool is_whole(const Inode& inode);
  // An object just made or changed by us: known, fresh, with one lookup for the client.
  // Unless it is another server's, who is named then.
  Result<EntryReply> enter_made(const InodePtr& parent, std::string_view name);
  Result<EntryReply> enter_made(const InodePtr& parent, std::string_view name, const consistency::Probe& probe);
  // An own change of the outside happened: looks that began earlier are out of date. The caller holds inode.mutex.
  uint64_t note_change(Inode& inode) {
    ++own_changes_;
    return ++inode.changes;
  }
  static AnswerLeases::Answer names_of_directory(const InodePtr& inode) {
    return {inode->id, AnswerLeases::Kind::kNames};
  }
  static AnswerLeases::Answer attributes_answer(const InodePtr& inode) {
    return {inode->id, AnswerLeases::Kind::kAttributes};
  }
  // Of a directory, by names that are made, moved or taken away.
  static std::vector<AnswerLeases::Answer> listing_answers(const InodePtr& inode) {
    return {names_of_directory(inode), attributes_answer(inode)};
  }
  // For how long a client may use what is said of the directory's names now. Ask before looking.
  std::chrono::milliseconds names_valid_for(const InodePtr& directory);
  // What it has at a name that is known for so long.
  EntryReply named_entry(const InodePtr& inode, std::chrono::milliseconds name_valid_for);
  // The directory's attributes changed with one of its names: `made`, or one that is gone (empty).
  void touched(const InodePtr& directory, std::string_view made);

  // --- meta/validate.cpp
  // Looks again if the policy wants it (or always, with `force`), and drops a copy that is out of date.
  Status refresh(const InodePtr& inode, bool force = false);
  // The same, for attributes that go to the client. May wait.
  Status refresh_for_client(const InodePtr& inode);
  // Takes over what a look that began at `changes` has shown.
  void take_over(const InodePtr& inode, const consistency::Probe& probe, uint64_t changes);
  // Takes over its attributes, unless pages of an earlier copy are left. The caller holds inode.mutex.
  static void accept(Inode& inode, const consistency::Probe& probe);
  bool replace_copy(const InodePtr& inode, const consistency::Probe& probe);

  // --- meta/revoke.cpp
  // The client's pages are of an earlier generation from now on, and the attributes that it is shown stay as they are
  // until those are gone. The caller holds inode.mutex.
  static void begin_revocation(Inode& inode);
  // After that, and after the copy was replaced: asks the client to drop them.
  void revoke_pages(const InodePtr& inode);
  void wake_revocation_waiters();
  // True if pages were being revoked, and are now. Waits a moment at most.
  bool await_revocation(const InodePtr& inode);

  // --- meta/open_files.cpp: files in use are looked at although nobody asks for them
  void add_open_file(const InodePtr& inode);
  void remove_open_file(InodeId id);
  void watch_open_files();
  void record_open(const InodePtr& inode);
  // At those whose last look is this old.
  void look_at_open_files(std::chrono::milliseconds age);

  // --- meta/own_change.cpp
  enum class Change {
    kAttributes,
    kTimes,    // the mtime may be among them
    kRemoval,  // of the only name: nothing is left of the object
  };
  // Runs a change of the external object that changes none of its data, and keeps its copy valid. Null: an object that
  // nothing is known of.
  Status own_change(const InodePtr& inode, Change kind, const std::function<Status()>& change);

  // --- meta/records.cpp: rows of the database
  InodeRow row_of(Inode& inode);
  // Writes the inode's row, its names (or that it has none any more) and the directories above; committed when this
  // returns.
  Status store_inode(const InodePtr& inode);
  Status put_chain(const InodePtr& inode, int depth);
  // Of a cluster: a client that stands in the directory finds it also after a restart. Committed with what comes next.
  void record_directory(const InodePtr& inode);
  void update_row(const InodePtr& inode);
  void erase_row(const InodePtr& inode);
  // Of a file that has no name any more, while its data is in use: after a kill it is found by its row, and goes.
  void keep_orphan_row(const InodePtr& inode);

  // --- meta/ops/link.cpp
  Result<EntryReply> link_of_other(const Caller& caller, InodeId id, const InodePtr& parent, const std::string& name);
  Status link_own(const Caller& caller, const InodePtr& inode, const InodePtr& parent, const std::string& name);
  Status intend_first_name(const InodePtr& inode, const InodePtr& parent, std::string_view name);

  // --- meta/ops/unlink.cpp
  struct Victim {
    InodePtr inode;           // null: nothing is known of it
    FdPtr fd;                 // keeps it within reach of those who have it open, and tells whether a name is left
    uint64_t link_count = 0;  // before
    bool gone = false, last = false;  // the name was removed; it was the last one
  };
  // What is at `name` now; recorded as about to go, when its data is dirty. EAGAIN: something else than `planned`.
  Result<Victim> prepare_victim(const InodePtr& parent, int parent_fd, const std::string& name,
                                const std::optional<OwnedObject>& planned = {});
  // The name was removed outside; the caller holds names_mutex_ since before.
  void take_name(Victim& victim, const InodePtr& parent, std::string_view name);
  void finish_victim(const Victim& victim, const InodePtr& parent, std::string_view name);
  Status remove(const Caller& caller, InodeId parent, std::string_view name, int at_flags);
  Status remove_at_owner(const Caller& caller, const InodePtr& parent, const FdPtr& directory, const std::string& name,
                         int at_flags);
  Status remove_of_other(const Caller& caller, const InodePtr& parent, const std::string& name, int at_flags,
                         const OwnedObject& planned);
  // Of an object that is ours, or of which nothing is known.
  Status remove_own(const Caller& caller, const InodePtr& parent, const FdPtr& directory, const std::string& name,
                    int at_flags, const std::optional<OwnedObject>& planned);
  void discard_copy(const InodePtr& inode);

  // --- meta/ops/rename.cpp
  // Those of both names that are in our directories.
  NameLocks::Hold hold_names(const RenameStep& step);
  Status plan_rename(const InodePtr& parent, RenameStep& step);
  Status expect_foreign(const std::optional<OwnedObject>& object);
  // The next part, by whose it is.
  Status go_on(const RenameStep& step);
  bool is_sound(const RenameStep& step) const;
  Status rename_into(const RenameStep& step);
  // EAGAIN: it is not what was planned for.
  static Status expect_planned(const Result<consistency::Probe>& found, const OwnedObject& planned);
  bool is_as_planned(const FdPtr& directory, const std::string& name, const std::optional<OwnedObject>& object);
  // Both directories, and of the objects those that are ours.
  struct Renamed {
    InodePtr parent, new_parent;
    FdPtr from, to;
    InodePtr moved, swapped;
    Victim victim;
    bool same = false;  // both names lead to one object
  };
  Result<Renamed> prepare_rename(const RenameStep& step);
  Status rename_objects(const RenameStep& step);
  void finish_rename(const RenameStep& step, const Renamed& objects, bool happened);
  Status rename_outside(const RenameStep& step, const Renamed& objects);
  Status rename_at_next(const RenameStep& step);
  enum class Moved { kNo, kYes, kUnknown };
  Moved find_out(const RenameStep& step, const Renamed& objects);
  static void announce_name(const InodePtr& inode, const InodePtr& parent, std::string_view name);
  static void take_back_name(const InodePtr& inode, const InodePtr& parent, std::string_view name);
  bool may_have_changed(const Status& done) const;
  Result<InodePtr> prepare_move(const InodePtr& parent, int parent_fd, const std::string& name,
                                const std::optional<OwnedObject>& planned, const InodePtr& new_parent,
                                const std::string& new_name);
  // It was moved outside; the caller holds names_mutex_ since before.
  static void move_name(const InodePtr& inode, const InodePtr& parent, std::string_view name,
                        const InodePtr& new_parent, std::string_view new_name);
  void finish_move(const InodePtr& inode, const InodePtr& parent, std::string_view name, const InodePtr& new_parent,
                   std::string_view new_name, bool moved);

  // --- meta/ops/attributes.cpp
  struct statvfs cache_space(struct statvfs names);
  // False if it is another file's error.
  bool change_nameless(const InodePtr& inode, const SetAttributes& change, const Error& error);
  Status change_nothing(const Caller& caller, const InodePtr& inode);
  Status set_size(const Caller& caller, const InodePtr& inode, uint64_t size);
  // Of a file that is open in storage.
  Status truncate_open(const InodePtr& inode, uint64_t size);

  // --- meta/ops/strip_privileges.cpp
  // True if the mode has setuid or setgid bits that a change of the file by `caller` takes away.
  static bool loses_privileges(const Caller& caller, Inode& inode);

  // --- meta/ops/make.cpp
  Result<EntryReply> make_node(const Caller& caller, InodeId parent, std::string_view name,
                               const std::function<int(int directory_fd, const char* name)>& call);

  // --- meta/ops/open.cpp
  // True for the last one. Then what was open for writing is settled, and closed_last() follows.
  bool end_open(const InodePtr& inode, int flags);
  void closed_last(const InodePtr& inode);
  // `reply`: of a file that was just made. If its target is on the caller's node, the client is to tell it, and this is
  // what; or it is taken for one that stays empty (likely_empty), and the target hears of it when it does not.
  Status open_inode(const Caller& caller, const InodePtr& inode, int flags, bool created, CreateReply* reply = nullptr);
  // What its target is to know of it. Its row is there then, if it needs one.
  Result<CachingFileRequest> describe(const Caller& caller, const InodePtr& inode, int flags, bool created);
  // Which version its target is to have. The caller holds inode.mutex.
  Validator version_to_cache(const Inode& inode) const;
  void count_open(const InodePtr& inode, int flags, const ChunkState& state);
  // Whether what is made there now stays empty; and whether a new file did (once for each).
  bool expect_empty(const InodePtr& directory);
  static void found_empty(const InodePtr& inode, bool empty);
  void add_writer(const InodePtr& inode);

  // --- meta/ops/layout.cpp
  // Where the file's chunks are, or will be.
  Result<std::shared_ptr<const Layout>> layout_of(const Caller& caller, const InodePtr& inode);
  static bool is_striped(const InodePtr& inode) {
    const std::lock_guard lock(inode->mutex);
    return inode->striped();
  }
  // What the nearest directory says that says anything, beginning with the object itself.
  std::optional<LayoutRule> rule_above(const InodePtr& inode);

  // --- meta/small_files.cpp
  void listed(const EntryReply& entry);
  void fetch_small(InodeId id);

  // --- meta/flush.cpp
  // Nothing for an unlinked file, unless it is to make room (`for_room`): its object outside lives while it is open.
  // EALREADY: it is being truncated, and this was to make room, for which the truncation may be waiting.
  Status flush_inode(const InodePtr& inode, bool for_room = false);
  Status flush_dirty(const InodePtr& inode, bool for_room);
  // Around a truncation in storage. It may wait for room, so nothing is locked meanwhile.
  void begin_truncation(const InodePtr& inode);
  void end_truncation(const InodePtr& inode);
  // False if it takes too long.
  bool await_truncation(const InodePtr& inode);
  Status flush_once(const InodePtr& inode, bool overwrite, bool* conflict);
  Status flush_stages(const InodePtr& inode, bool overwrite, bool* conflict);
  Status commit_flush(const InodePtr& inode, uint64_t epoch);
  Status settle_conflict(const InodePtr& inode, bool gone_outside);
  // Nothing outside is left of it.
  void give_up(const InodePtr& inode);
  // Unless it was written since `epoch`. While it is leased it stays marked, for what comes unseen, and is not due.
  void set_clean(const InodePtr& inode, uint64_t epoch, const ChunkState& state, bool leased);
  // True if there is nothing to flush.
  Result<bool> settle_clean(const InodePtr& inode);
  void settle_clean(const std::vector<InodePtr>& inodes);
  static uint64_t dirty_epoch_of(const InodePtr& inode);
  // Of a file that became dirty; one that is transient stays so.
  void schedule_flush(const Inode& inode);
  void keep_dirty(const InodePtr& inode);
  // When a file that becomes dirty now is flushed.
  evictor::FlushScheduler::Clock::time_point flush_due() const;

  // --- meta/keep_beside.cpp
  Result<std::string> keep_beside(const InodePtr& inode);
  // The file as it is here goes into the external file that was made.
  Status copy_beside(InodeId id, uint64_t size, const InodePtr& directory, const std::string& name, const FdPtr& made);

  // --- meta/ops/cache.cpp
  Status drop_soon(InodeId id);
  bool is_below(const InodePtr& inode, InodeId directory);
  // Errors of the way to other servers, who know where their directories are.
  Result<std::vector<InodeId>> dirty_below(const InodePtr& top);

  // --- meta/eviction.cpp
  std::unique_ptr<evictor::Evictor> make_evictor(TargetId target);
  Result<uint64_t> drop(InodeId id, uint64_t bytes);
  void used(const InodePtr& inode);

  // --- meta/recovery.cpp
  Status recover();
  Status recover_intent(InodeId id);
  Result<bool> finish_unlink(const InodePtr& inode, const Result<consistency::Probe>& probe);
  Status recover_dirty(InodeId id);
  Status recover_later(InodeId id, const Error& error);
  // Keeps of an inode's names, of which some were only intended, those where the outside has it.
  Status settle_names(const InodePtr& inode);
  void housekeep();

  const Config config_;
  const Ownership ownership_;
  const std::unique_ptr<Store> store_;
  const consistency::ExternalTree& external_;
  StorageService& storage_;
  const consistency::FreshnessPolicy freshness_;
  InodeTable inodes_;
  KnownNames known_names_;
  Placement placement_;
  LayoutRules layout_rules_;
  evictor::EvictorSet evictors_;
  evictor::FlushScheduler scheduler_;
  WorkQueue<InodeId> small_files_;
  LockTable locks_;  // of clients that are apart; in one process it stays empty
  AnswerLeases answers_;
  SeenNames seen_names_;               // by clients that are apart; in one process the kernel has seen them
  NameLocks name_locks_{seen_names_};  // of our directories

  // Own renames and removals hold it shared, from the external call until the names in memory say the same: whoever
  // finds an object at none of its names looks again while no such change is under way.
  std::shared_mutex names_mutex_;

  // Directories whose descriptor is kept, in the order of use; bounded.
  std::mutex directories_mutex_;
  evictor::Lru directories_;

  std::mutex handles_mutex_;
  std::unordered_map<uint64_t, std::shared_ptr<DirectoryHandle>> handles_;
  uint64_t next_handle_ = 0;  // begins with our number, as an inode number does

  std::atomic<bool> started_{false};
  std::mutex homes_mutex_;  // of find_owner()

  // Dirty inodes stay in memory.
  std::mutex dirty_mutex_;
  std::unordered_map<InodeId, InodePtr> dirty_;

  // Conflicts since a flush command began, for its report; bounded.
  std::mutex conflicts_mutex_;
  std::deque<std::pair<InodeId, std::string>> conflicts_;

  std::atomic<uint64_t> own_changes_{0};  // of all inodes
  std::atomic<uint64_t> access_clock_{1};
  std::atomic<uint64_t> cached_files_{0};
  std::atomic<uint64_t> flush_failures_{0};
  std::atomic<uint64_t> conflict_count_{0};

  std::mutex truncation_mutex_;
  std::condition_variable truncated_;

  std::mutex revoke_mutex_;
  std::condition_variable revoked_;
  std::function<void(InodeId, uint64_t)> revoke_;

  std::mutex open_files_mutex_;
  std::condition_variable open_files_wake_;
  std::unordered_map<InodeId, InodePtr> open_files_;
  bool watching_ = false;
  std::thread watcher_;

  std::mutex house_mutex_;
  std::condition_variable house_wake_;
  bool stopping_ = false;
  std::thread housekeeper_;
};

}  // namespace forebay::meta
