#include "core/cluster/callback_router.h"

namespace forebay {

Status CallbackRouter::mark_dirty(InodeId id, bool leased) {
  ASSIGN_OR_RETURN(const auto owner, peers_.meta(owner_of(id)));
  return owner->mark_dirty(id, leased);
}

void CallbackRouter::data_changed(InodeId id) {
  if (const auto owner = peers_.meta(owner_of(id)); owner) (*owner)->data_changed(id);
}

void CallbackRouter::lease_settled(InodeId id) {
  if (const auto owner = peers_.meta(owner_of(id)); owner) (*owner)->lease_settled(id);
}

Status CallbackRouter::after_write(InodeId id) {
  ASSIGN_OR_RETURN(const auto owner, peers_.meta(owner_of(id)));
  return owner->after_write(id);
}

Result<Validator> CallbackRouter::revalidate(InodeId id) {
  ASSIGN_OR_RETURN(const auto owner, peers_.meta(owner_of(id)));
  return owner->revalidate(id);
}

void CallbackRouter::copy_replaced(InodeId id) {
  if (const auto owner = peers_.meta(owner_of(id)); owner) (*owner)->copy_replaced(id);
}

Result<ExternalRef> CallbackRouter::locate(InodeId id) {
  ASSIGN_OR_RETURN(const auto owner, peers_.meta(owner_of(id)));
  return owner->locate(id);
}

void CallbackRouter::report_complete(InodeId id) {
  if (const auto owner = peers_.meta(owner_of(id)); owner) (*owner)->report_complete(id);
}

Status CallbackRouter::make_room(TargetId target, uint64_t bytes) {
  Status last = fail(ENXIO, "there is no metadata server");
  for (const ServerInfo& server : membership_.cluster()->servers) {
    if (server.role != ServerInfo::Role::kMeta) continue;
    const auto meta = peers_.meta(server.number);
    last = meta ? (*meta)->make_room(target, bytes) : Status(Failure(meta.error()));
    if (last && bytes > 0) return last;
  }
  return last;
}

}  // namespace forebay
