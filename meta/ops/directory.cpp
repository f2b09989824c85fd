// opendir, readdir, fsyncdir, releasedir: listings stream from the outside, never a whole directory in memory.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

struct MetaServer::DirectoryHandle {
  InodePtr directory;
  Caller caller;
  FdPtr path;  // O_PATH
  std::mutex mutex;
  UniqueFd fd;
  std::vector<char> buffer;
  size_t begin = 0, end = 0;  // unread bytes of `buffer`
  uint64_t cookie = 0;        // where the entry at `begin` is
};

// A listing counts as long as any other answer of the outside; names that change here the client knows by itself. Files
// that come with a listing want a new one.
Result<OpenDirectoryReply> MetaServer::opendir(const Caller& caller, InodeId id) {
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.get(id));
  auto handle = std::make_shared<DirectoryHandle>();
  handle->directory = inode;
  handle->caller = caller;
  ASSIGN_OR_RETURN(handle->path, path_fd(inode));
  OpenDirectoryReply reply;
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(inode->mutex);
    const bool known = inode->listed_at != consistency::SteadyTime{};
    reply.keep_listing = known && now - inode->listed_at < freshness_.names_valid_for();
  }
  if (config_.fetch.small_files_bytes > 0 || placement_.is_cluster()) reply.keep_listing = false;
  if (!reply.keep_listing) {
    const ActAs caller_rights(caller);
    ASSIGN_OR_RETURN(handle->fd, consistency::ExternalTree::reopen(handle->path->get(), O_RDONLY | O_DIRECTORY));
    const std::lock_guard lock(inode->mutex);
    inode->listed_at = now;
  }
  const std::lock_guard lock(handles_mutex_);
  reply.handle = next_handle_++;
  handles_[reply.handle] = handle;
  return reply;
}

// For a client that has lost the listing that it should have kept. It was allowed to open the directory, which counts
// whatever happened to the rights since; so we open it, or, where root has none, the caller.
Status MetaServer::open_outside(DirectoryHandle& handle) {
  if (handle.fd) return {};
  Result<UniqueFd> fd = consistency::ExternalTree::reopen(handle.path->get(), O_RDONLY | O_DIRECTORY);
  if (!fd) {
    const ActAs caller_rights(handle.caller);
    fd = consistency::ExternalTree::reopen(handle.path->get(), O_RDONLY | O_DIRECTORY);
  }
  if (!fd) return Failure(std::move(fd).error());
  handle.fd = *std::move(fd);
  return {};
}

Status MetaServer::readdir(uint64_t number, uint64_t cookie, bool with_attributes, const DirectorySink& sink) {
  std::shared_ptr<DirectoryHandle> handle;
  {
    const std::lock_guard lock(handles_mutex_);
    const auto it = handles_.find(number);
    if (it == handles_.end()) return fail(EBADF);
    handle = it->second;
  }
  const std::lock_guard lock(handle->mutex);
  RETURN_IF_ERROR(open_outside(*handle));
  const int fd = handle->fd.get();
  struct Listed {
    KnownNames& names;
    InodeId directory;
    ~Listed() { names.listed(directory); }
  } const when_done{known_names_, handle->directory->id};
  if (cookie != handle->cookie || cookie == 0) {  // 0: rewinddir() sees what is new
    if (::lseek(fd, static_cast<off_t>(cookie), SEEK_SET) < 0) return fail_errno();
    handle->begin = handle->end = 0;
    handle->cookie = cookie;
  }
  while (true) {
    if (handle->begin == handle->end) {
      constexpr size_t kBufferBytes = 32 << 10;
      handle->buffer.resize(kBufferBytes);
      const ssize_t bytes = ::getdents64(fd, handle->buffer.data(), handle->buffer.size());
      if (bytes < 0) return fail_errno();
      if (bytes == 0) return {};
      handle->begin = 0;
      handle->end = static_cast<size_t>(bytes);
    }
    const auto* found = reinterpret_cast<const dirent64*>(handle->buffer.data() + handle->begin);
    DirectoryEntry entry;
    entry.name = found->d_name;
    entry.inode_number = found->d_ino;
    entry.type = DTTOIF(found->d_type);
    entry.next = static_cast<uint64_t>(found->d_off);
    EntryReply attributes;
    const auto valid_for = with_attributes ? names_valid_for(handle->directory) : std::chrono::milliseconds{0};
    if (with_attributes && entry.name != "." && entry.name != "..") {
      const Result<FdPtr> directory = directory_fd(handle->directory);
      Result<EntryReply> looked =
          directory ? look_up(handle->directory, *directory, entry.name, valid_for, nullptr) : fail(ENOENT);
      if (looked && looked->elsewhere) {
        entry.inode_number = consistency::shown_number(looked->elsewhere->identity);
      } else if (looked) {
        attributes = *looked;
        entry.entry = &attributes;
        entry.inode_number = attributes.attributes.inode_number;
      }
    }
    if (!sink(entry)) {
      if (entry.entry != nullptr) forget(attributes.id, 1);
      return {};
    }
    if (entry.entry != nullptr) listed(attributes);
    handle->begin += found->d_reclen;
    handle->cookie = entry.next;
  }
}

Status MetaServer::fsyncdir(uint64_t number) {
  std::shared_ptr<DirectoryHandle> handle;
  {
    const std::lock_guard lock(handles_mutex_);
    const auto it = handles_.find(number);
    if (it == handles_.end()) return fail(EBADF);
    handle = it->second;
  }
  const std::lock_guard lock(handle->mutex);
  RETURN_IF_ERROR(open_outside(*handle));
  return ::fsync(handle->fd.get()) == 0 ? Status{} : Status(fail_errno());
}

void MetaServer::releasedir(uint64_t number) {
  const std::lock_guard lock(handles_mutex_);
  handles_.erase(number);
}

}  // namespace forebay::meta
