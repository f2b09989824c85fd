// RoutedMeta: several metadata servers as one: each request goes to who owns its inode, or the directory of its name.
// Whose an object is, its directory's owner says; then the object's owner is asked.
#pragma once

#include <vector>

#include "core/protocol/meta_service.h"

namespace forebay {

class RoutedMeta final : public MetaService {
 public:
  using ServicePtr = std::shared_ptr<MetaService>;
  // `servers`: by their numbers.
  explicit RoutedMeta(std::vector<ServicePtr> servers) : servers_(std::move(servers)) {}

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
  void directories_move() override;
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
  // At all of them: a directory's rule counts for what is below it, whoever has that.
  Status set_layout_rule(InodeId id, const std::optional<LayoutRule>& rule) override;
  Result<OpenDirectoryReply> opendir(const Caller& caller, InodeId id) override;
  // A handle carries the number of its server as an inode number does.
  Status readdir(uint64_t handle, uint64_t cookie, bool with_attributes, const DirectorySink& sink) override;
  Status fsyncdir(uint64_t handle) override;
  void releasedir(uint64_t handle) override;
  Result<bool> lock(const LockRequest& request, bool wait) override;
  Status unlock(const LockRequest& request) override;
  Result<std::optional<HeldLock>> test_lock(const LockRequest& request) override;
  // `waits` are all of one server's.
  Result<LockNews> await_locks(std::span<const LockRequest> waits, uint64_t ended,
                               std::chrono::milliseconds limit) override;
  Result<bool> cancel_lock(const LockRequest& request) override;
  // Each server is asked by itself.
  Status await_news(uint64_t session, const AwaitNews& await, TellNews tell) override;
  void end_session(uint64_t) override {}
  bool use_pages(InodeId id) override;
  void bypass_pages(InodeId id) override;
  void pages_revoked(InodeId id, uint64_t generation) override;
  Result<CacheState> cache_state(InodeId id) override;
  // Of a directory at all of them: each knows the files below it that are its own.
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
  // ESTALE: there is no such server.
  Result<MetaService*> owner(InodeId id) const;
  // The owner, or nobody's.
  MetaService* find_owner(InodeId id) const;
  template <typename Each>
  std::unordered_map<MetaService*, std::vector<Each>> by_owner(std::span<const Each> all);
  // What `reply` says of a name, from who has the object. `again` asks its directory once more: the name led elsewhere
  // meanwhile.
  Result<EntryReply> follow(InodeId parent, std::string_view name, Result<EntryReply> reply,
                            const std::function<Result<EntryReply>()>& again);
  // The same of what was just made there. ENOENT: somebody has removed it meanwhile.
  Result<EntryReply> follow_made(MetaService& server, const Caller& caller, InodeId parent, std::string_view name,
                                 Result<EntryReply> made);

  const std::vector<ServicePtr> servers_;
};

}  // namespace forebay
