// TellQueue: what the servers of a cluster are told some milliseconds later, several things at a time: inodes and open
// files that the kernel has let go, and files that were opened under a delegation and are still open. Nobody waits for
// that: where many files are read or removed, each would cost requests of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/protocol/meta_service.h"
#include "core/protocol/storage_service.h"
#include "core/stripe/layout_table.h"

namespace forebay::cachefs {

// Tells the metadata server all handles of a file, and hears where it lies.
Status tell_handles(MetaService& meta, LayoutTable& layouts, InodeId id);

class TellQueue {
 public:
  // All of them outlive this.
  TellQueue(MetaService& meta, StorageService& storage, LayoutTable* layouts)
      : meta_(meta), storage_(storage), layouts_(layouts) {}
  // Without end(), what is not told yet is not told.
  ~TellQueue();
  TellQueue(const TellQueue&) = delete;
  TellQueue& operator=(const TellQueue&) = delete;

  // All of these may be called by any thread.

  // Takes `count` lookups back, some milliseconds later.
  void forget(InodeId id, uint64_t count);
  // A file was opened for reading that the metadata server has not heard of (LayoutTable::add_untold).
  void opened(InodeId id);
  // Ends an open file, and the lease of its chunk file, some milliseconds later.
  void release(InodeId id, int flags, bool leased);
  // What came before this call has been told when it returns.
  void tell_now();
  // The same for closed files alone: the session ends, and takes the rest with it.
  void end();

 private:
  struct Waiting {
    std::vector<Forgotten> forgotten;
    std::vector<Released> released;
    std::vector<InodeId> lent, opened;
    size_t count() const { return forgotten.size() + released.size() + opened.size(); }
  };

  void pushed(std::unique_lock<std::mutex> lock);
  void tell(Waiting all);
  void run();

  MetaService& meta_;
  StorageService& storage_;
  LayoutTable* const layouts_;
  std::mutex telling_;  // before mutex_: what is let go first is told first
  std::mutex mutex_;
  std::condition_variable wake_;
  Waiting waiting_;
  bool stopping_ = false;
  std::thread thread_;  // from the first one on
};

}  // namespace forebay::cachefs
