// Between the structs of the services and their messages. What comes from the wire is not trusted: where a value could
// do harm that nobody behind checks, decoding fails with EPROTO; everything else is taken as it is.
#pragma once

#include <chrono>

#include "core/protocol/meta_service.h"
#include "core/protocol/storage_service.h"
#include "core/protocol/wire/meta.pb.h"
#include "core/protocol/wire/storage.pb.h"
#include "core/protocol/wire/types.pb.h"

namespace forebay::wire {

void encode(const FileTime& from, Time& to);
FileTime decode(const Time& from);
void encode(const forebay::Identity& from, Identity& to);
forebay::Identity decode(const Identity& from);
void encode(const forebay::Validator& from, Validator& to);
forebay::Validator decode(const Validator& from);
void encode(const forebay::Attributes& from, Attributes& to);
forebay::Attributes decode(const Attributes& from);
// Without its node, which the connection knows.
void encode(const forebay::Caller& from, Caller& to);
forebay::Caller decode(const Caller& from);
// Without its descriptor.
void encode(const forebay::ExternalRef& from, ExternalRef& to);
forebay::ExternalRef decode(const ExternalRef& from);
void encode(const forebay::Layout& from, Layout& to);
// EPROTO: no targets or no chunk size, which offsets are divided by.
Result<forebay::Layout> decode(const Layout& from);
void encode(const forebay::Error& from, Error& to);
forebay::Error decode(const Error& from);

// --- MetaService
void encode(const forebay::AttributesReply& from, AttributesReply& to);
forebay::AttributesReply decode(const AttributesReply& from);
void encode(const forebay::EntryReply& from, EntryReply& to);
forebay::EntryReply decode(const EntryReply& from);
void encode(const forebay::OpenReply& from, OpenReply& to);
Result<forebay::OpenReply> decode(const OpenReply& from);
void encode(const forebay::NamesReply& from, NamesReply& to);
Result<forebay::NamesReply> decode(const NamesReply& from);
void encode(const forebay::CreateReply& from, CreateReply& to);
Result<forebay::CreateReply> decode(const CreateReply& from);
void encode(const SetAttributes& from, SetattrRequest& to);
SetAttributes decode(const SetattrRequest& from);
void encode(const struct statvfs& from, StatfsReply& to);
struct statvfs decode(const StatfsReply& from);
void encode(const CacheState& from, CacheStateReply& to);
Result<CacheState> decode(const CacheStateReply& from);
void encode(const forebay::WorkProgress& from, WorkProgress& to);
forebay::WorkProgress decode(const WorkProgress& from);
void encode(const CacheStatus& from, CacheStatusReply& to);
CacheStatus decode(const CacheStatusReply& from);
// Without its owner's session, which the connection knows. What ranges there are the table of locks checks.
void encode(const forebay::LockRequest& from, LockRequest& to);
forebay::LockRequest decode(const LockRequest& from);
void encode(const forebay::HeldLock& from, HeldLock& to);
forebay::HeldLock decode(const HeldLock& from);
void encode(const forebay::AnswerNews& from, AnswerNews& to);
forebay::AnswerNews decode(const AnswerNews& from);
void encode(const LockNews& from, AwaitLocksReply& to);
// EPROTO: an answer to none of the `asked` waits.
Result<LockNews> decode(const AwaitLocksReply& from, size_t asked);

// --- StorageService. Requests go without their target, which is no part of the structs.
void encode(const forebay::ChunkState& from, ChunkState& to);
forebay::ChunkState decode(const ChunkState& from);
void encode(const forebay::CachingFileRequest& from, CachingFileRequest& to);
Result<forebay::CachingFileRequest> decode(const CachingFileRequest& from);
void encode(const forebay::SeekRequest& from, SeekRequest& to);
Result<forebay::SeekRequest> decode(const SeekRequest& from);
void encode(const forebay::FlushBeginRequest& from, FlushBeginRequest& to);
Result<forebay::FlushBeginRequest> decode(const FlushBeginRequest& from);
void encode(const forebay::FlushBeginReply& from, FlushBeginReply& to);
forebay::FlushBeginReply decode(const FlushBeginReply& from);
void encode(const forebay::FlushCommitRequest& from, FlushCommitRequest& to);
forebay::FlushCommitRequest decode(const FlushCommitRequest& from);
void encode(const forebay::FlushCommitReply& from, FlushCommitReply& to);
forebay::FlushCommitReply decode(const FlushCommitReply& from);
void encode(const forebay::LeaseRequest& from, LeaseRequest& to);
Result<forebay::LeaseRequest> decode(const LeaseRequest& from);
void encode(const forebay::SettleReply& from, SettleReply& to);
Result<forebay::SettleReply> decode(const SettleReply& from);
void encode(const forebay::SpaceReport& from, SpaceReport& to);
forebay::SpaceReport decode(const SpaceReport& from);

// A time to work or to wait: never negative, and never so long that adding it to a clock overflows.
uint64_t encode_limit(std::chrono::milliseconds limit);
std::chrono::milliseconds decode_limit(uint64_t milliseconds);

}  // namespace forebay::wire
