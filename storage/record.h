// Record: one line of what is known of a chunk file. A state is the replay of all of them, in order (ChunkFile::apply).
#pragma once

#include <cstdint>

#include "core/layout.h"
#include "core/protocol/types.h"
#include "storage/extent_set.h"

namespace forebay::storage {

enum class RecordType : uint32_t {
  kReset = 1,      // version: nothing is present, the file is as outside
  kPresent = 2,    // begin, end: fetched
  kAbsent = 3,     // begin, end: dropped
  kDirty = 4,      // begin, end: present bytes that are about to change
  kWritten = 5,    // begin, end: written; present, dirty, and the file ends there at the earliest
  kSize = 6,       // size: truncated or extended
  kClean = 7,      // begin, end: flushed
  kFlushed = 8,    // version: a flush ended
  kVersion = 9,    // version: the outside was changed by us, but no data
  kExpect = 10,    // Expectation: the outside is about to be changed by us
  kIdentity = 11,  // the external object; whether it is transient
  kBase = 12,      // number: absent bytes up to here are the outside's again, after a flush
  kSynced = 13,    // data and log up to here are on disk
  kLeased = 14,    // mtime, size: from here on applications may write into the chunk file, which is like this
  kLeaseEnd = 15,  // nobody has, and nobody can any more
  kStripe = 16,    // which part of the file this is, and how far external content shows; right after a kReset
};

// What an own change outside will alter, if a crash cuts it short: attributes (and with them ctime), data, or mtime.
enum class Expectation : uint64_t { kNothing = 0, kAttributes = 1, kData = 2, kTimes = 3 };

struct Record {
  uint32_t checksum = 0;
  uint32_t type = 0;
  uint64_t value[5] = {};

  static Record of_range(RecordType type, Extent range);
  static Record of_version(RecordType type, const Validator& version);
  static Record of_number(RecordType type, uint64_t number);
  static Record of_identity(const Identity& identity, bool transient);
  static Record of_lease(FileTime mtime, uint64_t size);
  static Record of_stripe(const Stripe& stripe, uint64_t base);

  // Sets the checksum.
  void seal();
  bool is_intact() const;
  // Of a type that this version writes.
  bool is_known() const;

  RecordType kind() const { return static_cast<RecordType>(type); }
  Extent range() const { return {value[0], value[1]}; }
  Validator version() const;
  Identity identity() const;
  bool transient() const { return value[4] != 0; }
  FileTime lease_mtime() const;
  Stripe stripe() const;
  uint64_t stripe_base() const { return value[3]; }
  uint64_t lease_size() const { return value[2]; }
};
static_assert(sizeof(Record) == 48);

}  // namespace forebay::storage
