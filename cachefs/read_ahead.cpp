#include "cachefs/read_ahead.h"

#include <algorithm>

namespace forebay::cachefs {

ReadAhead::ReadAhead(MetaService& meta, StorageService& storage)
    : meta_(meta), storage_(storage), work_([](const std::shared_ptr<Piece>& piece) { piece->read(); }, kMostBuffers) {}

void ReadAhead::start() {
  std::call_once(started_, [this] { work_.start(kThreads); });
}

// --- leases

std::shared_ptr<ReadAhead::Lease> ReadAhead::enter(InodeId id) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Lease>& lease = leases_[id];
  if (lease == nullptr) lease = std::make_shared<Lease>();
  ++lease->readers;
  return lease;
}

void ReadAhead::leave(InodeId id) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(id);
  if (--found->second->readers == 0) leases_.erase(found);
}

void ReadAhead::revoke(InodeId id) {
  std::shared_ptr<Lease> lease;
  {
    const std::lock_guard lock(mutex_);
    const auto found = leases_.find(id);
    if (found == leases_.end()) return;
    lease = found->second;
  }
  const std::lock_guard lock(lease->mutex);
  ++lease->epoch;
  lease->until = {};
}

void ReadAhead::revoke_all() {
  std::vector<InodeId> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, lease] : leases_) ids.push_back(id);
  }
  for (const InodeId id : ids) revoke(id);
}

bool ReadAhead::stands(Lease& lease, uint64_t epoch) {
  const std::lock_guard lock(lease.mutex);
  return lease.epoch == epoch && Clock::now() < lease.until;
}

std::optional<ReadAhead::Standing> ReadAhead::standing(InodeId id, Lease& lease) {
  std::unique_lock lock(lease.mutex);
  const auto now = Clock::now();
  // Before it ends, so that what is under way goes on counting.
  const bool soon_over = now + kLongestLease / 2 >= lease.until;
  if (soon_over && now - lease.asked_at >= kLongestLease / 4) renew(id, lease, lock);
  if (Clock::now() >= lease.until) return {};
  return Standing{lease.epoch, lease.attributes.size};
}

// The lease counts from the question on. News that came meanwhile is of after the answer.
void ReadAhead::renew(InodeId id, Lease& lease, std::unique_lock<std::mutex>& lock) {
  const uint64_t epoch = lease.epoch;
  const auto asked_at = lease.asked_at = Clock::now();
  lock.unlock();
  const Result<AttributesReply> reply = meta_.getattr(id);
  lock.lock();
  if (!reply || lease.epoch != epoch || reply->valid_for <= std::chrono::milliseconds::zero()) return;
  // If there was a moment without it, somebody may have written, unless the file says that nobody has.
  const Attributes &now = reply->attributes, &then = lease.attributes;
  const bool same = now.size == then.size && now.mtime == then.mtime && now.ctime == then.ctime;
  if (!same) ++lease.epoch;
  lease.until = asked_at + std::min<std::chrono::milliseconds>(reply->valid_for, kLongestLease);
  lease.attributes = now;
}

// --- pieces

ReadAhead::Buffer ReadAhead::take_buffer() {
  const std::lock_guard lock(buffers_mutex_);
  if (!spare_.empty()) {
    Buffer buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  if (buffers_ == kMostBuffers) return nullptr;
  ++buffers_;
  return std::make_unique_for_overwrite<char[]>(kPieceBytes);
}

void ReadAhead::give_back(Buffer buffer) {
  constexpr size_t kMostSpare = 2 * kMostPieces;
  const std::lock_guard lock(buffers_mutex_);
  if (spare_.size() < kMostSpare) return spare_.push_back(std::move(buffer));
  --buffers_;
}

void ReadAhead::Piece::read() {
  {
    const std::lock_guard lock(mutex);
    if (state != State::kWaiting) return;
    state = State::kReading;
  }
  const auto began = Clock::now();
  const Result<size_t> got = ahead.storage_.read(id, offset, {buffer.get(), bytes});
  slow = Clock::now() - began > kSlow;
  {
    const std::lock_guard lock(mutex);
    state = got && *got == bytes ? State::kRead : State::kFailed;
  }
  done.notify_all();
}

bool ReadAhead::Piece::await() {
  read();
  std::unique_lock lock(mutex);
  done.wait(lock, [this] { return state == State::kRead || state == State::kFailed; });
  return state == State::kRead;
}

// --- a reader

ReadAhead::Reader::Reader(ReadAhead& ahead, InodeId id) : ahead_(ahead), id_(id), lease_(ahead.enter(id)) {}

ReadAhead::Reader::~Reader() { ahead_.leave(id_); }

bool ReadAhead::Reader::read(uint64_t offset, size_t bytes, const HandOver& hand_over) {
  constexpr uint64_t kLeastRun = 2;
  std::unique_lock lock(mutex_);
  run_ = offset == next_ ? run_ + 1 : 0;
  next_ = offset + bytes;
  const std::optional<Standing> lease = run_ >= kLeastRun ? ahead_.standing(id_, *lease_) : std::nullopt;
  if (!lease) {
    pieces_.clear();
    window_ = 1;
    resume_ = 0;
    return false;
  }
  const uint64_t end = std::min(next_, lease->size);
  while (!pieces_.empty() && (pieces_.front()->end() <= offset || pieces_.front()->epoch != lease->epoch)) {
    window_ = std::min(window_ * 2, kMostPieces);
    if (pieces_.front()->slow) {
      window_ = 1;
      resume_ = run_ + kPause;
    }
    pieces_.pop_front();
  }
  fetch_on(*lease);
  const std::vector<std::shared_ptr<Piece>> pieces = pieces_of(offset, end);
  lock.unlock();  // the next read may come before this one is wholly answered
  if (pieces.empty() || !std::ranges::all_of(pieces, [](const auto& piece) { return piece->await(); })) return false;
  if (!ahead_.stands(*lease_, lease->epoch)) return false;
  std::vector<iovec> data;
  for (const auto& piece : pieces) {
    const uint64_t from = std::max(piece->offset, offset), to = std::min(piece->end(), end);
    data.push_back({piece->buffer.get() + (from - piece->offset), static_cast<size_t>(to - from)});
  }
  hand_over(data);
  return true;
}

void ReadAhead::Reader::fetch_on(const Standing& lease) {
  if (run_ < resume_) return;
  ahead_.start();
  uint64_t from = pieces_.empty() ? next_ : pieces_.back()->end();
  while (pieces_.size() < window_ && from < lease.size) {
    Buffer buffer = ahead_.take_buffer();
    if (buffer == nullptr) break;
    const size_t bytes = std::min<uint64_t>(kPieceBytes, lease.size - from);
    pieces_.push_back(std::make_shared<Piece>(ahead_, id_, from, bytes, lease.epoch, std::move(buffer)));
    ahead_.work_.push(pieces_.back());
    from += bytes;
  }
}

// Those that have the bytes of [offset, end); none if some are in no piece.
std::vector<std::shared_ptr<ReadAhead::Piece>> ReadAhead::Reader::pieces_of(uint64_t offset, uint64_t end) const {
  std::vector<std::shared_ptr<Piece>> found;
  if (end <= offset || pieces_.empty() || pieces_.front()->offset > offset || pieces_.back()->end() < end) return found;
  for (const auto& piece : pieces_) {
    if (piece->offset < end) found.push_back(piece);
  }
  return found;
}

}  // namespace forebay::cachefs
