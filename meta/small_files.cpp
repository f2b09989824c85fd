// Small files of directories that are being listed are fetched before anybody opens them (fetch.small_files). A tree of
// small files costs a round trip to the outside for each of them: who walks it one by one waits for each, a few threads
// that go ahead wait for several at a time.
#include <fcntl.h>
#include <sys/stat.h>

#include "core/log.h"
#include "meta/server.h"

namespace forebay::meta {

// An entry of a listing that somebody has just got.
void MetaServer::listed(const EntryReply& entry) {
  const Attributes& attributes = entry.attributes;
  const bool small = attributes.size > 0 && attributes.size <= config_.fetch.small_files_bytes;
  if (!small || !S_ISREG(attributes.mode)) return;
  const InodePtr inode = inodes_.find(entry.id);
  if (inode == nullptr) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (inode->cached || inode->dirty || inode->opens > 0) return;
  }
  small_files_.push(entry.id);
}

void MetaServer::fetch_small(InodeId id) {
  const InodePtr inode = inodes_.find(id);
  if (inode == nullptr) return;  // forgotten meanwhile: nobody is there any more
  Status fetched;
  if (const Status opened = open_inode(Caller{}, inode, O_RDONLY, false); opened) {
    constexpr std::chrono::seconds kLongest{60};
    fetched = storage_.fetch_all(id, kLongest);
    release(id, O_RDONLY);
  } else {
    fetched = Failure(opened.error());
  }
  // Who reads the file meets the same error, and is told.
  if (!fetched) log(Module::kMeta).debug("inode {}: not fetched ahead: {}", id, fetched.error().message());
}

}  // namespace forebay::meta
