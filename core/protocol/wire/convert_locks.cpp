#include <algorithm>

#include "core/protocol/wire/convert.h"

namespace forebay::wire {

void encode(const forebay::LockRequest& from, LockRequest& to) {
  to.set_id(from.id);
  to.set_space(static_cast<uint32_t>(from.space));
  to.set_owner(from.owner.number);
  to.set_begin(from.begin);
  to.set_end(from.end);
  to.set_exclusive(from.exclusive);
  to.set_pid(from.pid);
}

forebay::LockRequest decode(const LockRequest& from) {
  forebay::LockRequest to;
  to.id = from.id();
  // One that is too large for a space's number must not become another one.
  to.space = static_cast<LockSpace>(std::min<uint32_t>(from.space(), UINT8_MAX));
  to.owner.number = from.owner();
  to.begin = from.begin();
  to.end = from.end();
  to.exclusive = from.exclusive();
  to.pid = from.pid();
  return to;
}

void encode(const forebay::HeldLock& from, HeldLock& to) {
  to.set_begin(from.begin);
  to.set_end(from.end);
  to.set_exclusive(from.exclusive);
  to.set_pid(from.pid);
}

forebay::HeldLock decode(const HeldLock& from) { return {from.begin(), from.end(), from.exclusive(), from.pid()}; }

void encode(const LockNews& from, AwaitLocksReply& to) {
  for (const forebay::LockAnswer& answer : from.answers) {
    LockAnswer& added = *to.add_answers();
    added.set_wait(static_cast<uint32_t>(answer.wait));
    added.set_code(answer.code);
  }
  to.set_ended(from.ended);
}

Result<LockNews> decode(const AwaitLocksReply& from, size_t asked) {
  LockNews to;
  for (const LockAnswer& answer : from.answers()) {
    if (answer.wait() >= asked) return fail(EPROTO, "an answer about lock {} of {}", answer.wait(), asked);
    to.answers.push_back({answer.wait(), answer.code()});
  }
  to.ended = from.ended();
  return to;
}

}  // namespace forebay::wire
