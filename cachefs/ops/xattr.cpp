// getxattr, listxattr, setxattr, removexattr. Names that begin with user.forebay. are the cache's own.
#include <charconv>
#include <cstring>

#include "cachefs/control.h"
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {
namespace {

bool is_virtual(const char* name) { return std::strncmp(name, kXattrPrefix, sizeof(kXattrPrefix) - 1) == 0; }

// What the kernel asks for before it lets others than the owner in. It takes ENOTSUP for a refusal: an outside without
// ACLs has none.
bool is_acl(const char* name) { return std::strncmp(name, "system.posix_acl_", 17) == 0; }

void reply_bytes(fuse_req_t request, const Result<std::string>& value, size_t size) {
  if (!value) return reply_error(request, value.error());
  if (size == 0) {
    fuse_reply_xattr(request, value->size());
  } else if (size < value->size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, value->data(), value->size());
  }
}

// "-" before the number takes it back.
Status drain(Session& session, uid_t uid, std::string_view value) {
  if (uid != 0) return fail(EPERM);
  if (!session.in_cluster()) return fail(ENOTSUP);
  const bool back = value.starts_with('-');
  if (back) value.remove_prefix(1);
  TargetId target = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), target);
  if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size()) return fail(EINVAL);
  return session.mgmt.drain(target, !back);
}

}  // namespace

void getxattr(fuse_req_t request, fuse_ino_t inode, const char* name, size_t size) {
  Session& session = session_of(request);
  if (is_virtual(name)) return reply_bytes(request, virtual_xattr(session, inode, name), size);
  Result<std::string> value = session.meta.getxattr(caller_of(request, Groups::kAll), inode, name);
  if (!value && value.error().code == ENOTSUP && is_acl(name)) value = fail(ENODATA);
  reply_bytes(request, value, size);
}

void listxattr(fuse_req_t request, fuse_ino_t inode, size_t size) {
  reply_bytes(request, session_of(request).meta.listxattr(caller_of(request, Groups::kAll), inode), size);
}

void setxattr(fuse_req_t request, fuse_ino_t inode, const char* name, const char* value, size_t size, int flags) {
  if (std::strcmp(name, kXattrLayout) == 0) {
    return reply_status(request, set_layout(session_of(request), inode, {value, size}));
  }
  if (std::strcmp(name, kXattrDrain) == 0) {
    return reply_status(request, drain(session_of(request), fuse_req_ctx(request)->uid, {value, size}));
  }
  if (is_virtual(name)) return reply_error(request, {EPERM, {}});
  MetaService& meta = session_of(request).meta;
  reply_status(request, meta.setxattr(caller_of(request, Groups::kAll), inode, name, {value, size}, flags));
}

void removexattr(fuse_req_t request, fuse_ino_t inode, const char* name) {
  if (std::strcmp(name, kXattrLayout) == 0) {
    return reply_status(request, session_of(request).meta.set_layout_rule(inode, {}));
  }
  if (is_virtual(name)) return reply_error(request, {EPERM, {}});
  reply_status(request, session_of(request).meta.removexattr(caller_of(request, Groups::kAll), inode, name));
}

}  // namespace forebay::cachefs::ops
