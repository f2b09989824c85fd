// Inodes, open files, the cache, and what storage servers ask for.
#include "core/protocol/remote_meta.h"

#include "core/protocol/remote_call.h"
#include "core/protocol/wire/convert.h"

namespace forebay {
namespace {

wire::InodeRequest request_of_inode(InodeId id) {
  wire::InodeRequest request;
  request.set_id(id);
  return request;
}

template <typename Request>
Request request_of_caller(const Caller& caller, InodeId id) {
  Request request;
  request.set_id(id);
  wire::encode(caller, *request.mutable_caller());
  return request;
}

}  // namespace

Result<AttributesReply> RemoteMeta::getattr(InodeId id) {
  if (const auto kept = changed_directories_.take(id)) return *kept;
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Getattr, request_of_inode(id)));
  return wire::decode(reply);
}

Result<AttributesReply> RemoteMeta::setattr(const Caller& caller, InodeId id, const SetAttributes& change) {
  auto request = request_of_caller<wire::SetattrRequest>(caller, id);
  wire::encode(change, request);
  changed_directories_.begin(id);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Setattr, request, transport::kLongLimit));
  return wire::decode(reply);
}

Result<std::string> RemoteMeta::getxattr(const Caller& caller, InodeId id, const std::string& name) {
  auto request = request_of_caller<wire::XattrRequest>(caller, id);
  request.set_name(name);
  ASSIGN_OR_RETURN(auto reply, ask<wire::Meta>(stub_, &wire::Meta::Getxattr, request));
  return std::move(*reply.mutable_value());
}

Result<std::string> RemoteMeta::listxattr(const Caller& caller, InodeId id) {
  const auto request = request_of_caller<wire::InodeOfCallerRequest>(caller, id);
  ASSIGN_OR_RETURN(auto reply, ask<wire::Meta>(stub_, &wire::Meta::Listxattr, request));
  return std::move(*reply.mutable_value());
}

Status RemoteMeta::setxattr(const Caller& caller, InodeId id, const std::string& name, std::string_view value,
                            int flags) {
  auto request = request_of_caller<wire::SetxattrRequest>(caller, id);
  request.set_name(name);
  request.set_value(value.data(), value.size());
  request.set_flags(flags);
  changed_directories_.begin(id);
  return tell<wire::Meta>(stub_, &wire::Meta::Setxattr, request);
}

Status RemoteMeta::removexattr(const Caller& caller, InodeId id, const std::string& name) {
  auto request = request_of_caller<wire::XattrRequest>(caller, id);
  request.set_name(name);
  changed_directories_.begin(id);
  return tell<wire::Meta>(stub_, &wire::Meta::Removexattr, request);
}

Result<struct statvfs> RemoteMeta::statfs(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Statfs, request_of_inode(id)));
  return wire::decode(reply);
}

// May fetch the whole file, or wait for room to change its size.
Result<OpenReply> RemoteMeta::open(const Caller& caller, InodeId id, int flags) {
  auto request = request_of_caller<wire::OpenRequest>(caller, id);
  request.set_flags(flags);
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Open, request, transport::kLongLimit));
  return wire::decode(reply);
}

void RemoteMeta::release(InodeId id, int flags) {
  const Released one{id, flags};
  release_many({&one, 1});
}

void RemoteMeta::release_many(std::span<const Released> all) {
  wire::ReleaseManyRequest request;
  for (const Released& each : all) {
    wire::Released& handle = *request.add_handles();
    handle.set_id(each.id);
    handle.set_flags(each.flags);
    handle.set_untold(!each.told);
  }
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::ReleaseMany, request), "release");
}

Status RemoteMeta::strip_privileges(const Caller& caller, InodeId id, bool set_id_bits) {
  auto request = request_of_caller<wire::StripPrivilegesRequest>(caller, id);
  request.set_set_id_bits(set_id_bits);
  return tell<wire::Meta>(stub_, &wire::Meta::StripPrivileges, request);
}

Status RemoteMeta::close(InodeId id) {
  return tell<wire::Meta>(stub_, &wire::Meta::Close, request_of_inode(id), transport::kLongLimit);
}

Status RemoteMeta::fsync(InodeId id) {
  return tell<wire::Meta>(stub_, &wire::Meta::Fsync, request_of_inode(id), transport::kLongLimit);
}

uint64_t RemoteMeta::flush_failures(InodeId id) {
  const auto reply = ask<wire::Meta>(stub_, &wire::Meta::FlushFailures, request_of_inode(id), transport::kShortLimit);
  return reply ? reply->count() : 0;
}

Error RemoteMeta::last_flush_error(InodeId id) {
  const auto reply = ask<wire::Meta>(stub_, &wire::Meta::LastFlushError, request_of_inode(id), transport::kShortLimit);
  return reply ? wire::decode(reply->error()) : reply.error();
}

