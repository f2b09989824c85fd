// MetaService: what a metadata server does for clients and for storage servers. It owns inodes, names, and the state
// of each cached copy, and it drives fetch, flush and eviction.
//
// Namespace changes are written through: the external file system is changed first, as the caller, then our own record.
// All calls are thread safe and block until done. Errors carry the errno of the outside where it decided, ESTALE when
// an inode's external object is gone.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/name_filter.h"
#include "core/protocol/answer_news.h"
#include "core/protocol/locks.h"
#include "core/protocol/types.h"
#include "core/result.h"

namespace forebay {

// Attributes, and for how long they may be used without asking again.
struct AttributesReply {
  Attributes attributes;
  std::chrono::milliseconds valid_for{0};
  // All of the file is on the one target that is named here, as the attributes say. While those may be used, a client
  // may lease it there and be a reader without an open(). It tells by reopen() when it stays one for some milliseconds.
  std::optional<Layout> delegated;
};

// Another metadata server has the object of a name: MetaService::enter() asks it.
struct Elsewhere {
  uint32_t server = 0;
  Identity identity;
};

struct EntryReply {
  InodeId id = 0;
  Attributes attributes;
  std::chrono::milliseconds valid_for{0};
  // Then there is nothing above but for how long the name may be used. Where one server has everything, never.
  std::optional<Elsewhere> elsewhere;
  std::optional<Layout> delegated;  // as in AttributesReply
};

// For no time: they are not known.
struct NamesReply {
  NameFilter names;
  std::chrono::milliseconds valid_for{0};
};

struct OpenReply {
  Layout layout;
  uint64_t flush_failures = 0;  // until now
};

struct CreateReply : EntryReply {
  Layout layout;
  // Its target, which is on the client's node, has not heard of it: the client is to tell it, with the lease that it
  // asks for (LeaseRequest::new_file), or to have it told, by reopen(). Before it reads, writes or closes the file.
  std::optional<CachingFileRequest> new_file;
  // Or it needs no lease, since it will stay empty. Whoever uses it in a cluster all the same is told EBADFD by the
  // target, and then has it told.
  bool likely_empty = false;
};

struct OpenDirectoryReply {
  uint64_t handle = 0;
  // A listing that the client has kept of an earlier open still counts.
  bool keep_listing = false;
};

struct SetAttributes {
  // Each is set only when its flag is.
  bool set_mode = false, set_uid = false, set_gid = false, set_size = false;
  bool set_atime = false, set_mtime = false, atime_now = false, mtime_now = false;
  bool strip_set_id_bits = false;  // with set_size: see strip_privileges()
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  uint64_t size = 0;
  FileTime atime, mtime;
};

struct DirectoryEntry {
  std::string_view name;  // valid during the call of the sink
  uint64_t inode_number = 0;
  mode_t type = 0;                    // S_IFMT bits, 0 if unknown
  uint64_t next = 0;                  // cookie: where a listing goes on after this entry
  const EntryReply* entry = nullptr;  // with attributes asked for; absent for "." and ".." and vanished entries
};
// Takes one entry; false: no room, the entry was not taken.
using DirectorySink = std::function<bool(const DirectoryEntry&)>;

// What the cache holds of one object, for `forebay stat` and the extended attributes.
struct CacheState {
  bool cached = false, dirty = false, pinned = false;
  bool transient = false;  // nothing outside has its data; never dirty
  uint64_t size = 0, present_bytes = 0, dirty_bytes = 0;
  int64_t mtime0_ns = 0;
  Layout layout;
};

// Progress of a flush, prefetch or eviction that a command asked for.
struct WorkProgress {
  uint64_t remaining_bytes = 0;
  uint64_t remaining_files = 0;
  uint64_t failed_files = 0;
  uint64_t conflicts = 0;   // settled ones: nothing is lost, but the file is not what was written here
  Error last_error{0, {}};  // of the last failure, or else of the last conflict
};

struct CacheStatus {
  uint64_t capacity_bytes = 0, used_bytes = 0, dirty_bytes = 0;
  uint64_t dirty_files = 0, cached_files = 0, pinned_bytes = 0;
  uint64_t hits = 0, misses = 0, fetched_bytes = 0, flushed_bytes = 0, evicted_bytes = 0;
  uint64_t flush_failures = 0, conflicts = 0, inodes_in_memory = 0;
  uint32_t silent_servers = 0;  // that do not answer: what they have is in none of these
};

// What storage servers tell a metadata server, and ask it.
class MetaCallbacks {
 public:
  virtual ~MetaCallbacks() = default;

