// LogHead: the first records of a chunk file's log, in an extended attribute of the chunk file. The extent log goes on
// where they end, in a file of its own.
//
// A file system keeps a small attribute within the inode, so most files never need that second file: an inode, a block
// and two changes of a directory less for each of them.
//
//   user.fb = checksum:u32 { record }
//   record  = type:u4 (16 as 0) count:u4 { length:u8 byte[length] }      the numbers up to the last that is not zero,
//   low byte
//                                                              first, without the high bytes that are zero
//
// A new, leased file takes about 60 bytes: ext4 has 68 for it in an inode of 256. The attribute is replaced as a whole,
// which a file system with a journal does entirely or not at all.
//
// Not thread safe.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "core/result.h"
#include "storage/record.h"

namespace forebay::storage {

class LogHead {
 public:
  // Hands every record of the attribute to `replay`; none if there is no attribute.
  // EIO: damaged, or written by a newer version. Errors of fgetxattr(2).
  Status read(int chunk_fd, const std::function<void(const Record&)>& replay);

  // Adds all records, or none: false if they must go elsewhere, because there is no room for them or the file system
  // has no attributes.
  bool append(int chunk_fd, std::span<const Record> records);
  // The same, instead of what is there.
  bool replace(int chunk_fd, std::span<const Record> records);

 private:
  bool store(int chunk_fd, std::string content);

  std::string content_;  // encoded records, as the attribute has them
};

}  // namespace forebay::storage