Result<Layout> RemoteMeta::reopen(const Caller& caller, InodeId id, const HandleCounts& handles) {
  auto request = request_of_caller<wire::ReopenRequest>(caller, id);
  request.mutable_handles()->Assign(handles.begin(), handles.end());
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Reopen, request, transport::kLongLimit));
  return wire::decode(reply.layout());
}

Result<LayoutRule> RemoteMeta::layout_rule(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::GetLayoutRule, request_of_inode(id)));
  return LayoutRule{reply.count(), reply.chunk_size_bytes()};
}

Status RemoteMeta::set_layout_rule(InodeId id, const std::optional<LayoutRule>& rule) {
  wire::SetLayoutRuleRequest request;
  request.set_id(id);
  if (rule) {
    request.mutable_rule()->set_count(rule->count);
    request.mutable_rule()->set_chunk_size_bytes(rule->chunk_size_bytes);
  }
  return tell<wire::Meta>(stub_, &wire::Meta::SetLayoutRule, request);
}

Result<CacheState> RemoteMeta::cache_state(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::GetCacheState, request_of_inode(id)));
  return wire::decode(reply);
}

template <typename Method>
Result<WorkProgress> RemoteMeta::work(Method method, InodeId id, bool first, std::chrono::milliseconds limit) {
  wire::WorkRequest request;
  request.set_id(id);
  request.set_first(first);
  request.set_limit_ms(wire::encode_limit(limit));
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, method, request, transport::kLongLimit));
  return wire::decode(reply);
}

Result<WorkProgress> RemoteMeta::flush(InodeId id, bool first, std::chrono::milliseconds limit) {
  return work(&wire::Meta::Flush, id, first, limit);
}

Result<WorkProgress> RemoteMeta::prefetch(InodeId id, std::chrono::milliseconds limit) {
  return work(&wire::Meta::Prefetch, id, false, limit);
}

Result<WorkProgress> RemoteMeta::evict(InodeId id, bool first, std::chrono::milliseconds limit) {
  return work(&wire::Meta::Evict, id, first, limit);
}

Status RemoteMeta::pin(InodeId id, bool pinned) {
  wire::PinRequest request;
  request.set_id(id);
  request.set_pinned(pinned);
  return tell<wire::Meta>(stub_, &wire::Meta::Pin, request);
}

CacheStatus RemoteMeta::status() {
  const auto reply =
      ask<wire::Meta>(stub_, &wire::Meta::GetCacheStatus, wire::CacheStatusRequest(), transport::kStatusLimit);
  if (reply) return wire::decode(*reply);
  CacheStatus unknown;
  unknown.silent_servers = 1;
  return unknown;
}

Status RemoteMeta::mark_dirty(InodeId id, bool leased) {
  wire::MarkDirtyRequest request;
  request.set_id(id);
  request.set_leased(leased);
  return tell<wire::Meta>(stub_, &wire::Meta::MarkDirty, request);
}

void RemoteMeta::data_changed(InodeId id) {
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::DataChanged, request_of_inode(id)), "data_changed");
}

void RemoteMeta::lease_settled(InodeId id) {
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::LeaseSettled, request_of_inode(id)), "lease_settled");
}

Status RemoteMeta::after_write(InodeId id) {
  return tell<wire::Meta>(stub_, &wire::Meta::AfterWrite, request_of_inode(id), transport::kLongLimit);
}

Result<Validator> RemoteMeta::revalidate(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Revalidate, request_of_inode(id)));
  return wire::decode(reply.version());
}

void RemoteMeta::copy_replaced(InodeId id) {
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::CopyReplaced, request_of_inode(id)), "copy_replaced");
}

Result<ExternalRef> RemoteMeta::locate(InodeId id) {
  ASSIGN_OR_RETURN(const auto reply, ask<wire::Meta>(stub_, &wire::Meta::Locate, request_of_inode(id)));
  return wire::decode(reply.source());
}

void RemoteMeta::report_complete(InodeId id) {
  log_untold(tell<wire::Meta>(stub_, &wire::Meta::ReportComplete, request_of_inode(id)), "report_complete");
}

Status RemoteMeta::make_room(TargetId target, uint64_t bytes) {
  wire::MakeRoomRequest request;
  request.set_target(target);
  request.set_bytes(bytes);
  return tell<wire::Meta>(stub_, &wire::Meta::MakeRoom, request, transport::kLongLimit);
}

Status RemoteMeta::await_news(uint64_t, const AwaitNews& await, TellNews tell) {
  wire::AwaitNewsRequest message;
  message.set_heeded(await.heeded);
  message.set_heeds_names(await.heeds_names);
  const auto reply = ask<wire::Meta>(stub_, &wire::Meta::AwaitNews, message);
  if (!reply) {
    changed_directories_.forget_all();
    return Failure(reply.error());
  }
  const AnswerNews news = wire::decode(*reply);
  changed_directories_.forget(news.inodes);
  tell(news);
  return {};
}

}  // namespace forebay
