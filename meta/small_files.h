// SmallFiles: fetches small files of directories that are being listed, before anybody opens them (fetch.small_files).
//
// A tree of small files costs a round trip to the outside for each of them. Who walks it one by one waits for each; a
// few threads that go ahead wait for several at a time. The queue is bounded: what does not fit is fetched by its
// reader, as without this.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/protocol/types.h"

namespace forebay::meta {

class SmallFiles {
 public:
  // `fetch` brings one file into the cache.
  explicit SmallFiles(std::function<void(InodeId)> fetch) : fetch_(std::move(fetch)) {}
  ~SmallFiles() { stop(); }

  void start(uint32_t threads);
  // Ends after the fetches under way.
  void stop();

  void add(InodeId id);

 private:
  void run();

  const std::function<void(InodeId)> fetch_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<InodeId> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace forebay::meta
