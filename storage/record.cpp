#include "storage/record.h"

#include <xxhash.h>

#include <cstddef>

namespace forebay::storage {
namespace {

uint32_t checksum_of(const Record& record) {
  constexpr XXH32_hash_t kSeed = 0x464f5245;  // a log of zeros must not pass
  return XXH32(&record.type, sizeof(Record) - offsetof(Record, type), kSeed);
}

Record make(RecordType type) {
  Record record;
  record.type = static_cast<uint32_t>(type);
  return record;
}

Record sealed(Record record) {
  record.seal();
  return record;
}

uint64_t pack(int32_t high, int32_t low) {
  return static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 | static_cast<uint32_t>(low);
}

}  // namespace

void Record::seal() { checksum = checksum_of(*this); }

bool Record::is_intact() const { return checksum == checksum_of(*this); }

bool Record::is_known() const {
  return type >= static_cast<uint32_t>(RecordType::kReset) && type <= static_cast<uint32_t>(RecordType::kStripe);
}

Record Record::of_range(RecordType type, Extent range) {
  Record record = make(type);
  record.value[0] = range.begin;
  record.value[1] = range.end;
  return sealed(record);
}

Record Record::of_version(RecordType type, const Validator& version) {
  Record record = make(type);
  record.value[0] = static_cast<uint64_t>(version.mtime.seconds);
  record.value[1] = static_cast<uint64_t>(version.ctime.seconds);
  record.value[2] = pack(version.mtime.nanoseconds, version.ctime.nanoseconds);
  record.value[3] = version.size;
  record.value[4] = version.inode;
  return sealed(record);
}

Record Record::of_number(RecordType type, uint64_t number) {
  Record record = make(type);
  record.value[0] = number;
  return sealed(record);
}

Record Record::of_identity(const Identity& identity, bool transient) {
  Record record = make(RecordType::kIdentity);
  record.value[0] = identity.device;
  record.value[1] = identity.inode;
  record.value[2] = static_cast<uint64_t>(identity.birth.seconds);
  record.value[3] = static_cast<uint64_t>(identity.birth.nanoseconds);
  record.value[4] = transient ? 1 : 0;
  return sealed(record);
}

Record Record::of_lease(FileTime mtime, uint64_t size) {
  Record record = make(RecordType::kLeased);
  record.value[0] = static_cast<uint64_t>(mtime.seconds);
  record.value[1] = static_cast<uint64_t>(mtime.nanoseconds);
  record.value[2] = size;
  return sealed(record);
}

Record Record::of_stripe(const Stripe& stripe, uint64_t base) {
  Record record = make(RecordType::kStripe);
  record.value[0] = stripe.chunk_bytes;
  record.value[1] = stripe.count;
  record.value[2] = stripe.index;
  record.value[3] = base;
  return sealed(record);
}

Stripe Record::stripe() const { return {value[0], static_cast<uint32_t>(value[1]), static_cast<uint32_t>(value[2])}; }

FileTime Record::lease_mtime() const { return {static_cast<int64_t>(value[0]), static_cast<int32_t>(value[1])}; }

Validator Record::version() const {
  const auto mtime_ns = static_cast<int32_t>(value[2] >> 32);
  const auto ctime_ns = static_cast<int32_t>(value[2] & 0xffffffff);
  return {{static_cast<int64_t>(value[0]), mtime_ns}, {static_cast<int64_t>(value[1]), ctime_ns}, value[3], value[4]};
}

Identity Record::identity() const {
  return {value[0], value[1], {static_cast<int64_t>(value[2]), static_cast<int32_t>(value[3])}};
}

}  // namespace forebay::storage
