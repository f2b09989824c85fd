// Safeties that a test can take out, to prove that it would notice. The program links core/fault/none.cpp, where every
// answer is "no"; only the test binary `forebay-faulty` and the unit tests link core/fault/env.cpp, which listens to
// the environment variable FOREBAY_FAULTS (a comma-separated list of the names below).
#pragma once

namespace forebay {

enum class Fault {
  kSkipFlush,       // "skip-flush": a flush moves nothing and says it did
  kLoseDirtyBit,    // "lose-dirty-bit": the first write does not mark the inode dirty in the database
  kIgnoreFsync,     // "ignore-fsync": fsync returns without syncing
  kForgetPresence,  // "forget-presence": written extents are not logged in the extent map
  kSkipValidation,  // "skip-validation": a changed external file counts as unchanged
  kEvictDirty,      // "evict-dirty": the evictor takes dirty data for clean
  kIgnoreConflict,  // "ignore-conflict": a flush overwrites what the outside changed
  kTrustLeases,     // "trust-leases": who holds a write lease is taken to write nothing
  kLaterVersion,    // "later-version": speaks a later version of the protocol, and not this one
};

// Whether the safety is taken out. Thread safe, constant over the life of the process.
bool fault_armed(Fault fault);

}  // namespace forebay
