// Store: what mgmtd must not forget (SQLite): the cluster's id, and which numbers were given to whom.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/database.h"
#include "core/protocol/types.h"

namespace forebay::mgmt {

class Store {
 public:
  enum class Kind { kMeta = 1, kTarget = 2 };
  struct Member {
    Kind kind = Kind::kTarget;
    std::string identity;
    uint32_t number = 0;
    std::string node;
    bool draining = false;
  };

  // Opens or makes the database. EIO with one line when it is corrupt or of another version.
  static Result<std::unique_ptr<Store>> open(const std::string& path);

  Result<std::vector<Member>> members();
  // On disk when it returns.
  Status put(const Member& member);
  Result<std::string> setting(const std::string& key);  // empty: it was never set
  Status put_setting(const std::string& key, const std::string& value);

 private:
  explicit Store(Database database) : database_(std::move(database)) {}

  Database database_;
};

}  // namespace forebay::mgmt
