// mknod, mkdir, symlink: made outside first, as the caller, then known here.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {

Result<EntryReply> MetaServer::make_node(const Caller& caller, InodeId parent_id, std::string_view name,
                                         const std::function<int(int, const char*)>& call) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  ASSIGN_OR_RETURN(const FdPtr directory, directory_fd(parent));
  const AnswerLeases::Change answers(answers_, listing_answers(parent));
  const NameLocks::Hold held = name_locks_.hold(parent_id, name);
  {
    const ActWithUmask mask(caller.umask);
    const ActAs caller_rights(caller);
    if (call(directory->get(), std::string(name).c_str()) != 0) return fail_errno();
  }
  return enter_made(parent, name);
}

Result<EntryReply> MetaServer::mknod(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                     uint64_t device) {
  return make_node(caller, parent, name,
                   [&](int directory, const char* node) { return ::mknodat(directory, node, mode, device); });
}

Result<EntryReply> MetaServer::mkdir(const Caller& caller, InodeId parent, std::string_view name, mode_t mode) {
  return make_node(caller, parent, name,
                   [&](int directory, const char* node) { return ::mkdirat(directory, node, mode); });
}

Result<EntryReply> MetaServer::symlink(const Caller& caller, InodeId parent, std::string_view name,
                                       const std::string& target) {
  return make_node(caller, parent, name,
                   [&](int directory, const char* node) { return ::symlinkat(target.c_str(), directory, node); });
}

}  // namespace forebay::meta
