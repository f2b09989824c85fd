#include "cachefs/ring_transport.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <fstream>
#include <system_error>

#include "cachefs/ring_entry.h"
#include "cachefs/session.h"
#include "cachefs/uring_abi.h"
#include "core/log.h"
#include "core/processor.h"

namespace forebay::cachefs {
namespace {

constexpr char kParameter[] = "/sys/module/fuse/parameters/enable_uring";

thread_local RingEntry* entry_of_this_thread = nullptr;
thread_local bool another_answers = false;

RingTransport& transport_of(void* userdata) { return static_cast<Session*>(userdata)->ring; }

}  // namespace

RingTransport::~RingTransport() { assert(threads_.empty()); }

void RingTransport::prepare() {
  if (config_.io_uring == IoUring::kOff) return give_up("fuse.io_uring");
  if (config_.io_uring != IoUring::kOn) return;
  std::ofstream parameter(kParameter);
  parameter << "Y" << std::flush;
  if (!parameter) log(Module::kCachefs).warn("{}: could not be set: {}", kParameter, std::strerror(errno));
}

void RingTransport::attach([[maybe_unused]] fuse_session* session) {
  if (config_.io_uring == IoUring::kOff) return;
#if FUSE_USE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  fuse_custom_io io = {};
  io.read = [](int fd, void* buffer, size_t bytes, void* userdata) {
    return transport_of(userdata).read(fd, buffer, bytes);
  };
  io.writev = [](int fd, iovec* parts, int count, void* userdata) {
    return transport_of(userdata).write(fd, parts, count);
  };
  io.splice_send = [](int from, off_t* from_offset, int to, off_t* to_offset, size_t bytes, unsigned flags, void*) {
    return ::splice(from, from_offset, to, to_offset, bytes, flags);
  };
  session_ = session;
  const bool taken = fuse_session_custom_io(session, &io, sizeof(io), fuse_session_fd(session)) == 0;
  if (!taken) give_up("this libfuse was built without fuse_session_custom_io");
#else
  give_up("this libfuse has none");
#endif
}

ssize_t RingTransport::read(int fuse, void* buffer, size_t bytes) {
  const ssize_t got = ::read(fuse, buffer, bytes);
  const bool whole = got >= static_cast<ssize_t>(sizeof(fuse_in_header));
  if (whole) see_init(static_cast<const char*>(buffer), static_cast<size_t>(got));
  return got;
}

void RingTransport::see_init(const char* request, size_t bytes) {
  fuse_in_header header;
  std::memcpy(&header, request, sizeof(header));
  if (header.opcode != FUSE_INIT) return;
  fuse_init_in init = {};
  std::memcpy(&init, request + sizeof(header), std::min(sizeof(init), bytes - sizeof(header)));
  if ((init.flags & uring_abi::kInitExt) != 0 && (init.flags2 & uring_abi::kOverIoUring) != 0) {
    init_ = header.unique;
    return;
  }
  const bool known = ::access(kParameter, F_OK) == 0;
  give_up(known ? "the parameter enable_uring of the kernel's fuse module is N" : "this kernel has none");
}

ssize_t RingTransport::write(int fuse, iovec* parts, int count) {
  if (entry_of_this_thread != nullptr && entry_of_this_thread->is_reply(parts)) {
    entry_of_this_thread->reply(parts, count);
    return 0;
  }
  if (answer_for_another(parts, count)) return 0;
  const bool answers_init =
      init_ != 0 && static_cast<fuse_out_header*>(parts[0].iov_base)->unique == init_ && count == 2;
  if (answers_init) answer_init(parts);
  const ssize_t written = ::writev(fuse, parts, count);
  if (answers_init) {
    // From here on the kernel waits for our threads with all other requests.
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::kWaiting && off_.empty()) stage_ = written > 0 ? Stage::kServing : Stage::kEnded;
    changed_.notify_all();
  }
  return written;
}

// libfuse does not know of our rings; so we tell the kernel.
void RingTransport::answer_init(iovec* parts) {
  auto* reply = static_cast<fuse_init_out*>(parts[1].iov_base);
  const auto page_bytes = static_cast<uint32_t>(::sysconf(_SC_PAGESIZE));
  if (Status started = start(std::max(reply->max_write, reply->max_pages * page_bytes)); !started) {
    end();
    return give_up(started.error().message());
  }
  reply->flags |= uring_abi::kInitExt;
  reply->flags2 |= uring_abi::kOverIoUring;
}

