// Names and directories.
#include <google/protobuf/arena.h>

#include <algorithm>

#include "core/protocol/remote_call.h"
#include "core/protocol/remote_meta.h"
#include "core/protocol/wire/convert.h"

namespace forebay {
namespace {

constexpr uint32_t kLeastListed = 16, kMostListed = 1000;
constexpr uint32_t kMostListingBytes = 256 << 10;

template <typename Request = wire::NameRequest>
Request request_of_name(const Caller& caller, InodeId parent, std::string_view name) {
  Request request;
  request.set_parent(parent);
  request.set_name(name.data(), name.size());
  wire::encode(caller, *request.mutable_caller());
  return request;
}

template <typename Request>
Result<EntryReply> ask_for_entry(wire::Meta& stub, RemoteMethod<wire::Meta, Request, wire::EntryReply> method,
                                 const Request& request) {
  ASSIGN_OR_RETURN(const auto reply, ask(stub, method, request));
  return wire::decode(reply);
}

// A name is made.
template <typename Request>
Result<EntryReply> make_entry(wire::Meta& stub, ChangedDirectories& directories,
                              RemoteMethod<wire::Meta, Request, wire::EntryReply> method, InodeId parent,
                              const Request& request) {
  const auto change = directories.begin(parent);
  ASSIGN_OR_RETURN(const auto reply, ask(stub, method, request));
  directories.end(change, wire::decode(reply.directory()));
  return wire::decode(reply);
}

wire::DirectoryRequest request_of_directory(uint64_t handle) {
  wire::DirectoryRequest request;
  request.set_handle(handle);
  return request;
}

// False: the sink is full.
bool hand_over(const wire::ReaddirEntry& from, const DirectorySink& sink) {
  DirectoryEntry entry;
  entry.name = from.name();
  entry.inode_number = from.inode_number();
  entry.type = from.type();
  entry.next = from.next();
  EntryReply attributes;
  if (from.has_entry()) {
    attributes = wire::decode(from.entry());
    entry.entry = &attributes;
  }
  return sink(entry);
}

}  // namespace

Result<EntryReply> RemoteMeta::lookup(const Caller& caller, InodeId parent, std::string_view name) {
  return ask_for_entry(stub_, &wire::Meta::Lookup, request_of_name(caller, parent, name));
}

Result<NamesReply> RemoteMeta::all_names(InodeId directory) {
  wire::InodeRequest request;
  request.set_id(directory);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::AllNames, request));
  return wire::decode(reply);
}

Result<EntryReply> RemoteMeta::enter(InodeId parent, std::string_view name, const Identity& identity) {
  wire::EnterRequest request;
  request.set_parent(parent);
  request.set_name(name.data(), name.size());
  wire::encode(identity, *request.mutable_identity());
  return ask_for_entry(stub_, &wire::Meta::Enter, request);
}

void RemoteMeta::forget(InodeId id, uint64_t count) {
  const Forgotten one{id, count};
  forget_many({&one, 1});
}

void RemoteMeta::forget_many(std::span<const Forgotten> all) {
  wire::ForgetManyRequest request;
  for (const Forgotten& each : all) {
    wire::Forgotten& forgotten = *request.add_inodes();
    forgotten.set_id(each.id);
    forgotten.set_count(each.count);
  }
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::ForgetMany, request, transport::kLongLimit), "forget");
}

Result<EntryReply> RemoteMeta::mknod(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                     uint64_t device) {
  auto request = request_of_name<wire::MknodRequest>(caller, parent, name);
  request.set_mode(mode);
  request.set_device(device);
  return make_entry(stub_, changed_directories_, &wire::Meta::Mknod, parent, request);
}

Result<EntryReply> RemoteMeta::mkdir(const Caller& caller, InodeId parent, std::string_view name, mode_t mode) {
  auto request = request_of_name<wire::MkdirRequest>(caller, parent, name);
  request.set_mode(mode);
  return make_entry(stub_, changed_directories_, &wire::Meta::Mkdir, parent, request);
}

Result<EntryReply> RemoteMeta::symlink(const Caller& caller, InodeId parent, std::string_view name,
                                       const std::string& target) {
  auto request = request_of_name<wire::SymlinkRequest>(caller, parent, name);
  request.set_target(target);
  return make_entry(stub_, changed_directories_, &wire::Meta::Symlink, parent, request);
}

Result<EntryReply> RemoteMeta::link(const Caller& caller, InodeId id, InodeId new_parent, std::string_view new_name) {
  wire::LinkRequest request;
  request.set_id(id);
  wire::encode(caller, *request.mutable_caller());
  request.set_new_parent(new_parent);
  request.set_new_name(new_name.data(), new_name.size());
  return make_entry(stub_, changed_directories_, &wire::Meta::Link, new_parent, request);
}

