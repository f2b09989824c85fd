#include "cachefs/answer_news.h"

#include <algorithm>

#include "cachefs/mount_table.h"
#include "core/log.h"

namespace forebay::cachefs {

AnswerNewsReader::AnswerNewsReader(Session& session, MetaService& meta, fuse_session* fuse)
    : session_(session), meta_(meta), fuse_(fuse), thread_([this] { run(); }) {}

AnswerNewsReader::~AnswerNewsReader() {
  stop();
  thread_.join();
}

void AnswerNewsReader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  Session::Names unknown = Session::Names::kUnknown;
  session_.names.compare_exchange_strong(unknown, Session::Names::kNotKept);
  session_.names.notify_all();
}

bool AnswerNewsReader::forget_names() {
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 18)
  return fuse_lowlevel_notify_increment_epoch(fuse_) == 0;
#else
  return false;
#endif
}

bool AnswerNewsReader::can_forget_names() {
  session_.names.wait(Session::Names::kUnknown);
  const bool can = session_.names == Session::Names::kKept && !has_mounts_below();
  if (!can)
    log(Module::kCachefs).info("names are asked for each time: this kernel cannot forget them when others change them");
  return can;
}

// What is mounted on a directory goes when the kernel forgets its name.
bool AnswerNewsReader::has_mounts_below() const {
  const auto table = read_mount_table();
  const std::string below = session_.options.mountpoint + "/";
  return !table || std::any_of(table->begin(), table->end(),
                               [&](const MountEntry& mount) { return mount.mountpoint.starts_with(below); });
}

void AnswerNewsReader::run() {
  constexpr std::chrono::seconds kPause{1};
  await_.heeds_names = can_forget_names();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Status asked = meta_.await_news(0, await_, [this](const AnswerNews& news) { heed(news); });
    if (!asked) {
      session_.read_ahead.revoke_all();
      session_.delegations.revoke_all();
      session_.absent_names.forget_all();
    }
    lock.lock();
    if (!asked) wake_.wait_for(lock, kPause, [this] { return stopping_; });
  }
}

void AnswerNewsReader::heed(const AnswerNews& news) {
  constexpr off_t kNoPages = -1;
  // ENOENT: the kernel knows nothing of it.
  for (const InodeId id : news.inodes) {
    session_.read_ahead.revoke(id);
    session_.delegations.revoke(id);
    (void)fuse_lowlevel_notify_inval_inode(fuse_, id, kNoPages, 0);
  }
  if (news.names) session_.absent_names.forget_all();
  const bool forgotten = news.names && await_.heeds_names && !has_mounts_below() && forget_names();
  if (news.names && !forgotten) {
    // Somebody has mounted something here: no more names, and those that the kernel has become old.
    await_.heeds_names = false;
    const auto ttl = session_.options.config.consistency.attr_ttl;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::min<std::chrono::milliseconds>(kLongestKept, ttl), [this] { return stopping_; });
  }
  await_.heeded = news.number;
}

}  // namespace forebay::cachefs
