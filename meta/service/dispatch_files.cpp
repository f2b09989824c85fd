// Attributes and open files; and what is given back when a client is gone.
#include "core/log.h"
#include "meta/service/dispatch_tools.h"
#include "meta/service/meta_dispatch.h"

namespace forebay::meta {

void MetaDispatch::session_ended(const transport::Party& client) {
  service_.end_session(client.session);
  const ClientSessions::Holdings held = sessions_.end(client.session);
  if (held.empty()) return;
  log(Module::kMeta)
      .info("{} {} is gone: {} open files, {} open directories and {} inodes are given back", role_name(client.role),
            client.node, held.opens.size(), held.directories.size(), held.lookups.size());
  for (const auto& [open, count] : held.opens) {
    for (uint64_t i = 0; i < count; ++i) service_.release(open.first, open.second);
  }
  for (const uint64_t handle : held.directories) service_.releasedir(handle);
  for (const auto& [id, count] : held.lookups) service_.forget(id, count);
}

void MetaDispatch::Getattr(Controller* controller, const wire::InodeRequest* request, wire::AttributesReply* reply,
                           Closure*) {
  reply_with(serving_of(controller), service_.getattr(request->id()), *reply);
}

void MetaDispatch::Setattr(Controller* controller, const wire::SetattrRequest* request, wire::AttributesReply* reply,
                           Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Caller caller = caller_of(request->caller(), serving);
  reply_with(serving, service_.setattr(caller, request->id(), wire::decode(*request)), *reply);
}

void MetaDispatch::Getxattr(Controller* controller, const wire::XattrRequest* request, wire::BytesReply* reply,
                            Closure*) {
  transport::Serving& serving = serving_of(controller);
  auto value = service_.getxattr(caller_of(request->caller(), serving), request->id(), request->name());
  if (!value) return serving.fail(value.error());
  reply->set_value(*std::move(value));
}

void MetaDispatch::Listxattr(Controller* controller, const wire::InodeOfCallerRequest* request, wire::BytesReply* reply,
                             Closure*) {
  transport::Serving& serving = serving_of(controller);
  auto names = service_.listxattr(caller_of(request->caller(), serving), request->id());
  if (!names) return serving.fail(names.error());
  reply->set_value(*std::move(names));
}

void MetaDispatch::Setxattr(Controller* controller, const wire::SetxattrRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Caller caller = caller_of(request->caller(), serving);
  serving.take(service_.setxattr(caller, request->id(), request->name(), request->value(), request->flags()));
}

void MetaDispatch::Removexattr(Controller* controller, const wire::XattrRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  serving.take(service_.removexattr(caller_of(request->caller(), serving), request->id(), request->name()));
}

void MetaDispatch::Statfs(Controller* controller, const wire::InodeRequest* request, wire::StatfsReply* reply,
                          Closure*) {
  reply_with(serving_of(controller), service_.statfs(request->id()), *reply);
}

void MetaDispatch::Open(Controller* controller, const wire::OpenRequest* request, wire::OpenReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  const auto opened = service_.open(caller_of(request->caller(), serving), request->id(), request->flags());
  if (opened) sessions_.opened(session_of(serving), request->id(), request->flags());
  reply_with(serving, opened, *reply);
}

void MetaDispatch::reply_created(transport::Serving& serving, const Result<CreateReply>& made, int flags,
                                 wire::CreateReply& reply) {
  if (made && !made->elsewhere) {
    sessions_.looked_up(session_of(serving), made->id);
    sessions_.opened(session_of(serving), made->id, flags);
  }
  reply_with(serving, made, reply);
}

void MetaDispatch::Create(Controller* controller, const wire::CreateRequest* request, wire::CreateReply* reply,
                          Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Caller caller = caller_of(request->caller(), serving);
  const auto made = service_.create(caller, request->parent(), request->name(), request->mode(), request->flags());
  reply_created(serving, made, request->flags(), *reply);
  if (made) add_directory(request->parent(), *reply->mutable_entry()->mutable_directory());
}

void MetaDispatch::Tmpfile(Controller* controller, const wire::TmpfileRequest* request, wire::CreateReply* reply,
                           Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Caller caller = caller_of(request->caller(), serving);
  const auto made = service_.tmpfile(caller, request->parent(), request->mode(), request->flags());
  reply_created(serving, made, request->flags(), *reply);
}

void MetaDispatch::ReleaseMany(Controller* controller, const wire::ReleaseManyRequest* request, wire::Done*, Closure*) {
  const uint64_t session = session_of(serving_of(controller));
  std::vector<Released> released;
  for (const wire::Released& handle : request->handles()) {
    const bool counts = handle.untold() || sessions_.released(session, handle.id(), handle.flags());
    if (counts) released.push_back({handle.id(), handle.flags(), !handle.untold()});
  }
  service_.release_many(released);
}

void MetaDispatch::StripPrivileges(Controller* controller, const wire::StripPrivilegesRequest* request, wire::Done*,
                                   Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Caller caller = caller_of(request->caller(), serving);
  serving.take(service_.strip_privileges(caller, request->id(), request->set_id_bits()));
}

void MetaDispatch::Close(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  serving_of(controller).take(service_.close(request->id()));
}

void MetaDispatch::Fsync(Controller* controller, const wire::InodeRequest* request, wire::Done*, Closure*) {
  serving_of(controller).take(service_.fsync(request->id()));
}

void MetaDispatch::FlushFailures(Controller*, const wire::InodeRequest* request, wire::FlushFailuresReply* reply,
                                 Closure*) {
  reply->set_count(service_.flush_failures(request->id()));
}

void MetaDispatch::LastFlushError(Controller*, const wire::InodeRequest* request, wire::LastFlushErrorReply* reply,
                                  Closure*) {
  wire::encode(service_.last_flush_error(request->id()), *reply->mutable_error());
}

void MetaDispatch::Reopen(Controller* controller, const wire::ReopenRequest* request, wire::ReopenReply* reply,
                          Closure*) {
  transport::Serving& serving = serving_of(controller);
  const Caller caller = caller_of(request->caller(), serving);
  HandleCounts handles{};
  std::copy_n(request->handles().begin(), std::min<size_t>(request->handles_size(), handles.size()), handles.begin());
  const auto opened = open_again(caller, session_of(serving), request->id(), handles);
  if (!opened) return serving.fail(opened.error());
  // With an open its targets know it as well.
  const Result<Layout> layout = *opened ? Result<Layout>(**opened) : service_.reopen(caller, request->id(), handles);
  if (!layout) return serving.fail(layout.error());
  wire::encode(*layout, *reply->mutable_layout());
}

// This server was started anew, or took the client for gone because it was cut off. What it had open is open again from
// now on: it was allowed to then, and what was cut off (O_TRUNC) is.
Result<std::optional<Layout>> MetaDispatch::open_again(const Caller& caller, uint64_t session, InodeId id,
                                                       const HandleCounts& handles) {
  constexpr uint64_t kMost = 65'536;
  const std::lock_guard lock(open_again_mutexes_[id % kShards]);
  std::optional<Layout> layout;
  const HandleCounts known = sessions_.handles(session, id);
  for (size_t mode = 0; mode < handles.size(); ++mode) {
    if (handles[mode] > kMost) return fail(EINVAL, "inode {}: {} handles", id, handles[mode]);
    for (uint64_t handle = known[mode]; handle < handles[mode]; ++handle) {
      ASSIGN_OR_RETURN(const OpenReply opened, service_.open(caller, id, static_cast<int>(mode)));
      sessions_.opened(session, id, static_cast<int>(mode));
      layout = opened.layout;
    }
  }
  return layout;
}

void MetaDispatch::GetLayoutRule(Controller* controller, const wire::InodeRequest* request, wire::LayoutRule* reply,
                                 Closure*) {
  const Result<LayoutRule> rule = service_.layout_rule(request->id());
  if (!rule) return serving_of(controller).fail(rule.error());
  reply->set_count(rule->count);
  reply->set_chunk_size_bytes(rule->chunk_size_bytes);
}

void MetaDispatch::SetLayoutRule(Controller* controller, const wire::SetLayoutRuleRequest* request, wire::Done*,
                                 Closure*) {
  std::optional<LayoutRule> rule;
  if (request->has_rule()) rule = {request->rule().count(), request->rule().chunk_size_bytes()};
  serving_of(controller).take(service_.set_layout_rule(request->id(), rule));
}

}  // namespace forebay::meta
