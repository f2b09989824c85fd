// A metadata server for tests of the storage server: does what it must, counts, and lets the test look in between.
#pragma once

#include <atomic>
#include <functional>

#include "consistency/external_tree.h"
#include "core/protocol/meta_service.h"

namespace forebay::storage {

class FakeMeta final : public MetaCallbacks {
 public:
  std::function<Status(InodeId)> on_mark_dirty = [](InodeId) { return Status{}; };
  std::function<Result<Validator>(InodeId)> on_revalidate = [](InodeId) { return Result<Validator>(fail(ENOSYS)); };
  std::function<Result<ExternalRef>(InodeId)> on_locate = [](InodeId) { return Result<ExternalRef>(fail(ESTALE)); };
  std::function<Status(TargetId, uint64_t)> on_make_room = [](TargetId, uint64_t bytes) {
    return bytes == 0 ? Status{} : Status(fail(ENOSPC));
  };
  std::atomic<int> marked_dirty{0}, changed{0}, settled{0}, completed{0}, revalidated{0}, replaced{0}, paced{0};

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
  Status make_room(TargetId target, uint64_t bytes) override { return on_make_room(target, bytes); }

  Status after_write(InodeId) override {
    ++paced;
    return {};
  }
};

}  // namespace forebay::storage
