// What every FUSE operation needs: the services, and what the mount says about itself.
#pragma once

#include <fuse_lowlevel.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "cachefs/absent_names.h"
#include "cachefs/backing.h"
#include "cachefs/delegations.h"
#include "cachefs/lock_book.h"
#include "cachefs/lock_waits.h"
#include "cachefs/mount.h"
#include "cachefs/read_ahead.h"
#include "cachefs/ring_transport.h"
#include "cachefs/tell_queue.h"
#include "core/protocol/meta_service.h"
#include "core/protocol/mgmt_service.h"
#include "core/protocol/storage_service.h"
#include "core/stripe/layout_table.h"

namespace forebay::cachefs {

struct Session {
  MetaService& meta;
  StorageService& storage;
  MgmtService& mgmt;
  const MountOptions& options;
  // Of a client of a cluster: where the chunks of open files are. Others change files while they are open here, so
  // nothing is kept in this kernel. Null: this process is the only one.
  LayoutTable* layouts = nullptr;
  bool in_cluster() const { return layouts != nullptr; }
  BackingTable backing{storage, options.config, in_cluster()};
  RingTransport ring{options.config.fuse};
  // These are used in a cluster only.
  TellQueue tell_queue{meta, storage, layouts};
  Delegations delegations;
  AbsentNames absent_names{[this](InodeId directory) { return meta.all_names(directory); }};
  ReadAhead read_ahead{meta, storage};
  LockBook lock_book;
  LockWaits lock_waits{meta};
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::atomic<bool> kernel_strips{true};  // the kernel takes setuid bits off itself; otherwise it tells us to
  std::atomic<bool> can_splice{false};    // from the chunk file to the kernel, where that is not io_uring
  // Whether the kernel can forget all names at once. Known from the INIT request on.
  enum class Names : uint8_t { kUnknown, kKept, kNotKept };
  std::atomic<Names> names{Names::kUnknown};
  std::atomic<bool> discard{false};  // unmount --discard: dirty data is given up
};

// A program here changes the file's data from now on, or has done so: the servers tell this client of others' changes
// alone.
inline void changes_data(Session& session, InodeId id) {
  session.read_ahead.revoke(id);
  session.delegations.written(id);
}

// It has made, or tried to make, a name.
inline void changes_names(Session& session, InodeId directory, std::string_view name) {
  if (session.in_cluster()) session.absent_names.made(directory, name);
}

inline Session& session_of(fuse_req_t request) { return *static_cast<Session*>(fuse_req_userdata(request)); }

// Who asks. Supplementary groups cost a look into /proc, so only what may need them has them.
enum class Groups { kNone, kAll };
Caller caller_of(fuse_req_t request, Groups groups);

// Ends the request with the error's errno.
void reply_error(fuse_req_t request, const Error& error);
inline void reply_status(fuse_req_t request, const Status& status) {
  status ? static_cast<void>(fuse_reply_err(request, 0)) : reply_error(request, status.error());
}

struct stat stat_of(const Attributes& attributes);
double seconds_of(std::chrono::milliseconds time);
fuse_entry_param entry_param_of(const EntryReply& entry);

// One open file of an application.
struct FileHandle {
  int flags = 0;
  Caller opener;
  Access access = Access::kCached;
  std::unique_ptr<ReadAhead::Reader> reader;  // of a file that comes from other nodes, without the kernel's pages
  const std::chrono::steady_clock::time_point opened_at = std::chrono::steady_clock::now();
  // Failures of the write-back that this handle's owner was told about (or that are older than it).
  // Counted for close and for fsync apart: a child that closes its copy must not take the news from its parent.
  std::atomic<uint64_t> seen_by_close{0}, seen_by_fsync{0};
};
inline FileHandle& handle_of(const fuse_file_info* info) { return *reinterpret_cast<FileHandle*>(info->fh); }

// The error of a write-back that failed since this handle was last told: once for each handle, as fsync(2) says.
Status late_error(Session& session, InodeId id, std::atomic<uint64_t>& seen);

// JSON for user.forebay.status and user.forebay.stat.
std::string status_json(Session& session);
Result<std::string> stat_json(Session& session, InodeId id);
// The value of user.forebay.NAME. ENODATA for an unknown name.
Result<std::string> virtual_xattr(Session& session, InodeId id, const std::string& name);

// What user.forebay.layout is set to. EINVAL.
Status set_layout(Session& session, InodeId id, std::string_view json);

// All operations; one file each under cachefs/ops/. `in_cluster`: with those of locks, which the kernel otherwise keeps
// itself.
const fuse_lowlevel_ops& operations(bool in_cluster);

namespace ops {
// Parts of flush and release of a client of a cluster: a descriptor is closed; an open file description ends.
void end_locks_of_closer(Session& session, InodeId id, const fuse_file_info* info);
void end_locks_of_handle(Session& session, InodeId id, const fuse_file_info* info);
}  // namespace ops

}  // namespace forebay::cachefs
