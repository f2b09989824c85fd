// AbsentNames: which names the directories do not have in which programs of this client make files.
//
// Before a file is made the kernel asks for its name, and the answer "there is none" is a request to the metadata
// server, half as long as the making itself. So after some files the client asks once for all names that the directory
// has (MetaService::all_names), and answers itself for as long as it may. The names that it makes meanwhile it adds.
//
//   that ends by   its time; news that another client has changed names (AnswerNewsReader); the loss of the server
//   a reply        counts only if nothing has ended in between, and every name that was made since it was asked for is
//                  added to what it says
//
// Thread safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/name_filter.h"
#include "core/protocol/meta_service.h"

namespace forebay::cachefs {

class AbsentNames {
 public:
  using Ask = std::function<Result<NamesReply>(InodeId directory)>;
  explicit AbsentNames(Ask ask) : ask_(std::move(ask)) {}

  // For how long it may be used that the directory has no such name. Nothing: the metadata server must be asked. May
  // ask it for all names.
  std::optional<std::chrono::milliseconds> lacks(InodeId directory, std::string_view name);
  // A program of this client may have made the name. Before it hears of that.
  void made(InodeId directory, std::string_view name);
  // Names of some directory were changed by others.
  void forget_all();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr uint64_t kFirstWorth = 16, kMostWorth = 4096;
  static constexpr size_t kMostDirectories = 64;

  struct Names {
    NameFilter listed;
    NameFilter own;  // since the question
  };
  struct Directory {
    uint64_t made = 0;             // since it was asked for last
    uint64_t worth = kFirstWorth;  // to ask is, when so many were made
    uint64_t question = 0;         // number of the last one
    bool asking = false;
    std::unique_ptr<Names> names;  // from the first question on
    Clock::time_point until{};     // they count
  };

  // Asks for all names of a directory that is known here. The caller holds mutex_ by `lock`.
  void ask(std::unique_lock<std::mutex>& lock, InodeId directory);

  const Ask ask_;
  std::mutex mutex_;
  uint64_t questions_ = 0;
  std::unordered_map<InodeId, Directory> directories_;
};

}  // namespace forebay::cachefs
