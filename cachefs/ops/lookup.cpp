// lookup, forget, forget_multi.
#include "cachefs/ops.h"
#include "cachefs/session.h"

namespace forebay::cachefs::ops {

// That there is no such name counts as long as any other answer: who looks for a file along a path of many directories
// asks the outside once. What is made here the kernel knows by itself.
void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Session& session = session_of(request);
  if (session.in_cluster()) {
    if (const auto valid_for = session.absent_names.lacks(parent, name)) {
      const fuse_entry_param none = entry_param_of(EntryReply{.valid_for = *valid_for});
      fuse_reply_entry(request, &none);
      return;
    }
  }
  const Delegations::Question question(session.delegations);
  const Result<EntryReply> entry = session.meta.lookup(caller_of(request, Groups::kNone), parent, name);
  if (!entry) return reply_error(request, entry.error());
  session.delegations.take(question, entry->id, *entry);
  const fuse_entry_param param = entry_param_of(*entry);
  // An interrupted caller took no reference.
  if (fuse_reply_entry(request, &param) == -ENOENT && entry->id != 0) session.meta.forget(entry->id, 1);
}

void forget(fuse_req_t request, fuse_ino_t inode, uint64_t count) {
  Session& session = session_of(request);
  session.in_cluster() ? session.tell_queue.forget(inode, count) : session.meta.forget(inode, count);
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* forgets) {
  Session& session = session_of(request);
  for (size_t i = 0; i < count; ++i) {
    session.in_cluster() ? session.tell_queue.forget(forgets[i].ino, forgets[i].nlookup)
                         : session.meta.forget(forgets[i].ino, forgets[i].nlookup);
  }
  fuse_reply_none(request);
}

}  // namespace forebay::cachefs::ops