  // The first write to a clean file is about to happen. On return the dirty flag is in the database. `leased`: it may
  // happen, unseen; data_changed() tells when it did.
  virtual Status mark_dirty(InodeId id, bool leased) = 0;
  virtual void data_changed(InodeId id) = 0;
  // Nobody can write to the file unseen any more.
  virtual void lease_settled(InodeId id) = 0;
  // A write went through; the policy may want it outside at once (write-through), or the writer slowed (max_dirty).
  virtual Status after_write(InodeId id) = 0;
  // The external file is not what it was when its fetch began: look again, and say what it is now. The copy is about to
  // be replaced by one of that version; copy_replaced() follows, whether it could be or not.
  virtual Result<Validator> revalidate(InodeId id) = 0;
  virtual void copy_replaced(InodeId id) = 0;
  // Where the external file is now. ESTALE when it is gone.
  virtual Result<ExternalRef> locate(InodeId id) = 0;
  // All of the file is present now.
  virtual void report_complete(InodeId id) = 0;
  // A target is full: frees at least `bytes` of it, or says why that can't be done (ENOSPC, or the flush's error). 0
  // bytes: it is above evict.high; returns at once.
  virtual Status make_room(TargetId target, uint64_t bytes) = 0;
};

struct Forgotten {
  InodeId id = 0;
  uint64_t count = 0;  // lookups
};

// An open file that is not used any more.
struct Released {
  InodeId id = 0;
  int flags = 0;  // as in open()
  // False: it was closed before the server heard of it, which notes when the file was used.
  bool told = true;
};

class MetaService : public MetaCallbacks {
 public:
  // --- names. Replies with an entry count one lookup, which forget() takes back. Inode 0, from lookup() alone: there
  // is no such name.
  virtual Result<EntryReply> lookup(const Caller& caller, InodeId parent, std::string_view name) = 0;
  // All names that a directory has in which the client makes files: what is not among them it need not look up.
  virtual Result<NamesReply> all_names(InodeId directory) = 0;
  // Of the server to which another one's reply has sent: the object, which it has, at a name in a directory of that
  // one's. ESTALE: by now there is another object, or none.
  virtual Result<EntryReply> enter(InodeId parent, std::string_view name, const Identity& identity) = 0;
  virtual void forget(InodeId id, uint64_t count) = 0;
  virtual void forget_many(std::span<const Forgotten> all) {
    for (const Forgotten& each : all) forget(each.id, each.count);
  }
  virtual Result<EntryReply> mknod(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                   uint64_t device) = 0;
  virtual Result<EntryReply> mkdir(const Caller& caller, InodeId parent, std::string_view name, mode_t mode) = 0;
  virtual Result<EntryReply> symlink(const Caller& caller, InodeId parent, std::string_view name,
                                     const std::string& target) = 0;
  virtual Result<EntryReply> link(const Caller& caller, InodeId id, InodeId new_parent, std::string_view new_name) = 0;
  virtual Status unlink(const Caller& caller, InodeId parent, std::string_view name) = 0;
  virtual Status rmdir(const Caller& caller, InodeId parent, std::string_view name) = 0;
  // flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
  virtual Status rename(const Caller& caller, InodeId parent, std::string_view name, InodeId new_parent,
                        std::string_view new_name, unsigned flags) = 0;
  // This client moves a name of any server's: of a directory that moves with it, nothing that was told before counts.
  virtual void directories_move() {}
  virtual Result<std::string> readlink(const Caller& caller, InodeId id) = 0;

  // --- attributes
  virtual Result<AttributesReply> getattr(InodeId id) = 0;
  virtual Result<AttributesReply> setattr(const Caller& caller, InodeId id, const SetAttributes& change) = 0;
  virtual Result<std::string> getxattr(const Caller& caller, InodeId id, const std::string& name) = 0;
  virtual Result<std::string> listxattr(const Caller& caller, InodeId id) = 0;  // names, each ended by NUL
  virtual Status setxattr(const Caller& caller, InodeId id, const std::string& name, std::string_view value,
                          int flags) = 0;
  virtual Status removexattr(const Caller& caller, InodeId id, const std::string& name) = 0;
  virtual Result<struct statvfs> statfs(InodeId id) = 0;

