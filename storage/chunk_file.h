// ChunkFile: all chunks of one file on one target, and what is known about them.
//
// What the bytes of a file are, from the extent sets:
//
//   offset in ...                              the byte is
//   [0, base) and not present                  the external file's: missing here, to be fetched
//   [0, base) and present                      in the chunk file
//   [base, size)                               in the chunk file (a hole there reads as zero)
//   dirty or flushing                          newer than the external file's
//
// Offsets and sizes are local ones: of a striped file, the bytes of the other targets' chunks do not count (Stripe,
// core/layout.h). The version is that of the whole file.
//
// base is how far the external content still shows: its size, or less after a truncation. So extending a file costs
// nothing, and a truncated and extended file never shows old bytes again.
//
// Order on disk, so that a kill at any moment keeps every acknowledged write:
//   a write to present clean bytes   log kDirty, then the data, then kWritten
//   a write to other bytes           the data, then kWritten (until then the old external bytes count)
//   a fetch                          the data, then kPresent
//   a drop                           kAbsent, then the hole
//   a flush                          kExpect, external data, external sync, then kClean and kFlushed
//   a write lease                    kLeased; while it stands, another mtime means that every byte may be newer
// After a power cut only records before the last sync count for what was added (see apply()).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/protocol/storage_service.h"
#include "core/unique_fd.h"
#include "storage/block_sums.h"
#include "storage/extent_log.h"
#include "storage/extent_set.h"
#include "storage/log_head.h"
#include "storage/space_account.h"

namespace forebay::storage {

// The external file while bytes are missing here.
struct Source {
  UniqueFd fd;
  size_t block_size = 0;  // st_blksize
  bool sparse = true;     // may have holes
  // When it was last seen to be of the version that is fetched, and whether after all chunks that came.
  std::atomic<std::chrono::steady_clock::time_point> checked{std::chrono::steady_clock::now()};
  std::atomic<bool> all_checked{true};
};

class ChunkFile {
 public:
  // `path` is without its ending: the data is in PATH.chunk, its log there in an attribute and in PATH.map.
  ChunkFile(InodeId id, std::string path, SpaceAccount& space, bool after_power_cut);
  ~ChunkFile();

  // Reads the log, if there is a chunk file. Call once, before anything else.
  Status load();

  InodeId id() const { return id_; }

  // Guards everything below up to "fetch": shared to read data and state, exclusive to change them.
  std::shared_mutex mutex;

  // --- state
  bool exists() const { return static_cast<bool>(fd_); }
  // Which part of the file this is. It changes while there is no chunk file alone, and the size of chunks of a file on
  // one target: may be read without the lock between caching_file() and close_file().
  const Stripe& stripe() const { return stripe_; }
  int fd() const { return fd_.get(); }
  uint64_t size() const { return size_; }
  uint64_t base() const { return base_; }
  const Validator& version() const { return version_; }
  const ExtentSet& dirty_extents() const { return dirty_; }
  bool transient() const { return transient_; }
  // Whether all of it is dirty, or being flushed.
  bool is_newer(Extent range) const {
    return dirty_.contains(range.begin, range.end) || flushing_.contains(range.begin, range.end);
  }
  Expectation expectation() const { return expectation_; }
  // Whether an own change, under way or cut short by a crash, may have made the external file what it is `now`.
  bool explains(const Validator& now) const;
  bool dirty() const;
  bool complete() const;
  // Missing parts of [begin, end).
  std::vector<Extent> missing(uint64_t begin, uint64_t end) const;
  // The first missing byte at or behind `offset`; false when none is.
  bool next_missing(uint64_t offset, Extent* extent) const;
  ChunkState state() const;

  // --- changes; the caller holds `mutex` exclusively. Errors of the cache file system.
  // What is written is newer than outside for ever, and not counted as dirty: nobody waits for its flush.
  void set_transient(bool transient) { transient_ = transient; }
  // Before reset(). EIO: the chunk file is another part.
  Status set_stripe(const Stripe& stripe);
  // The file is as outside, in `version`, and nothing is present. Makes no chunk file.
  Status reset(const Validator& version);
  // Makes the chunk file if there is none.
  Status create(const Identity& identity);
  Status add_present(Extent range, const char* data);
  // Brackets a change of [begin, end): see "Order on disk".
  Status before_change(Extent range);
  Status after_change(Extent range);
  Status set_size(uint64_t size);
  // Drops up to `bytes` of clean present bytes from the front, as holes. Returns how many.
  Result<uint64_t> punch_clean(uint64_t bytes);
  // Removes chunk file and log; the state is reset to `version`.
  Status remove(const Validator& version);
  Status set_version(const Validator& version);
  Status expect(Expectation expectation);
  Status set_mtime(FileTime mtime);
  // A change of the file that leaves all bytes and the size as they were: its mtime is now.
  Status touch();
  // An application has just changed the file.
  void note_change();
  // Data and log are on disk.
  Status sync();

  // --- a flush; the caller holds `mutex` exclusively.
  struct FlushPlan {
    std::vector<Extent> extents;
    uint64_t base = 0;  // truncate the external file to this first, if it is longer
    uint64_t size = 0;  // and then set its size
    uint64_t external_size = 0;
    bool compare = false;  // bytes outside the extents may be newer, too
    bool shared = false;   // applications may be writing
  };
  FlushPlan begin_flush();
  Status commit_flush(const Validator& version);
  void abort_flush();
  bool flushing() const { return flush_running_; }

