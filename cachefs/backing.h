// BackingTable: how the kernel does the I/O of each open inode.
//
// An inode with an open handle is in one of two modes, which exclude each other (the kernel fails the open with EIO):
// cached, where reads go through the kernel's page cache and come to us when that has nothing; and backed, where the
// kernel reads, writes, or at least maps the chunk file itself (FUSE passthrough). The first open decides. All backed
// handles of an inode share one registration of the chunk file, and each holds a lease on it. In a cluster others
// change the file as well: instead of cached handles there are direct ones. Beside backed ones they could not be
// mapped.
#pragma once

#include <fuse_lowlevel.h>

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/config.h"
#include "core/protocol/storage_service.h"

namespace forebay::cachefs {

enum class Access {
  kCached,       // through the page cache
  kDirect,       // each request comes to us
  kMapped,       // each request comes to us, but a mapping is one of the chunk file
  kPassthrough,  // the kernel reads and writes the chunk file
};

class BackingTable {
 public:
  // `shared`: others change the files as well, so no page is kept.
  BackingTable(StorageService& storage, const Config& config, bool shared);

  // From now on without: the kernel, the rights of this process, or the cache's file system do not allow it.
  void disable(std::string reason);

  // Who has let the file be opened. One that is empty, as the server has said, has nothing to be lent.
  enum class By { kServer, kDelegation, kEmpty };
  // Of a file that was just made: what its target is to hear. Taken out when that has heard it, with the lease.
  using NewFile = std::optional<CachingFileRequest>;
  // Decides how the handle that is being opened works, and fills in `info`. Ended by release() with what it returned.
  // Errors of the cache file system and of the metadata database. Of a delegation also what kept the chunk file from
  // being lent, which the metadata server may change: EAGAIN, not all of it is there; EHOSTUNREACH.
  Result<Access> open(fuse_req_t request, InodeId id, fuse_file_info* info, By by, NewFile* new_file = nullptr);
  // `request` may be null. The lease of a handle that is backed is the caller's to end, before or after.
  static bool is_backed(Access access) { return access == Access::kPassthrough || access == Access::kMapped; }
  void release(fuse_req_t request, InodeId id, Access access);

  // What `forebay status` says: "on", "read: REASON", "off: REASON".
  std::string report();

 private:
  struct Entry {
    std::mutex mutex;
    std::condition_variable released;
    int unbacked = 0;
    int backed = 0;
    int users = 0;  // those above and who is about to become one; guarded by the shard
    int backing_id = 0;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<InodeId, std::shared_ptr<Entry>> entries;
  };

  std::shared_ptr<Entry> enter(InodeId id);
  void leave(InodeId id);
  void await_closed(InodeId id, Entry& entry, std::unique_lock<std::mutex>& lock);
  Access unbacked() const { return shared_ ? Access::kDirect : Access::kCached; }
  Result<Access> choose(fuse_req_t request, LeaseRequest& lease, Entry& entry, int flags, By by);
  // Takes lease.new_file out if the target has heard of it.
  Status lend(fuse_req_t request, LeaseRequest& lease, Entry& entry);
  // Without a handle: a mapping of the chunk file may be left, through which it is written.
  bool is_mapped(InodeId id);
  bool is_off();
  void unregister(fuse_req_t request, int backing_id);

  StorageService& storage_;
  const Passthrough policy_;
  const bool shared_;
  const bool each_write_;  // comes to us, because the policy wants it outside at once

  static constexpr size_t kShards = 16;
  std::array<Shard, kShards> shards_;

  std::mutex reasons_mutex_;
  std::string off_, read_only_;  // why

  std::mutex orphans_mutex_;
  std::vector<int> orphans_;  // registrations to be ended
};

}  // namespace forebay::cachefs
