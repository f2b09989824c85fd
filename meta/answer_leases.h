// AnswerLeases: which answers the kernels of clients may go on using, and who must hear of it when they change.
//
// An answer is what names a directory has ("there is none" as well), or the attributes of an inode. A client has it for
// a time. Who changes it, in this order:
//
//   1. begins the change           nobody is given a lease any more, except himself
//   2. changes
//   3. ends the change             the others who have one are told, and waited for, until they have heeded it or their
//                                  time is over; only then is the change answered
//
// Who gives a lease does so before he looks for the answer: then it is of after the change, or the change sees him.
// A client is told by the reply to a question that it has always open (await_news()), and heeds without waiting for
// anybody, so nobody waits in a circle.
//
// Where several clients change a directory's names, nobody is given any for a while: each change would cost all of them
// what they know. Thread safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/protocol/answer_news.h"

namespace forebay::meta {

class AnswerLeases {
 public:
  enum class Kind : uint8_t { kNames, kAttributes };
  struct Answer {
    InodeId id = 0;
    Kind kind = Kind::kAttributes;
    bool operator==(const Answer&) const = default;
  };

  // Whose request this thread serves: that of a client's session. 0, as without any scope: nobody's.
  class Requester {
   public:
    explicit Requester(uint64_t session);
    ~Requester();
    Requester(const Requester&) = delete;
    Requester& operator=(const Requester&) = delete;

   private:
    const uint64_t before_;
  };
  // 0: no client.
  static uint64_t requester();

  // `active`: there are clients that are apart. Otherwise nobody is given any lease, and changes cost nothing.
  explicit AnswerLeases(bool active) : active_(active) {}

  // For how much of `wanted` the requester may use the answer.
  std::chrono::milliseconds grant(Answer answer, std::chrono::milliseconds wanted);

  // Steps 1 and 3 above, for the requester. A change that fails ends as well.
  class Change {
   public:
    Change(AnswerLeases& leases, std::vector<Answer> answers);
    ~Change();
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

   private:
    AnswerLeases& leases_;
    std::vector<Answer> answers_;  // none if it is not active
  };
  // A change of which step 2 has been.
  void changed(Answer answer) { const Change change(*this, {answer}); }

  // The requester's kernel has moved a name from one directory to another, and goes on using it there for as long as it
  // would have done here.
  void name_moved(InodeId from, InodeId to);

  // The same, where another server has the directory that it came from: it goes on using it for as long as any.
  void name_arrived(InodeId to);

  // The client has heeded the news until `await.heeded`, and waits for the next. `tell` is called once, by any thread,
  // and must not come back here; within kLongestSilence even if there is nothing to tell.
  using Tell = std::function<void(const AnswerNews&)>;
  void await_news(uint64_t session, const AwaitNews& await, Tell tell);
  // The client is gone.
  void end_session(uint64_t session);
  // Forgets what is over, and answers those who have waited for long. To be called about once a second.
  void keep_house();
  // Nobody waits any more.
  void stop();

  static constexpr std::chrono::seconds kLongestSilence{20};

 private:
  using Clock = std::chrono::steady_clock;
  // What an answer may take to its client. One that is gone delays others for so long and for his lease.
  static constexpr std::chrono::seconds kLongestWay{1};
  // After names of a directory were changed by two clients.
  static constexpr std::chrono::seconds kContended{10};

  struct AnswerHash {
    size_t operator()(const Answer& answer) const {
      return std::hash<uint64_t>()(answer.id * 2 + static_cast<uint64_t>(answer.kind));
    }
  };
  struct Holder {
    uint64_t session = 0;
    Clock::time_point until;
  };
  struct Entry {
    std::vector<Holder> holders;
    std::vector<uint64_t> changing;  // sessions that are at it, 0 for nobody's
    uint64_t last_changer = 0;
    Clock::time_point changed_at{}, contended_until{};
  };
  struct Session {
    Tell tell;  // empty while the last news is being heeded
    Clock::time_point asked_at;
    bool heeds_names = false;
    uint64_t told = 0, heeded = 0;  // numbers of news
    AnswerNews pending, unheeded;
  };
  // What one who ends a change waits for.
  struct Wait {
    uint64_t session = 0, number = 0;
    Clock::time_point until;
  };

  void begin(const std::vector<Answer>& answers);
  void end(const std::vector<Answer>& answers);
  // The caller holds mutex_.
  static void hold(Entry& entry, const Holder& holder);
  void revoke(Entry& entry, Answer answer, uint64_t requester, std::vector<Wait>& waits);
  void tell_pending(Session& session);
  bool is_over(const Entry& entry, Clock::time_point now) const;
  bool has_heeded(const Wait& wait) const;

  const bool active_;
  std::mutex mutex_;
  std::condition_variable heeded_;
  std::unordered_map<Answer, Entry, AnswerHash> entries_;
  std::unordered_map<uint64_t, Session> sessions_;
  bool stopped_ = false;
};

}  // namespace forebay::meta
