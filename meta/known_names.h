// KnownNames: which names the directories have where files are made one after the other.
//
// Before a file is made the kernel asks for its name, and the answer "there is none" costs a round trip to the outside,
// as much as the making itself. So after some files the directory is listed, once for as many looks as that saves, and
// then the listing and our own changes answer for as long as any other answer counts (attr_ttl).
//
//   not answered for            because
//   names that begin with "."   snapshots, .lustre and their like are in no listing
//   other than A-Z a-z 0-9      what is the same name, or one at all, is the file system's matter; the case of letters
//   ._-+=,@%~, long names       does not count here, for the same reason
//   directories not made into   automounters and their like make names when they are looked for
//
// A name that is removed stays until the next listing: then the outside is asked. Thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/name_filter.h"
#include "core/protocol/types.h"

namespace forebay::meta {

class KnownNames {
 public:
  // `ttl`: for how long a listing answers; zero: never.
  explicit KnownNames(std::chrono::milliseconds ttl) : ttl_(ttl) {}

  // Whether `directory` has no such name. Lists the directory, of which `fd` is a descriptor (O_PATH is enough), when
  // that pays. `*valid_for`: for how long the answer counts.
  bool lacks(InodeId directory, int fd, std::string_view name, std::chrono::milliseconds* valid_for);

  // The same for a client that keeps all names of it itself. Nothing: they are not known, or it does not pay.
  std::optional<NameFilter> all(InodeId directory, int fd, std::chrono::milliseconds* valid_for);

  // A name was made by us. Call it before anybody hears of it.
  void made(InodeId directory, std::string_view name);
  // Somebody else has listed a part of the directory, and was not told yet: it may show a name that is not known here.
  void listed(InodeId directory);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  static constexpr uint64_t kFirstWorth = 16;

  struct Directory {
    uint64_t made = 0;             // since the last listing
    uint64_t worth = kFirstWorth;  // a listing is, when so many were made
    SteadyTime listed_at{};        // zero: it was not, or has too many names
    size_t count = 0;              // of names; roughly
    NameFilter names;
    bool listing = false;  // under way
  };

  // Null: there is no listing that answers. The caller holds mutex_ by `lock`.
  const Directory* listed_now(std::unique_lock<std::mutex>& lock, InodeId directory, int fd,
                              std::chrono::milliseconds* valid_for);
  // The caller holds mutex_.
  bool is_fresh(const Directory& directory) const;
  void note(Directory& known, std::string_view name);
  void make_room();

  const std::chrono::milliseconds ttl_;
  std::mutex mutex_;
  std::unordered_map<InodeId, Directory> directories_;
};

}  // namespace forebay::meta
