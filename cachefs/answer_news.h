// AnswerNewsReader: hears from the metadata server what names and attributes others have changed, and has the kernel
// forget what it kept of them. Only a client of a cluster has one.
//
// Names: the kernel forgets all of them at once (an "epoch" of dentries). It could be told of single ones, but then the
// caller waits for the lock of their directory, which a program here may hold that waits for the metadata server, which
// waits for us. Attributes are forgotten without a lock, and an answer that is on its way then does not count.
#pragma once

#include <fuse_lowlevel.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "cachefs/session.h"

namespace forebay::cachefs {

class AnswerNewsReader {
 public:
  // Of the server `meta`. `fuse` is mounted; all three outlive this. Starts a thread.
  AnswerNewsReader(Session& session, MetaService& meta, fuse_session* fuse);
  // Waits for the question that is open, which whoever ends the way to the server makes return.
  ~AnswerNewsReader();
  AnswerNewsReader(const AnswerNewsReader&) = delete;
  AnswerNewsReader& operator=(const AnswerNewsReader&) = delete;
  // Asks no more.
  void stop();

 private:
  void run();
  void heed(const AnswerNews& news);
  // False if this kernel cannot.
  bool forget_names();
  bool has_mounts_below() const;
  // Waits until the kernel has said what it can.
  bool can_forget_names();

  Session& session_;
  MetaService& meta_;
  fuse_session* const fuse_;
  AwaitNews await_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace forebay::cachefs
