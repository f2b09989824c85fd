#include "core/protocol/wire/convert_meta_peer.h"

#include "core/protocol/wire/convert.h"

namespace forebay::wire {
namespace {

// With its node: it does not come over the caller's own connection.
void encode_request(const forebay::Requested& from, Requested& to) {
  encode(from.caller, *to.mutable_caller());
  to.set_node(from.caller.node);
  to.set_session(from.session);
}

forebay::Requested decode_request(const Requested& from) {
  forebay::Requested to{decode(from.caller()), from.session()};
  to.caller.node = from.node();
  return to;
}

}  // namespace

void encode(const ObjectPlaces& from, WhereReply& to) {
  to.set_id(from.id);
  encode(from.identity, *to.mutable_identity());
  to.set_type(from.type);
  to.set_transient(from.transient);
  to.set_changes(from.changes);
  for (const ObjectPlaces::Place& place : from.places) {
    Place& added = *to.add_places();
    added.set_parent(place.parent);
    added.set_name(place.name);
  }
}

ObjectPlaces decode(const WhereReply& from) {
  ObjectPlaces to{from.id(), decode(from.identity()), from.type(), from.transient(), {}, from.changes()};
  for (const Place& place : from.places()) to.places.push_back({place.parent(), place.name()});
  return to;
}

void encode(const forebay::OwnedObject& from, OwnedObject& to) {
  encode(from.identity, *to.mutable_identity());
  to.set_type(from.type);
  to.set_owner(from.owner);
}

forebay::OwnedObject decode(const OwnedObject& from) { return {decode(from.identity()), from.type(), from.owner()}; }

void encode(const forebay::RemoveStep& from, RemoveStep& to) {
  encode_request(from.by, *to.mutable_by());
  to.set_parent(from.parent);
  to.set_name(from.name);
  encode(from.identity, *to.mutable_identity());
  to.set_directory(from.directory);
}

forebay::RemoveStep decode(const RemoveStep& from) {
  return {decode_request(from.by()), from.parent(), from.name(), decode(from.identity()), from.directory()};
}

void encode(const forebay::LinkStep& from, LinkStep& to) {
  encode_request(from.by, *to.mutable_by());
  to.set_id(from.id);
  to.set_parent(from.parent);
  to.set_name(from.name);
}

forebay::LinkStep decode(const LinkStep& from) {
  return {decode_request(from.by()), from.id(), from.parent(), from.name()};
}

void encode(const forebay::RenameStep& from, RenameStep& to) {
  encode_request(from.by, *to.mutable_by());
  to.set_parent(from.parent);
  to.set_name(from.name);
  to.set_new_parent(from.new_parent);
  to.set_new_name(from.new_name);
  to.set_flags(from.flags);
  if (from.moved) encode(*from.moved, *to.mutable_moved());
  if (from.other) encode(*from.other, *to.mutable_other());
  to.set_at_objects(from.at_objects);
  to.mutable_route()->Assign(from.route.begin(), from.route.end());
}

forebay::RenameStep decode(const RenameStep& from) {
  forebay::RenameStep to;
  to.by = decode_request(from.by());
  to.parent = from.parent();
  to.name = from.name();
  to.new_parent = from.new_parent();
  to.new_name = from.new_name();
  to.flags = from.flags();
  if (from.has_moved()) to.moved = decode(from.moved());
  if (from.has_other()) to.other = decode(from.other());
  to.at_objects = from.at_objects();
  to.route.assign(from.route().begin(), from.route().end());
  return to;
}

}  // namespace forebay::wire
