// LockTable: the locks that clients have on files, and who waits for them.
//
// For each file and space there are the locks that are set (LockRanges) and a queue of waits. Who asks for a lock and
// would wait for it gets a place in the queue, and asks after it again and again with await(): so no thread is bound to
// a wait, and the wait of a client that asks no more is over after `grace`.
//
// Fairness: a wait lets those go first that stand before it and that it conflicts with, for `patience` at most; after
// that it takes what is free, so that nobody waits for ever for somebody who waits for him by other means than locks.
// Requests that would not wait take what is free at once. An owner never stands behind one that waits for him.
//
// Deadlocks are found among the waits and locks of one table, in spaces that have such a rule (rules_of()).
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>

#include "core/protocol/locks.h"
#include "core/result.h"
#include "meta/lock_ranges.h"
#include "meta/lock_store.h"

namespace forebay::meta {

struct LockLimits {
  size_t locks_of_file = 16'384, locks_of_session = 65'536, waits_of_session = 4'096;
  std::chrono::milliseconds grace{10'000};    // of a wait that nobody asks after
  std::chrono::milliseconds patience{5'000};  // with those who stand before it in the queue
  size_t awaiting = 64;                       // calls of await() that wait at a time; the others return at once
};

// Thread safe. Errors have no context: applications ask for locks that others have.
class LockTable {
 public:
  explicit LockTable(const LockLimits& limits = {}) : limits_(limits) {}
  // Before the first request: takes up what `store` has, and keeps there what is set from now on. Returns the sessions
  // that have some.
  std::set<uint64_t> keep_in(std::unique_ptr<LockStore> store);

  // These are as in MetaService.
  Result<bool> lock(const LockRequest& request, bool wait);
  Status unlock(const LockRequest& request);
  // Whatever client has it: its pid is told.
  std::optional<LockRanges::Range> test(const LockRequest& request);
  LockNews await(std::span<const LockRequest> waits, uint64_t ended, std::chrono::milliseconds limit);
  bool cancel(const LockRequest& request);
  // Returns how many locks and waits it had.
  size_t end_session(uint64_t session);

  // What there is, of all sessions.
  size_t locks();
  size_t waits();
  // All of them that are set on one file.
  std::vector<LockRanges::Range> locks_of(InodeId id, LockSpace space);

 private:
  using Clock = std::chrono::steady_clock;
  using FileKey = LockStore::FileKey;
  struct FileKeyHash {
    size_t operator()(const FileKey& key) const { return std::hash<uint64_t>{}(key.first * 4 + uint64_t(key.second)); }
  };

  struct Wait {
    LockRequest request;
    Clock::time_point since, asked_at;
  };
  using Queue = std::list<Wait>;
  struct File {
    LockRanges ranges;
    Queue queue;
  };
  // Which wait it is: two of the same are one, as two locks of the same are.
  struct WaitKey {
    uint64_t owner = 0;
    FileKey file;
    uint64_t begin = 0, end = 0;
    bool exclusive = false;

    bool operator<(const WaitKey& other) const {
      return std::tie(owner, file, begin, end, exclusive) <
             std::tie(other.owner, other.file, other.begin, other.end, other.exclusive);
    }
  };
  struct Session {
    std::condition_variable changed;
    uint64_t ended = 0;  // of LockNews: the value of ends_ when a wait ended last, or when it began
    std::unordered_map<FileKey, size_t, FileKeyHash> locks;  // how many it has
    size_t lock_count = 0;
    std::map<WaitKey, Queue::iterator> waits;
    size_t awaiting = 0;  // calls of await()

    bool empty() const { return lock_count == 0 && waits.empty() && awaiting == 0; }
  };

  static WaitKey key_of(const LockRequest& request);
  static FileKey file_of(const LockRequest& request) { return {request.id, request.space}; }

  // All of these hold mutex_.
  Session& session_of(uint64_t session);
  Result<bool> ask(const LockRequest& request, bool wait);
  Status set(File& file, const LockRequest& request);
  Status clear(File& file, const LockRequest& request);
  void account(const FileKey& file, uint64_t session, ptrdiff_t more);
  // What the owner has now where it asked for something.
  void keep(const File& file, const LockRequest& request);
  void note_kept(const Status& kept);
  // Takes it out of the queue. `ended`: the client is told that something happened.
  void drop_wait(File& file, Queue::iterator wait, bool ended);
  // Gives those in the queue what is free.
  void advance(File& file);
  // One turn over all of them; true if somebody got something.
  bool advance_once(File& file);
  // The wait at `place` has to let one go first that stands before it. At the end of the queue: a wait to be.
  bool stands_behind(File& file, const LockRequest& request, Clock::time_point since, Queue::iterator place) const;
  bool closes_cycle(const LockRequest& request);
  std::vector<LockOwner> waited_for_by(const LockOwner& owner);
  std::optional<LockAnswer> answer(const LockRequest& request, size_t place);
  void forget_if_empty(const FileKey& file);
  void forget_if_empty(uint64_t session);

  const LockLimits limits_;
  std::mutex mutex_;
  std::unique_ptr<LockStore> store_;  // null: they end with this process
  bool keeps_ = true;                 // the store took the last change
  std::unordered_map<FileKey, File, FileKeyHash> files_;
  std::unordered_map<uint64_t, Session> sessions_;
  size_t awaiting_ = 0;
  // Waits that ended, and sessions that began: no value of Session::ended comes twice, also of one that was forgotten
  // meanwhile. A client that took a new value for an old one would not hear of a wait for the length of a question.
  uint64_t ends_ = 0;
};

}  // namespace forebay::meta
