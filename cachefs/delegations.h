// Delegations: files that may be opened for reading without asking their metadata server.
//
// An open waits for the metadata server, which asks a storage server, and then for the lease of the chunk file. But
// most files that are opened were looked at a moment ago. So with attributes that may be kept (AnswerLeases) of a file
// that is all here comes its layout, and for as long as they may be kept it is opened by asking for the lease alone:
//
//   a delegation ends by   news of the inode (AnswerNewsReader): somebody opens it for writing, changes or removes it,
//   or
//                          the outside did; its time; the end of the connection
//   the target says no     if the file is not all there any more: then it is opened as usual
//   while it is open       the target drops none of it, because of the lease; TellQueue tells the metadata server of a
//                          handle that lives on
//
// Thread safe.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/protocol/meta_service.h"

namespace forebay::cachefs {

class Delegations {
  using Clock = std::chrono::steady_clock;

 public:
  // Of somebody who is about to ask for attributes: the time counts from here on, and news that comes before the reply
  // may be younger than that.
  class Question {
   public:
    explicit Question(const Delegations& all) : news_(all.news_), asked_at_(Clock::now()) {}

   private:
    friend class Delegations;
    const uint64_t news_;
    const Clock::time_point asked_at_;
  };
  // The reply: it counts instead of what was said before, also where it delegates nothing.
  template <typename Reply>
  void take(const Question& question, InodeId id, const Reply& reply) {
    reply.delegated ? add(question, id, {*reply.delegated, reply.attributes.size == 0}, reply.valid_for) : end(id);
  }

  struct Delegation {
    Layout layout;
    bool is_empty = false;  // there is no chunk file to be leased
  };
  // Nothing: the metadata server must be asked.
  std::optional<Delegation> find(InodeId id);

  // This client writes, which is no news to it.
  void written(InodeId id);
  void revoke(InodeId id);
  void revoke_all();

 private:
  struct Entry {
    Delegation delegation;
    Clock::time_point until;
  };
  using Generation = std::unordered_map<InodeId, Entry>;
  // A metadata server that starts anew knows of none: one whose machine went down takes longer than this.
  static constexpr std::chrono::milliseconds kLongest{2000};
  // When so many are known, those that were known before them are forgotten.
  static constexpr size_t kMostOfGeneration = 8192;

  void end(InodeId id);
  void add(const Question& question, InodeId id, Delegation delegation, std::chrono::milliseconds valid_for);
  // Null: there is none. The caller holds mutex_.
  Entry* find_entry(InodeId id);

  std::atomic<uint64_t> news_{0};  // revocations until now
  std::mutex mutex_;
  Generation young_, old_;
};

}  // namespace forebay::cachefs