  // --- leases (storage/chunk_file_lease.cpp); the caller holds `mutex` exclusively.
  // Counts one more holder; with `writes` one that may write, with `direct` past the page cache. The chunk file exists,
  // and is complete or lent already.
  Status begin_lease(bool writes, bool direct);
  void end_lease();
  bool lent() const { return leases_ > 0; }
  // Looks whether somebody wrote. Before anything that depends on size, times or dirtiness.
  Status notice();
  // Not dirty, and only an announced write can make it so.
  bool clean() const { return !dirty() && !may_be_written_ && writers_pending == 0; }
  // Something was written through a lease, and which bytes is not known.
  bool suspect() const { return suspect_ || flush_compares_; }
  // Whether a write lease is out, or what is left of one. May be asked without the lock.
  bool may_be_written() const { return may_be_written_; }
  // Somebody else has the chunk file open or mapped: no byte may be taken out of it.
  bool in_use() const;
  // Nobody can write any more: takes note of it, and of what was written last.
  Status settle();
  // True once after a change through a lease: the metadata server must hear of it.
  bool take_report();
  BlockSums sums;

  // Until a change that was noticed is reported to the metadata server, nobody else takes it for reported. Before
  // `mutex`.
  std::mutex report_mutex;

  // --- opens, writers on their way through mark_dirty(), and fetches, guarded by `fetch_mutex` (taken alone, or
  // before `mutex`, never after it).
  std::mutex fetch_mutex;
  std::condition_variable fetched;  // a chunk left `in_flight`, or a read `waiting_reads`
  std::set<uint64_t> in_flight;     // chunk numbers
  std::multiset<std::chrono::steady_clock::time_point> waiting_reads;  // for the outside, since then
  std::shared_ptr<Source> source;                                      // while bytes are missing
  Identity identity;
  std::atomic<int> opens{0};   // changed with the lock alone
  int restarts = 0;            // fetches begun again because the outside changed
  uint64_t read_position = 0;  // where the last reader was
  uint64_t window = 0;         // bytes of adaptive read-ahead
  bool queued = false;         // in the fetcher's queue
  bool reads_on(uint64_t offset) const {
    return offset >= read_position && offset - read_position <= 2 * stripe_.chunk_bytes;
  }

  // --- guarded by `mutex`
  FileTime changed_at;           // the file's ctime: when an application changed it last
  bool dirty_known = false;      // the metadata server knows that the file is dirty
  bool lease_announced = false;  // or that it may be, under a lease; other writes are announced all the same
  int writers_pending = 0;       // between mark_dirty() and their write
  bool complete_reported = false;
  // Of the file: behind what was given to those who append. Of a part that is as outside as well (reset()): who was
  // given a place may not have written yet.
  uint64_t reserved_end = 0;
  std::shared_ptr<const UniqueFd> flush_fd;  // the external file, from flush_begin() to flush_commit()
  bool flush_moves = false;                  // in flush_move()
  FlushPlan flush_plan;

 private:
  // --- storage/chunk_file_lease.cpp
  bool alone() const;
  bool may_be_in_flight() const;
  Record lease_record(bool suspect) const;
  void recover_lease(FileTime mtime, uint64_t on_disk);

  // --- storage/chunk_file_log.cpp
  void apply(const Record& record, bool trusted);
  // `synced`: all of it is on disk.
  std::vector<Record> snapshot(bool synced) const;
  // From here on records go into a file.
  Status open_log();
  // Instead of all records until now: the state, which is on disk.
  Status write_log_anew();
  size_t extents() const { return present_.count() + dirty_.count() + flushing_.count(); }
  // The same for a clean file, of which nothing needs to be on disk. Where it is short enough, and for its size alone.
  void shorten_log();

  Status log(std::span<const Record> records);
  Status log(const Record& record) { return log(std::span(&record, 1)); }

  // --- storage/chunk_file.cpp
  // As the account of space counts them.
  uint64_t bytes_to_flush() const { return transient_ ? 0 : newer_bytes(); }
  // Bytes that are newer than outside, each counted once.
  uint64_t newer_bytes() const;
  uint64_t used_bytes() const;
  uint64_t external_bytes() const { return stripe_.local_below(version_.size); }
  // Books the change of allocated and dirty bytes since the last call.
  void account();
  Status extend(uint64_t size);
  Result<FileTime> mtime_on_disk() const;
  Result<uint64_t> size_on_disk() const;
  Status replace_by_hole(Extent range);

  const InodeId id_;
  const std::string path_;
  SpaceAccount& space_;
  const bool after_power_cut_;

  UniqueFd fd_;
  LogHead head_;
  ExtentLog log_;  // open if the head was not enough
  ExtentSet present_, dirty_, flushing_;
  Stripe stripe_;
  uint64_t size_ = 0, base_ = 0;
  Validator version_;
  Expectation expectation_ = Expectation::kNothing;
  // Changed since the last flush, though perhaps no byte is other than outside (truncated to the size it had): the
  // mtime is.
  bool changed_ = false;
  bool flush_running_ = false;
  bool flush_newer_ = false;  // and there was something to flush in this part
  uint64_t flush_low_ = 0;    // smallest size since the flush began
  bool flush_compares_ = false;
  bool directory_synced_ = false;

  int leases_ = 0;
  bool ever_leased_ = false;
  std::atomic<bool> may_be_written_{false};
  FileTime noticed_mtime_;       // of the chunk file at the last look
  bool suspect_ = false;         // was written through a lease since the last flush began
  bool change_reported_ = true;  // nothing to report
  bool written_direct_ = false;  // by holders that use O_DIRECT
  bool lease_in_log_ = false;    // and its end is not
  uint64_t leased_size_ = 0;     // as the log has it
  bool transient_ = false;
  bool stale_ = false;  // bytes that are not present are no zeros
  uint64_t booked_used_ = 0, booked_dirty_ = 0;
};

}  // namespace forebay::storage
