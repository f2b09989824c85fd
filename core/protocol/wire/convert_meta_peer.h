// Between the structs of MetaPeerService and their messages.
#pragma once

#include "core/protocol/meta_peer_service.h"
#include "core/protocol/wire/meta_peer.pb.h"

namespace forebay::wire {

void encode(const ObjectPlaces& from, WhereReply& to);
ObjectPlaces decode(const WhereReply& from);
void encode(const forebay::OwnedObject& from, OwnedObject& to);
forebay::OwnedObject decode(const OwnedObject& from);
void encode(const forebay::RemoveStep& from, RemoveStep& to);
forebay::RemoveStep decode(const RemoveStep& from);
void encode(const forebay::LinkStep& from, LinkStep& to);
forebay::LinkStep decode(const LinkStep& from);
void encode(const forebay::RenameStep& from, RenameStep& to);
forebay::RenameStep decode(const RenameStep& from);

}  // namespace forebay::wire
