// IOR-like: large transfers, to a file of each process or to one that all share.
//
//   write   creates the file if it is missing, and writes all transfers of this process
//   sync    fsync(2)
//   read    reads them; a word of each page is looked at
//   check   reads them; every word is looked at
//   remove  unlinks the file; of a shared one, the first process does
#pragma once

#include <vector>

#include "work.h"

namespace forebay::load {

enum class FileLayout {
  kOwn,        // a file for each process
  kSegmented,  // one file, in which each process has one piece
  kStrided,    // one file, in which the transfers of all processes take turns
};

struct DataOptions {
  FileLayout layout = FileLayout::kOwn;
  uint64_t transfer_bytes = 1 << 20;  // of one call; a multiple of a page
  uint64_t block_bytes = 64 << 20;    // of each process; a multiple of a transfer
  uint64_t seed = 1;
};

class DataWork final : public Work {
 public:
  DataWork(Place place, const DataOptions& options);

  bool knows(const std::string& phase) const override;
  Done run(const std::string& phase, uint64_t shift) override;

 private:
  std::string path_of(uint64_t rank) const;
  uint64_t offset_of(uint64_t rank, uint64_t transfer) const;
  uint64_t transfers() const { return options_.block_bytes / options_.transfer_bytes; }
  Done write();
  Done read(uint64_t rank, bool all);
  Done sync();
  Done remove(uint64_t rank);

  const Place place_;
  const DataOptions options_;
  std::vector<char> buffer_;
};

}  // namespace forebay::load
