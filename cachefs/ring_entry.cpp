#include "cachefs/ring_entry.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstring>

namespace forebay::cachefs {
namespace {

constexpr uint64_t kStopEvent = 1;
constexpr uint64_t kRequestEvent = 2;
// One page for what is shared, and one before the payload: there the request's headers are put, because libfuse wants a
// request in one piece.
constexpr size_t kPageBytes = 4096;
constexpr size_t kPayloadOffset = 2 * kPageBytes;
constexpr int kMostRefusals = 1000;

// What happened before a reply happened before the requests that follow from it. The kernel sees to that, where
// ThreadSanitizer cannot look.
#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
int kernel;
void gave_to_kernel() { __tsan_release(&kernel); }
void got_from_kernel() { __tsan_acquire(&kernel); }
#else
void gave_to_kernel() {}
void got_from_kernel() {}
#endif

}  // namespace

Result<std::unique_ptr<RingEntry>> RingEntry::create(int fuse, int stop, uint16_t queue, size_t payload_bytes) {
  std::unique_ptr<RingEntry> entry(new RingEntry(queue, payload_bytes));
  RETURN_IF_ERROR(entry->map());
  io_uring_params parameters = {};
  parameters.flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  constexpr unsigned kSubmissions = 2;  // the entry, and the watch for `stop`
  if (const int made = io_uring_queue_init_params(kSubmissions, &entry->ring_, &parameters); made != 0) {
    return fail(-made, "io_uring");
  }
  entry->has_ring_ = true;
  if (const int done = io_uring_register_files(&entry->ring_, &fuse, 1); done != 0) {
    return fail(-done, "io_uring");
  }
  io_uring_sqe* watch = io_uring_get_sqe(&entry->ring_);
  io_uring_prep_poll_add(watch, stop, POLLIN);
  io_uring_sqe_set_data64(watch, kStopEvent);
  return entry;
}

Status RingEntry::map() {
  const size_t bytes = kPayloadOffset + payload_bytes_;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("memory for a request of {} bytes", payload_bytes_);
  memory_ = static_cast<char*>(memory);
  header_ = reinterpret_cast<uring_abi::EntryHeader*>(memory_);
  payload_ = memory_ + kPayloadOffset;
  parts_[0] = {header_, sizeof(*header_)};
  parts_[1] = {payload_, payload_bytes_};
  return {};
}

RingEntry::~RingEntry() {
  if (has_ring_) io_uring_queue_exit(&ring_);
  if (memory_ != nullptr) ::munmap(memory_, kPayloadOffset + payload_bytes_);
}

void RingEntry::prepare(uring_abi::Command command) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  assert(entry != nullptr);  // one is taken at a time, and the ring has two
  std::memset(entry, 0, 2 * sizeof(*entry));
  entry->opcode = IORING_OP_URING_CMD;
  entry->flags = IOSQE_FIXED_FILE;
  entry->fd = 0;  // of the registered ones
  entry->cmd_op = command;
  io_uring_sqe_set_data64(entry, kRequestEvent);
  uring_abi::CommandData data = {};
  data.queue = queue_;
  if (command == uring_abi::kRegister) {
    entry->addr = reinterpret_cast<uint64_t>(parts_);
    entry->len = 2;
  } else {
    data.commit_id = header_->commit_id;
  }
  std::memcpy(entry->cmd, &data, sizeof(data));
}

Result<bool> RingEntry::next() {
  assert(unique_ == 0);  // each request has been replied to
  gave_to_kernel();
  if (stopped_) {
    if (command_ == uring_abi::kCommitAndFetch) prepare(command_);
    (void)io_uring_submit(&ring_);
    return false;
  }
  prepare(command_);
  bool arrived = false;
  while (!arrived && !stopped_) {
    const int waited = io_uring_submit_and_wait(&ring_, 1);
    if (waited < 0 && waited != -EINTR && waited != -EAGAIN) {
      return fail(-waited, "io_uring");
    }
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(&ring_, &completion) == 0) {
      const io_uring_cqe seen = *completion;
      io_uring_cqe_seen(&ring_, completion);
      ASSIGN_OR_RETURN(const bool is_request, complete(seen));
      arrived = arrived || is_request;
    }
  }
  return arrived;
}

Result<bool> RingEntry::complete(const io_uring_cqe& completion) {
  if (completion.user_data == kStopEvent || completion.res == -ENOTCONN || completion.res == -ECANCELED) {
    stopped_ = true;
    return false;
  }
  if (completion.res == 0) {
    refusals_ = 0;
    command_ = uring_abi::kCommitAndFetch;
    got_from_kernel();
    return true;
  }
  if ((completion.res == -EAGAIN || completion.res == -EINTR) && ++refusals_ < kMostRefusals) {
    prepare(command_);
    return false;
  }
  return fail(-completion.res, "FUSE over io_uring");
}

fuse_buf RingEntry::request() {
  fuse_in_header in;
  std::memcpy(&in, header_->in_out, sizeof(in));
  unique_ = in.unique;
  // What is neither header nor payload is the operation's own header.
  assert(in.len >= sizeof(in) + header_->payload_bytes);
  const size_t operation_bytes = in.len - sizeof(in) - header_->payload_bytes;
  assert(operation_bytes <= sizeof(header_->operation));
  char* start = payload_ - operation_bytes - sizeof(in);
  std::memcpy(start, &in, sizeof(in));
  std::memcpy(start + sizeof(in), header_->operation, operation_bytes);
  fuse_buf buffer = {};
  buffer.mem = start;
  buffer.size = in.len;
  return buffer;
}

bool RingEntry::is_reply(const iovec* parts) const {
  return static_cast<const fuse_out_header*>(parts[0].iov_base)->unique == unique_ && unique_ != 0;
}

void RingEntry::reply(const iovec* parts, int count) {
  size_t bytes = 0;
  for (int i = 1; i < count; ++i) {
    assert(bytes + parts[i].iov_len <= payload_bytes_);
    if (parts[i].iov_base != payload_ + bytes) std::memmove(payload_ + bytes, parts[i].iov_base, parts[i].iov_len);
    bytes += parts[i].iov_len;
  }
  std::memcpy(header_->in_out, parts[0].iov_base, sizeof(fuse_out_header));
  header_->payload_bytes = static_cast<uint32_t>(bytes);
  unique_ = 0;
}

}  // namespace forebay::cachefs
