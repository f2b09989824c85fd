#include "core/database.h"

#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace forebay {
namespace {

constexpr char kPairs[] = "CREATE TABLE IF NOT EXISTS pair(key INTEGER PRIMARY KEY, value TEXT NOT NULL)";

class DatabaseTest : public testing::Test {
 protected:
  Database open() { return Database::open("test database", path_, kPairs).value(); }
  static Status put(Database& database, int64_t key, std::string_view value) {
    ASSIGN_OR_RETURN(Statement insert, database.prepare("INSERT INTO pair VALUES(?,?)"));
    insert << key << value;
    return database.run(insert);
  }
  static std::string all(Database& database) {
    Statement select = database.prepare("SELECT key, value FROM pair ORDER BY key").value();
    std::string text;
    while (database.next(select).value()) text += fmt::format("{}={} ", select.number(0), select.text(1));
    return text;
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "pairs.db";
};

TEST_F(DatabaseTest, WhatWasPutIsThereWhenItIsOpenedAgain) {
  {
    Database database = open();
    ASSERT_TRUE(put(database, 1, "one"));
    ASSERT_TRUE(put(database, -2, ""));
  }
  Database database = open();
  EXPECT_EQ(all(database), "-2= 1=one ");
}

TEST_F(DatabaseTest, AStatementRunsAgainWithOtherValuesAlsoAfterAFailure) {
  Database database = open();
  Statement insert = database.prepare("INSERT INTO pair VALUES(?,?)").value();
  const auto put_x = [&](int64_t key) {
    insert << key << "x";
    return database.run(insert).has_value();
  };
  EXPECT_TRUE(put_x(1));
  EXPECT_FALSE(put_x(1)) << "it is there";
  EXPECT_TRUE(put_x(2));
  EXPECT_EQ(all(database), "1=x 2=x ");
}

TEST_F(DatabaseTest, ATransactionThatFailsChangesNothing) {
  Database database = open();
  ASSERT_TRUE(put(database, 1, "one"));
  const Status changed = database.transaction([&]() -> Status {
    RETURN_IF_ERROR(put(database, 2, "two"));
    return put(database, 1, "again");
  });
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, EIO);
  EXPECT_EQ(all(database), "1=one ");
  EXPECT_TRUE(database.transaction([&] { return put(database, 2, "two"); }));
  EXPECT_EQ(all(database), "1=one 2=two ");
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsNamed) {
  test::write_file(path_, std::string(5000, 'x'));
  const auto opened = Database::open("test database", path_, kPairs);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EIO);
  EXPECT_NE(opened.error().context.find("test database " + path_ + ": "), std::string::npos) << opened.error().context;
}

}  // namespace
}  // namespace forebay
