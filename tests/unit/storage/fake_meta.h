// A metadata server for tests of the storage server: does what it must, counts, and lets the test look in between.
#pragma once

#include <atomic>
#include <functional>

#include "consistency/external_tree.h"
#include "core/protocol/meta_service.h"

namespace forebay::storage {

class FakeMeta final : public MetaService {
 public:
  std::function<Status(InodeId)> on_mark_dirty = [](InodeId) { return Status{}; };
  std::function<Result<Validator>(InodeId)> on_revalidate = [](InodeId) { return Result<Validator>(fail(ENOSYS)); };
  std::function<Result<ExternalRef>(InodeId)> on_locate = [](InodeId) { return Result<ExternalRef>(fail(ESTALE)); };
  std::function<Status(InodeId, uint64_t)> on_make_room = [](InodeId, uint64_t bytes) {
    return bytes == 0 ? Status{} : Status(fail(ENOSPC));
  };
  std::atomic<int> marked_dirty{0}, changed{0}, settled{0}, completed{0}, revalidated{0}, replaced{0};

  Status mark_dirty(InodeId id, bool) override {
    ++marked_dirty;
    return on_mark_dirty(id);
  }
  void data_changed(InodeId) override { ++changed; }
  void lease_settled(InodeId) override { ++settled; }
  Result<Validator> revalidate(InodeId id) override {
    ++revalidated;
    return on_revalidate(id);
  }
  void copy_replaced(InodeId) override { ++replaced; }
  Result<ExternalRef> locate(InodeId id) override { return on_locate(id); }
  void report_complete(InodeId) override { ++completed; }
  Status make_room(InodeId id, uint64_t bytes) override { return on_make_room(id, bytes); }

  // A storage server asks for nothing else.
  Result<EntryReply> lookup(const Caller&, InodeId, std::string_view) override { return no(); }
  void forget(InodeId, uint64_t) override {}
  Result<EntryReply> mknod(const Caller&, InodeId, std::string_view, mode_t, uint64_t) override { return no(); }
  Result<EntryReply> mkdir(const Caller&, InodeId, std::string_view, mode_t) override { return no(); }
  Result<EntryReply> symlink(const Caller&, InodeId, std::string_view, const std::string&) override { return no(); }
  Result<EntryReply> link(const Caller&, InodeId, InodeId, std::string_view) override { return no(); }
  Status unlink(const Caller&, InodeId, std::string_view) override { return no(); }
  Status rmdir(const Caller&, InodeId, std::string_view) override { return no(); }
  Status rename(const Caller&, InodeId, std::string_view, InodeId, std::string_view, unsigned) override { return no(); }
  Result<std::string> readlink(const Caller&, InodeId) override { return no(); }
  Result<AttributesReply> getattr(InodeId) override { return no(); }
  Result<AttributesReply> setattr(const Caller&, InodeId, const SetAttributes&) override { return no(); }
  Result<std::string> getxattr(const Caller&, InodeId, const std::string&) override { return no(); }
  Result<std::string> listxattr(const Caller&, InodeId) override { return no(); }
  Status setxattr(const Caller&, InodeId, const std::string&, std::string_view, int) override { return no(); }
  Status removexattr(const Caller&, InodeId, const std::string&) override { return no(); }
  Result<struct statvfs> statfs(InodeId) override { return no(); }
  Status open(const Caller&, InodeId, int) override { return no(); }
  Result<EntryReply> create(const Caller&, InodeId, std::string_view, mode_t, int) override { return no(); }
  Result<EntryReply> tmpfile(const Caller&, InodeId, mode_t, int) override { return no(); }
  void release(InodeId, int) override {}
  Status strip_privileges(const Caller&, InodeId, bool) override { return no(); }
  Status close(InodeId) override { return no(); }
  Status fsync(InodeId) override { return no(); }
  uint64_t flush_failures(InodeId) override { return 0; }
  Error last_flush_error(InodeId) override { return {0, {}}; }
  Result<OpenDirectoryReply> opendir(const Caller&, InodeId) override { return no(); }
  Status readdir(uint64_t, uint64_t, bool, const DirectorySink&) override { return no(); }
  Status fsyncdir(uint64_t) override { return no(); }
  void releasedir(uint64_t) override {}
  bool use_pages(InodeId) override { return false; }
  void bypass_pages(InodeId) override {}
  void pages_revoked(InodeId, uint64_t) override {}
  Result<CacheState> cache_state(InodeId) override { return no(); }
  Result<WorkProgress> flush(InodeId, bool, std::chrono::milliseconds) override { return no(); }
  Result<WorkProgress> prefetch(InodeId, std::chrono::milliseconds) override { return no(); }
  Result<WorkProgress> evict(InodeId, bool, std::chrono::milliseconds) override { return no(); }
  Status pin(InodeId, bool) override { return no(); }
  CacheStatus status() override { return {}; }
  Status after_write(InodeId) override { return no(); }

 private:
  static Failure no() { return fail(ENOSYS, "not of this fake"); }
};

}  // namespace forebay::storage