Status RingTransport::start(uint32_t payload_bytes) {
  // The kernel wants a queue for each that there can be.
  const auto cpus = static_cast<uint16_t>(possible_processors());
  if (cpus == 0) return fail(EIO, "/sys/devices/system/cpu/possible: is not readable");
  stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!stop_) return fail_errno("eventfd");
  // fuse.threads may be in use by the callers of one CPU, as long as that is not too many for all CPUs.
  constexpr uint32_t kMostThreads = 1024;
  each_ = std::clamp(kMostThreads / cpus, uint32_t{1}, config_.threads / 2);
  payload_bytes_ = payload_bytes;
  std::unique_lock lock(mutex_);
  serving_.resize(cpus);
  try {
    for (uint32_t i = 0; i < cpus * each_; ++i) add_thread(static_cast<uint16_t>(i % cpus));
  } catch (const std::system_error& refused) {  // a limit on processes
    return fail(refused.code().value(), "thread {} of {}", threads_.size() + 1, cpus * each_);
  }
  changed_.wait(lock, [&] { return ready_ == threads_.size(); });
  if (failure_) off_.clear();
  return failure_;
}

// With mutex_.
void RingTransport::add_thread(uint16_t queue) {
  threads_.emplace_back([this, queue] { serve(queue); });
}

Status RingTransport::let_another_answer() {
  if (entry_of_this_thread == nullptr) return {};
  const uint16_t queue = entry_of_this_thread->queue();
  std::unique_lock lock(mutex_);
  while (serving_[queue] <= each_) {
    const size_t failed = failed_;
    try {
      if (stage_ != Stage::kEnded) add_thread(queue);
    } catch (const std::system_error& refused) {  // a limit on processes
      return fail(refused.code().value(), "a thread");
    }
    changed_.wait(lock, [&] { return ready_ == threads_.size() || stage_ == Stage::kEnded; });
    if (stage_ == Stage::kEnded) return fail(ENODEV, "the mount ends");
    if (failed_ != failed) return fail(ENOMEM, "an entry");
  }
  --serving_[queue];
  awaited_[entry_of_this_thread->unanswered()].entry = entry_of_this_thread;
  another_answers = true;
  return {};
}

bool RingTransport::answer_for_another(iovec* parts, int count) {
  const std::lock_guard lock(mutex_);
  const auto found = awaited_.find(static_cast<fuse_out_header*>(parts[0].iov_base)->unique);
  if (found == awaited_.end()) return false;
  found->second.entry->reply(parts, count);
  found->second.is_answered = true;
  found->second.answered.notify_one();
  return true;
}

void RingTransport::await_answer(uint64_t request) {
  if (!std::exchange(another_answers, false)) return;
  std::unique_lock lock(mutex_);
  const auto found = awaited_.find(request);
  Awaited& awaited = found->second;
  awaited.answered.wait(lock, [&] { return awaited.is_answered || awaited.entry->unanswered() == 0; });
  ++serving_[awaited.entry->queue()];
  awaited_.erase(found);
}

// Whether the kernel knows that there are rings; false: this was for nothing.
bool RingTransport::await_begin(uint16_t queue, const Status& made) {
  std::unique_lock lock(mutex_);
  ++ready_;
  made ? ++serving_[queue] : ++failed_;
  if (!made && failure_) failure_ = made;
  changed_.notify_all();
  changed_.wait(lock, [&] { return stage_ != Stage::kWaiting; });
  return stage_ == Stage::kServing;
}

void RingTransport::serve(uint16_t queue) {
  stay_on_processor(queue);  // or serves its queue from elsewhere
  const Result<std::unique_ptr<RingEntry>> entry =
      RingEntry::create(fuse_session_fd(session_), stop_.get(), queue, payload_bytes_);
  if (!await_begin(queue, entry ? Status{} : Failure(entry.error())) || !entry) return;
  entry_of_this_thread = entry->get();
  for (;;) {
    const Result<bool> arrived = (*entry)->next();
    if (!arrived) {
      log(Module::kCachefs).error("queue {}: {}", queue, arrived.error().message());
      fuse_session_exit(session_);
    }
    if (!arrived || !*arrived) break;
    const fuse_buf request = (*entry)->request();
    const uint64_t number = (*entry)->unanswered();
    fuse_session_process_buf(session_, &request);
    await_answer(number);
  }
  entry_of_this_thread = nullptr;
}

void RingTransport::end() {
  {
    const std::lock_guard lock(mutex_);
    stage_ = Stage::kEnded;
    changed_.notify_all();
  }
  if (stop_) ::eventfd_write(stop_.get(), 1);
  std::vector<std::thread> threads;
  {
    // None starts another one now.
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void RingTransport::give_up(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  off_ = reason;
}

std::string RingTransport::report() {
  const std::lock_guard lock(mutex_);
  return off_.empty() ? "on" : "off: " + off_;
}

bool RingTransport::serves_this_thread() { return entry_of_this_thread != nullptr; }

std::span<char> RingTransport::reply_space(size_t bytes) {
  if (entry_of_this_thread != nullptr && bytes <= entry_of_this_thread->payload().size()) {
    return entry_of_this_thread->payload().first(bytes);
  }
  thread_local std::vector<char> buffer;
  if (buffer.size() < bytes) buffer.resize(bytes);
  return {buffer.data(), bytes};
}

}  // namespace forebay::cachefs