Status RemoteMeta::remove(RemoteMethod<wire::Meta, wire::NameRequest, wire::RemovedReply> method, const Caller& caller,
                          InodeId parent, std::string_view name) {
  const auto change = changed_directories_.begin(parent);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, method, request_of_name(caller, parent, name)));
  changed_directories_.end(change, wire::decode(reply.directory()));
  return {};
}

Status RemoteMeta::unlink(const Caller& caller, InodeId parent, std::string_view name) {
  return remove(&wire::Meta::Unlink, caller, parent, name);
}

Status RemoteMeta::rmdir(const Caller& caller, InodeId parent, std::string_view name) {
  return remove(&wire::Meta::Rmdir, caller, parent, name);
}

Status RemoteMeta::rename(const Caller& caller, InodeId parent, std::string_view name, InodeId new_parent,
                          std::string_view new_name, unsigned flags) {
  auto request = request_of_name<wire::RenameRequest>(caller, parent, name);
  request.set_new_parent(new_parent);
  request.set_new_name(new_name.data(), new_name.size());
  request.set_flags(flags);
  return tell<wire::Meta>(stub_, &wire::Meta::Rename, request);
}

Result<std::string> RemoteMeta::readlink(const Caller& caller, InodeId id) {
  wire::InodeOfCallerRequest request;
  request.set_id(id);
  wire::encode(caller, *request.mutable_caller());
  ASSIGN_OR_RETURN(auto reply, ask<wire::Meta>(stub_, &wire::Meta::Readlink, request));
  return std::move(*reply.mutable_value());
}

Result<CreateReply> RemoteMeta::create(const Caller& caller, InodeId parent, std::string_view name, mode_t mode,
                                       int flags) {
  auto request = request_of_name<wire::CreateRequest>(caller, parent, name);
  request.set_mode(mode);
  request.set_flags(flags);
  const auto change = changed_directories_.begin(parent);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Create, request, transport::kLongLimit));
  changed_directories_.end(change, wire::decode(reply.entry().directory()));
  return wire::decode(reply);
}

Result<CreateReply> RemoteMeta::tmpfile(const Caller& caller, InodeId parent, mode_t mode, int flags) {
  wire::TmpfileRequest request;
  request.set_parent(parent);
  wire::encode(caller, *request.mutable_caller());
  request.set_mode(mode);
  request.set_flags(flags);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Tmpfile, request, transport::kLongLimit));
  return wire::decode(reply);
}

Result<OpenDirectoryReply> RemoteMeta::opendir(const Caller& caller, InodeId id) {
  wire::InodeOfCallerRequest request;
  request.set_id(id);
  wire::encode(caller, *request.mutable_caller());
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Opendir, request));
  return OpenDirectoryReply{reply.handle(), reply.keep_listing()};
}

// One request for each of the reader's: he comes again for the rest.
Status RemoteMeta::readdir(uint64_t handle, uint64_t cookie, bool with_attributes, const DirectorySink& sink) {
  std::atomic<uint32_t>& room = with_attributes ? room_with_attributes_ : room_;
  const uint32_t wanted = room;
  wire::ReaddirRequest request;
  request.set_handle(handle);
  request.set_cookie(cookie);
  request.set_with_attributes(with_attributes);
  request.set_most_entries(wanted);
  request.set_most_bytes(kMostListingBytes);
  google::protobuf::Arena arena;  // of many small parts
  auto& reply = *google::protobuf::Arena::CreateMessage<wire::ReaddirReply>(&arena);
  transport::Call call(transport::kUsualLimit);
  stub_.Readdir(&call, &request, &reply, nullptr);
  RETURN_IF_ERROR(call.status);
  if (reply.entries().empty() && !reply.end()) return fail(EPROTO, "a listing that does not go on");
  for (int i = 0; i < reply.entries_size(); ++i) {
    if (hand_over(reply.entries(i), sink)) continue;
    forget_rest(reply, i);
    room = std::max(static_cast<uint32_t>(i), kLeastListed);
    return {};
  }
  if (!reply.end()) room = std::min(wanted * 2, kMostListed);
  return {};
}

void RemoteMeta::forget_rest(const wire::ReaddirReply& listing, int first) {
  wire::ForgetManyRequest request;
  for (int i = first; i < listing.entries_size(); ++i) {
    if (!listing.entries(i).has_entry()) continue;
    wire::Forgotten& forgotten = *request.add_inodes();
    forgotten.set_id(listing.entries(i).entry().id());
    forgotten.set_count(1);
  }
  if (!request.inodes().empty()) log_untold(tell<wire::Meta>(stub_, &wire::Meta::ForgetMany, request), "forget");
}

Status RemoteMeta::fsyncdir(uint64_t handle) {
  return tell<wire::Meta>(stub_, &wire::Meta::Fsyncdir, request_of_directory(handle), transport::kLongLimit);
}

void RemoteMeta::releasedir(uint64_t handle) {
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::Releasedir, request_of_directory(handle)), "releasedir");
}

}  // namespace forebay
