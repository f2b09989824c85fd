// Store: what mgmtd must not forget (SQLite): the cluster's id, and which numbers were given to whom.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <vector>

#include "core/protocol/types.h"
#include "core/result.h"

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
  Store() = default;
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  Result<Statement> prepare(const char* sql);
  Status run(const Statement& statement);
  Status error() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace forebay::mgmt
