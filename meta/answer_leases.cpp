#include "meta/answer_leases.h"

#include <algorithm>
#include <utility>

namespace forebay::meta {
namespace {

thread_local uint64_t session_of_thread = 0;

void add(AnswerNews& to, const AnswerNews& more) {
  to.names = to.names || more.names;
  to.inodes.insert(to.inodes.end(), more.inodes.begin(), more.inodes.end());
}

bool is_empty(const AnswerNews& news) { return !news.names && news.inodes.empty(); }

}  // namespace

AnswerLeases::Requester::Requester(uint64_t session) : before_(std::exchange(session_of_thread, session)) {}
AnswerLeases::Requester::~Requester() { session_of_thread = before_; }

uint64_t AnswerLeases::requester() { return session_of_thread; }

std::chrono::milliseconds AnswerLeases::grant(Answer answer, std::chrono::milliseconds wanted) {
  constexpr std::chrono::milliseconds kNone{0};
  const uint64_t requester = session_of_thread;
  if (!active_ || requester == 0 || wanted <= kNone) return kNone;
  wanted = std::min<std::chrono::milliseconds>(wanted, kLongestKept);
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(requester);
  if (session == sessions_.end() || (answer.kind == Kind::kNames && !session->second.heeds_names)) return kNone;
  const auto now = Clock::now();
  Entry& entry = entries_[answer];
  const bool by_others = std::any_of(entry.changing.begin(), entry.changing.end(),
                                     [requester](uint64_t changer) { return changer != requester; });
  if (by_others || now < entry.contended_until) return kNone;
  hold(entry, {requester, now + wanted + kLongestWay});
  return wanted;
}

void AnswerLeases::hold(Entry& entry, const Holder& holder) {
  for (Holder& known : entry.holders) {
    if (known.session != holder.session) continue;
    known.until = std::max(known.until, holder.until);
    return;
  }
  entry.holders.push_back(holder);
}

void AnswerLeases::name_moved(InodeId from, InodeId to) {
  if (!active_ || from == to) return;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({from, Kind::kNames});
  if (found == entries_.end()) return;
  const std::vector<Holder> holders = found->second.holders;
  for (const Holder& holder : holders) {
    if (holder.session == session_of_thread) hold(entries_[{to, Kind::kNames}], holder);
  }
}

void AnswerLeases::name_arrived(InodeId to) {
  if (!active_ || session_of_thread == 0) return;
  const std::lock_guard lock(mutex_);
  hold(entries_[{to, Kind::kNames}], {session_of_thread, Clock::now() + kLongestKept + kLongestWay});
}

AnswerLeases::Change::Change(AnswerLeases& leases, std::vector<Answer> answers) : leases_(leases) {
  if (!leases_.active_) return;
  leases_.begin(answers);
  answers_ = std::move(answers);
}
AnswerLeases::Change::~Change() {
  if (!answers_.empty()) leases_.end(answers_);
}

void AnswerLeases::begin(const std::vector<Answer>& answers) {
  const std::lock_guard lock(mutex_);
  for (const Answer& answer : answers) entries_[answer].changing.push_back(session_of_thread);
}

void AnswerLeases::end(const std::vector<Answer>& answers) {
  const uint64_t requester = session_of_thread;
  std::vector<Wait> waits;
  std::unique_lock lock(mutex_);
  for (const Answer& answer : answers) revoke(entries_[answer], answer, requester, waits);
  for (const Wait& wait : waits) {
    heeded_.wait_until(lock, wait.until, [&] { return stopped_ || has_heeded(wait); });
  }
  for (const Answer& answer : answers) {
    Entry& entry = entries_[answer];
    entry.changing.erase(std::find(entry.changing.begin(), entry.changing.end(), requester));
  }
}

void AnswerLeases::revoke(Entry& entry, Answer answer, uint64_t requester, std::vector<Wait>& waits) {
  const auto now = Clock::now();
  if (answer.kind == Kind::kNames) {
    const bool by_another = entry.last_changer != requester && now - entry.changed_at < kContended;
    if (by_another) entry.contended_until = now + kContended;
    entry.last_changer = requester;
    entry.changed_at = now;
  }
  for (const Holder& holder : entry.holders) {
    if (holder.session == requester || holder.until <= now) continue;
    const auto found = sessions_.find(holder.session);
    if (found == sessions_.end()) continue;
    Session& session = found->second;
    answer.kind == Kind::kNames ? static_cast<void>(session.pending.names = true)
                                : session.pending.inodes.push_back(answer.id);
    waits.push_back({holder.session, session.told + 1, holder.until});
    tell_pending(session);
  }
  std::erase_if(entry.holders, [requester](const Holder& holder) { return holder.session != requester; });
}

void AnswerLeases::tell_pending(Session& session) {
  if (!session.tell) return;
  session.unheeded = std::exchange(session.pending, {});
  session.unheeded.number = ++session.told;
  std::exchange(session.tell, {})(session.unheeded);
}

bool AnswerLeases::has_heeded(const Wait& wait) const {
  const auto found = sessions_.find(wait.session);
  return found == sessions_.end() || found->second.heeded >= wait.number;
}

void AnswerLeases::await_news(uint64_t number, const AwaitNews& await, Tell tell) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return tell({});
  Session& session = sessions_[number];
  session.heeds_names = await.heeds_names;
  session.heeded = std::max(session.heeded, await.heeded);
  session.told = std::max(session.told, await.heeded);  // by the server that was here before
  session.asked_at = Clock::now();
  if (session.tell) session.tell({session.heeded, false, {}});  // it has asked again, over another connection
  session.tell = std::move(tell);
  // A reply that was lost is given once more, with what came since.
  if (session.heeded < session.told) add(session.pending, session.unheeded);
  if (!is_empty(session.pending)) tell_pending(session);
  heeded_.notify_all();
}

void AnswerLeases::end_session(uint64_t number) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(number);
  heeded_.notify_all();
}

bool AnswerLeases::is_over(const Entry& entry, Clock::time_point now) const {
  return entry.changing.empty() && now - entry.changed_at >= kContended && now >= entry.contended_until &&
         std::all_of(entry.holders.begin(), entry.holders.end(),
                     [now](const Holder& holder) { return holder.until <= now; });
}

void AnswerLeases::keep_house() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  std::erase_if(entries_, [&](const auto& entry) { return is_over(entry.second, now); });
  for (auto& [number, session] : sessions_) {
    if (session.tell && now - session.asked_at >= kLongestSilence) tell_pending(session);
  }
}

void AnswerLeases::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& [number, session] : sessions_) {
    if (session.tell) std::exchange(session.tell, {})({session.heeded, false, {}});
  }
  sessions_.clear();
  heeded_.notify_all();
}

}  // namespace forebay::meta
