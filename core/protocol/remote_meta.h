// RemoteMeta: a metadata server that is elsewhere. Each method is a request over a channel, and has the errors of the
// channel besides those of the service: ETIMEDOUT, ECANCELED, EACCES, EHOSTUNREACH, EPROTO.
//
// The caller's node and the session of a lock's owner are not sent: the server takes them from the connection.
#pragma once

#include <atomic>

#include "core/protocol/changed_directories.h"
#include "core/protocol/meta_service.h"
#include "core/protocol/remote_call.h"
#include "core/protocol/wire/meta.pb.h"
#include "core/transport/channel.h"

namespace forebay {

class RemoteMeta final : public MetaService {
 public:
  // `channel`: to kMetaServiceNumber; outlives this.
  explicit RemoteMeta(transport::Channel& channel) : stub_(&channel) {}

  Result<EntryReply> lookup(const Caller& caller, InodeId parent, std::string_view name) override;
  Result<NamesReply> all_names(InodeId directory) override;
  Result<EntryReply> enter(InodeId parent, std::string_view name, const Identity& identity) override;
  void forget(InodeId id, uint64_t count) override;
  void forget_many(std::span<const Forgotten> all) override;
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
  void directories_move() override { changed_directories_.forget_all(); }
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
  // The server sees by itself that we are gone.
  void end_session(uint64_t) override {}
  Status await_news(uint64_t session, const AwaitNews& await, TellNews tell) override;
  // Page caches are shared with a server in the same process alone: there are none to use here.
  bool use_pages(InodeId) override { return false; }
  void bypass_pages(InodeId) override {}
  void pages_revoked(InodeId, uint64_t) override {}
  Result<CacheState> cache_state(InodeId id) override;
  Result<WorkProgress> flush(InodeId id, bool first, std::chrono::milliseconds limit) override;
  Result<WorkProgress> prefetch(InodeId id, std::chrono::milliseconds limit) override;
  Result<WorkProgress> evict(InodeId id, bool first, std::chrono::milliseconds limit) override;
  Status pin(InodeId id, bool pinned) override;
  CacheStatus status() override;
  Status mark_dirty(InodeId id, bool leased) override;
  void data_changed(InodeId id) override;
  void lease_settled(InodeId id) override;
  Status after_write(InodeId id) override;
  Result<Validator> revalidate(InodeId id) override;
  void copy_replaced(InodeId id) override;
  Result<ExternalRef> locate(InodeId id) override;
  void report_complete(InodeId id) override;
  Status make_room(TargetId target, uint64_t bytes) override;

 private:
  template <typename Method>
  Result<WorkProgress> work(Method method, InodeId id, bool first, std::chrono::milliseconds limit);
  // Gives back the lookups of those entries of a listing that nobody took.
  void forget_rest(const wire::ReaddirReply& listing, int first);

  Status remove(RemoteMethod<wire::Meta, wire::NameRequest, wire::RemovedReply> method, const Caller& caller,
                InodeId parent, std::string_view name);

  wire::Meta_Stub stub_;
  ChangedDirectories changed_directories_;
  // How many entries a reader took the last time before he was full. Those that are asked for in vain cost something,
  // with attributes a lookup each there, and must be forgotten.
  std::atomic<uint32_t> room_{1000}, room_with_attributes_{32};
};

}  // namespace forebay
