// What the methods of MetaDispatch have in common.
#pragma once

#include <climits>
#include <string_view>

#include "core/protocol/wire/convert.h"
#include "core/transport/serving.h"

namespace forebay::meta {

inline transport::Serving& serving_of(google::protobuf::RpcController* controller) {
  return *static_cast<transport::Serving*>(controller);
}

inline uint64_t session_of(const transport::Serving& serving) { return serving.peer().session; }

inline Caller caller_of(const wire::Caller& from, const transport::Serving& serving) {
  Caller caller = wire::decode(from);
  caller.node = serving.peer().node;
  return caller;
}

// False: the peer is no storage server, and was told so.
inline bool only_storage(transport::Serving& serving, std::string_view what) {
  const transport::Party& peer = serving.peer();
  if (peer.role == transport::Role::kStorage) return true;
  serving.fail({EPERM, fmt::format("{} is for storage servers; {} {} asked", what, role_name(peer.role), peer.node)});
  return false;
}

// False: it is not the name of a directory's entry, and the peer was told so. A kernel sends no others; openat(2) would
// take them for ways out of the directory.
inline bool is_name(transport::Serving& serving, std::string_view name) {
  constexpr std::string_view kNotInNames("/\0", 2);
  const bool too_long = name.size() >= PATH_MAX;
  if (!too_long && !name.empty() && name != "." && name != ".." && name.find_first_of(kNotInNames) == name.npos) {
    return true;
  }
  serving.fail({too_long ? ENAMETOOLONG : EINVAL, "not the name of a directory's entry"});
  return false;
}

// Encodes a reply that has a message of its own, or says why there is none.
template <typename Struct, typename Message>
void reply_with(transport::Serving& serving, const Result<Struct>& result, Message& reply) {
  if (!result) return serving.fail(result.error());
  encode(*result, reply);  // of forebay::wire, as the message
}

}  // namespace forebay::meta
