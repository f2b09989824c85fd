// The keep-both rule: our version of a file goes outside under another name.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consistency/conflict.h"
#include "meta/server.h"

namespace forebay::meta {

Status MetaServer::copy_beside(InodeId id, uint64_t size, const InodePtr& directory, const std::string& name,
                               const FdPtr& made) {
  ASSIGN_OR_RETURN(const consistency::Probe probe, external_.probe_fd(made->get()));
  ExternalRef above;  // where it lies by now
  if (directory->id != kRootInode) {
    ASSIGN_OR_RETURN(above, locate(directory->id));
  }
  return storage_.copy_out(id, {joined(above.path, name), probe.identity, made}, size);
}

Result<std::string> MetaServer::keep_beside(const InodePtr& inode) {
  std::vector<Name> names;
  Attributes attributes;
  {
    const std::lock_guard lock(inode->mutex);
    names = inode->names;
    attributes = inode->attributes;
  }
  ASSIGN_OR_RETURN(const ChunkState state, storage_.stat_file(inode->id));
  const std::string name = names.empty() ? "unnamed" : names.front().name;
  InodePtr directory = names.empty() ? nullptr : names.front().parent;
  Result<FdPtr> parent = directory == nullptr ? Result<FdPtr>(fail(ENOENT)) : path_fd(directory);
  if (!parent) {  // its directory is gone as well: then at the top
    ASSIGN_OR_RETURN(directory, inodes_.get(kRootInode));
    parent = path_fd(directory);
  }
  RETURN_IF_ERROR(parent);

  const auto made = std::make_shared<UniqueFd>();
  UniqueFd& fd = *made;
  std::string beside;
  constexpr int kMostNames = 1000;
  for (int attempt = 0; attempt < kMostNames && !fd; ++attempt) {
    beside = consistency::conflict_name(name, std::chrono::system_clock::now(), attempt);
    fd.reset(::openat((*parent)->get(), beside.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!fd && errno != EEXIST) return fail_errno("{}", beside);
  }
  if (!fd) return fail(EEXIST, "{}", beside);
  const Status copied = copy_beside(inode->id, state.size, directory, beside, made);
  const timespec times[2] = {attributes.atime.to_timespec(), state.mtime.to_timespec()};
  if (!copied || ::fchown(fd.get(), attributes.uid, attributes.gid) != 0 ||
      ::fchmod(fd.get(), attributes.mode & 07777) != 0 || ::futimens(fd.get(), times) != 0 || ::fsync(fd.get()) != 0) {
    const Error error = copied ? Error{errno, beside} : copied.error();
    ::unlinkat((*parent)->get(), beside.c_str(), 0);  // half a copy is none
    return Failure(error);
  }
  touched(directory, beside);
  answers_.changed(names_of_directory(directory));
  return joined(path_of(directory), beside);
}

}  // namespace forebay::meta