  // --- open files. `flags` as in open(2); each successful call is ended by release() with the same flags.
  virtual Result<OpenReply> open(const Caller& caller, InodeId id, int flags) = 0;
  virtual Result<CreateReply> create(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                     int flags) = 0;
  virtual Result<CreateReply> tmpfile(const Caller& caller, InodeId parent, mode_t mode, int flags) = 0;
  virtual void release(InodeId id, int flags) = 0;
  virtual void release_many(std::span<const Released> all) {
    for (const Released& each : all) release(each.id, each.flags);
  }
  // Makes an open file known to its targets once more: one of them was started anew, or has dropped it because this
  // server knows nothing of some of the client's `handles` any more, which are opened again then. Returns where it lies
  // now. ESTALE: it is open for nobody, or it is not there any more.
  virtual Result<Layout> reopen(const Caller& caller, InodeId id, const HandleCounts& handles) = 0;
  // The file's data is about to change: file capabilities go and, with `set_id_bits`, setuid and setgid, as write(2)
  // has it for this caller.
  virtual Status strip_privileges(const Caller& caller, InodeId id, bool set_id_bits) = 0;
  // The application closed one of its descriptors: flushes when the policy says on-close.
  virtual Status close(InodeId id) = 0;
  // After this the file's data and its dirty flag survive the death of any process, and a power cut.
  virtual Status fsync(InodeId id) = 0;
  // A number that grows each time the file could not be flushed; a handle reports an error when it changed.
  virtual uint64_t flush_failures(InodeId id) = 0;
  virtual Error last_flush_error(InodeId id) = 0;

  // --- directories
  virtual Result<OpenDirectoryReply> opendir(const Caller& caller, InodeId id) = 0;  // a handle
  // Hands over entries from `cookie` on until `sink` takes no more, or some: who was given none is at the end.
  virtual Status readdir(uint64_t handle, uint64_t cookie, bool with_attributes, const DirectorySink& sink) = 0;
  virtual Status fsyncdir(uint64_t handle) = 0;
  virtual void releasedir(uint64_t handle) = 0;

  // --- layouts
  // What the nearest directory says that says anything, from this object upwards; otherwise the configuration.
  virtual Result<LayoutRule> layout_rule(InodeId id) = 0;
  // A directory's own; none: what is above it counts again. ENOTDIR; EINVAL; ENOTSUP where there is only one target.
  virtual Status set_layout_rule(InodeId id, const std::optional<LayoutRule>& rule) = 0;
  // --- locks between clients. In one process nobody asks: there the kernel keeps them. Setting a lock that the owner
  // has changes nothing, and neither does taking away one that it has not: all of these may be asked twice. None waits
  // but await_locks(). A client that is gone has no locks.
  //
  // True: it is set. False, only with `wait`: others have it; the wait has its place in the queue, and await_locks()
  // says when it is over. It loses the place if the client does not ask after it for 10 s. EAGAIN: others have it;
  // EDEADLK: they wait for this owner; ENOLCK: too many; EINVAL: no such range.
  virtual Result<bool> lock(const LockRequest& request, bool wait) = 0;
  // Takes away what the owner has within the range; if more is left on both sides, that is one lock more: ENOLCK.
  virtual Status unlock(const LockRequest& request) = 0;
  // A lock of another owner that stands against this one; the first by its place in the file.
  virtual Result<std::optional<HeldLock>> test_lock(const LockRequest& request) = 0;
  // Waits for at most `limit` until one of `waits` is over, or `ended` is out of date (see LockNews). A client has one
  // such question under way at each server, and names all its waits there: requests for which lock() said false.
  virtual Result<LockNews> await_locks(std::span<const LockRequest> waits, uint64_t ended,
                                       std::chrono::milliseconds limit) = 0;
  // Nobody waits for it any more. True: too late, it is set.
  virtual Result<bool> cancel_lock(const LockRequest& request) = 0;
  // --- answers that the kernels of clients keep: attributes and names with a `valid_for`
  // Calls `tell` once, with what became untrue of what the client has been told; some time later with nothing, if there
  // is nothing. In another process that is before it returns, in this one at any time, by any thread.
  using TellNews = std::function<void(const AnswerNews&)>;
  virtual Status await_news(uint64_t session, const AwaitNews& await, TellNews tell) = 0;
  // The client is gone, with its locks and its answers. For who serves clients alone.
  virtual void end_session(uint64_t session) = 0;

  // --- page caches
  // The client goes through its pages of the file, for a handle that it has just opened. True if those that it has are
  // of the present copy; otherwise it drops them.
  virtual bool use_pages(InodeId id) = 0;
  // It goes past them: what it has of them is worth nothing from now on.
  virtual void bypass_pages(InodeId id) = 0;
  // The client has dropped all pages of the generations before this one, as it was asked to.
  virtual void pages_revoked(InodeId id, uint64_t generation) = 0;

  // --- the cache itself. Requests on a directory mean everything below it. Each works or waits for at most `limit`.
  virtual Result<CacheState> cache_state(InodeId id) = 0;
  virtual Result<WorkProgress> flush(InodeId id, bool first, std::chrono::milliseconds limit) = 0;
  virtual Result<WorkProgress> prefetch(InodeId id, std::chrono::milliseconds limit) = 0;
  virtual Result<WorkProgress> evict(InodeId id, bool first, std::chrono::milliseconds limit) = 0;
  virtual Status pin(InodeId id, bool pinned) = 0;
  virtual CacheStatus status() = 0;
};

}  // namespace forebay
