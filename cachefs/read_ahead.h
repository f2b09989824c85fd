// ReadAhead: what a program that reads a file of other nodes from its beginning on will ask for next is under way
// before it asks. Only in a cluster: elsewhere the kernel reads ahead.
//
// A piece that was read before somebody asked for it is older than the question. So it counts only while nobody can
// have written the file since. The metadata server says so: it gives attributes for a time (AnswerLeases) of files only
// that nobody has open for writing, and who opens one, or changes its size, waits until those who have attributes have
// heard of it. This client's own writers it does not tell; revoke() is called for them here.
//
//   a lease ends by        news of the inode (AnswerNewsReader), an own writer, its time
//   pieces count if        they were begun under the lease that still stands when they are handed over
//   otherwise              the read goes its usual way
//
// The time is short, because a metadata server that starts anew knows of no lease: one whose machine went down takes
// longer than that, and the end of one that was killed is heard of at once (revoke_all()).
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/protocol/meta_service.h"
#include "core/protocol/storage_service.h"
#include "core/work_queue.h"

namespace forebay::cachefs {

class ReadAhead {
  struct Lease;
  struct Piece;
  struct Standing;

 public:
  // Of one handle that is open for reading. Thread safe.
  class Reader {
   public:
    Reader(ReadAhead& ahead, InodeId id);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    using HandOver = std::function<void(std::span<const iovec> data)>;
    // Calls `hand_over` once with what a read gives, or returns false: then the read is the caller's own. Waits for a
    // piece that is under way.
    bool read(uint64_t offset, size_t bytes, const HandOver& hand_over);

   private:
    void fetch_on(const Standing& lease);
    std::vector<std::shared_ptr<Piece>> pieces_of(uint64_t offset, uint64_t end) const;

    ReadAhead& ahead_;
    const InodeId id_;
    const std::shared_ptr<Lease> lease_;
    std::mutex mutex_;
    uint64_t next_ = 0;                          // where the next read begins if it goes on
    uint64_t run_ = 0;                           // reads one behind the other
    uint64_t resume_ = 0;                        // none is begun before so many reads
    size_t window_ = 1;                          // pieces that may be there or under way
    std::deque<std::shared_ptr<Piece>> pieces_;  // without gaps
  };

  ReadAhead(MetaService& meta, StorageService& storage);

  // The inode's data may be another from now on. Thread safe.
  void revoke(InodeId id);
  void revoke_all();

 private:
  static constexpr size_t kPieceBytes = 1 << 20;  // the largest read of the kernel
  static constexpr size_t kMostPieces = 8;        // of a handle
  static constexpr size_t kMostBuffers = 128;     // of all
  static constexpr uint32_t kThreads = 8;
  static constexpr std::chrono::milliseconds kLongestLease{2000};
  // Where a piece takes longer, the way is full, and what is read in vain is missing to others. So no more is begun for
  // some reads.
  static constexpr std::chrono::milliseconds kSlow{10};
  static constexpr uint64_t kPause = 32;
  using Clock = std::chrono::steady_clock;
  using Buffer = std::unique_ptr<char[]>;

  // Of an inode that has readers.
  struct Lease {
    std::mutex mutex;
    size_t readers = 0;  // guarded by the table's mutex
    uint64_t epoch = 0;  // another one: what was read before does not count
    Clock::time_point until{}, asked_at{};
    Attributes attributes;  // of the file
  };
  // What a lease that stands says.
  struct Standing {
    uint64_t epoch, size;
  };
  struct Piece {
    enum class State { kWaiting, kReading, kRead, kFailed };
    ReadAhead& ahead;
    const InodeId id;
    const uint64_t offset;
    const size_t bytes;
    const uint64_t epoch;
    Buffer buffer;
    std::mutex mutex;
    std::condition_variable done;
    State state = State::kWaiting;
    std::atomic<bool> slow{false};

    Piece(ReadAhead& all, InodeId inode, uint64_t at, size_t size, uint64_t leased, Buffer room)
        : ahead(all), id(inode), offset(at), bytes(size), epoch(leased), buffer(std::move(room)) {}
    ~Piece() { ahead.give_back(std::move(buffer)); }
    uint64_t end() const { return offset + bytes; }
    // By one of the threads, or by the reader who needs it before one of them has come to it.
    void read();
    bool await();
  };

  std::shared_ptr<Lease> enter(InodeId id);
  void leave(InodeId id);
  // Asks for it anew if it is over. Nothing: there is none.
  std::optional<Standing> standing(InodeId id, Lease& lease);
  static bool stands(Lease& lease, uint64_t epoch);
  void renew(InodeId id, Lease& lease, std::unique_lock<std::mutex>& lock);
  // Null: there are too many.
  Buffer take_buffer();
  void give_back(Buffer buffer);
  void start();

  MetaService& meta_;
  StorageService& storage_;
  std::mutex mutex_;
  std::unordered_map<InodeId, std::shared_ptr<Lease>> leases_;
  std::mutex buffers_mutex_;
  std::vector<Buffer> spare_;
  size_t buffers_ = 0;  // with the spare ones
  std::once_flag started_;
  WorkQueue<std::shared_ptr<Piece>> work_;
};

}  // namespace forebay::cachefs
