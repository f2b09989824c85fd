// The client's page cache: of which version its pages are, and how they go.
//
// Revocation: a copy is replaced while the client has the file open, so what its page cache holds must go. The client
// is asked, and says when it has done so (pages_revoked). Nothing of ours is locked meanwhile: it waits for pages that
// are being read, and those reads wait for us.
#include <utility>

#include "meta/server.h"

namespace forebay::meta {

void MetaServer::on_replaced(std::function<void(InodeId, uint64_t)> revoke) {
  const std::lock_guard lock(revoke_mutex_);
  revoke_ = std::move(revoke);
}

bool MetaServer::use_pages(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return false;
  const std::lock_guard lock(inode->mutex);
  return std::exchange(inode->pages_of, inode->generation) == inode->generation;
}

void MetaServer::bypass_pages(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;
  const std::lock_guard lock(inode->mutex);
  inode->pages_of = 0;
}

void MetaServer::begin_revocation(Inode& inode) {
  ++inode.generation;
  inode.validated_at = {};
  inode.revoking = inode.opens > 0 ? inode.generation : 0;  // otherwise who opens it next hears of the generation
}

void MetaServer::revoke_pages(const InodePtr& inode) {
  uint64_t generation = 0;
  {
    const std::lock_guard lock(inode->mutex);
    generation = inode->revoking;
  }
  if (generation == 0) return;
  {
    const std::lock_guard lock(revoke_mutex_);
    if (revoke_) return revoke_(inode->id, generation);
  }
  pages_revoked(inode->id, generation);
}

void MetaServer::pages_revoked(InodeId id, uint64_t generation) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->revoking != generation) return;  // the copy was replaced once more
    inode->revoking = 0;
    inode->validated_at = {};
  }
  wake_revocation_waiters();
}

void MetaServer::wake_revocation_waiters() {
  // Who saw it unfinished is waiting by now.
  { const std::lock_guard lock(revoke_mutex_); }
  revoked_.notify_all();
}

bool MetaServer::await_revocation(const InodePtr& inode) {
  const auto done = [&] {
    const std::lock_guard lock(inode->mutex);
    return inode->revoking == 0;
  };
  if (done()) return false;
  // It takes microseconds, unless pages are being read from a slow outside. All our threads may be waiting here, and
  // none is left that answers those reads; so not for long.
  constexpr std::chrono::milliseconds kLongest{100};
  std::unique_lock lock(revoke_mutex_);
  return revoked_.wait_for(lock, kLongest, done);
}

}  // namespace forebay::meta
