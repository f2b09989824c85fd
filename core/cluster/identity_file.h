// IdentityFile: who a data directory is, written in it: a number of its own from the beginning, and the cluster and the
// number there as soon as mgmtd gave them. So a directory that was moved is known again, and one of another cluster is
// refused.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "core/unique_fd.h"

namespace forebay {

class IdentityFile {
 public:
  // Makes the directory if it is not there, and reads or makes DIRECTORY/identity.json, which is locked as long as this
  // lives. EBUSY: another process has it; EIO: it is damaged; errors of the file system, with the path.
  static Result<IdentityFile> take(const std::string& directory);

  const std::string& identity() const { return identity_; }
  const std::string& cluster() const { return cluster_; }  // empty: none yet
  uint32_t number() const { return number_; }
  // On disk when it returns. EXDEV: it has joined another cluster before.
  Status join(const std::string& cluster, uint32_t number);

 private:
  Status write() const;

  std::string path_;
  UniqueFd lock_;
  std::string identity_;
  std::string cluster_;
  uint32_t number_ = 0;
};

}  // namespace forebay
