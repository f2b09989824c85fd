#include "meta/store.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/temp_dir.h"

namespace forebay::meta {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  // A new process; what was not committed by then is the destructor's business, so tests commit.
  void reopen() {
    store_.reset();
    Result<std::unique_ptr<Store>> opened = Store::open(path_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }
  InodeRow row(InodeId id) {
    InodeRow row;
    row.id = id;
    row.identity = {0, 1000 + id, {5, static_cast<int32_t>(id)}};
    row.mode = 0100644;
    return row;
  }
  void put(const InodeRow& row) { ASSERT_TRUE(store_->put_inode(row)); }
  bool known(InodeId id) {
    InodeRow found;
    return store_->find_by_id(id, &found).value();
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "meta.db";
  std::unique_ptr<Store> store_;
};

void expect_same(const InodeRow& found, const InodeRow& expected) {
  EXPECT_EQ(found.id, expected.id);
  EXPECT_EQ(found.identity, expected.identity);
  EXPECT_EQ(found.mode, expected.mode);
  EXPECT_EQ(found.cached, expected.cached);
  EXPECT_EQ(found.dirty, expected.dirty);
  EXPECT_EQ(found.pinned, expected.pinned);
  EXPECT_EQ(found.has_data, expected.has_data);
  EXPECT_EQ(found.mtime0, expected.mtime0);
  EXPECT_EQ(found.shown_ctime, expected.shown_ctime);
  EXPECT_EQ(found.last_access, expected.last_access);
}

TEST_F(StoreTest, RowsComeBackAsTheyWere) {
  InodeRow extreme = row(2);
  extreme.identity = {1ull << 63 | 5, UINT64_MAX, {-1'000'000'000'000, 999'999'999}};
  extreme.cached = extreme.pinned = true;
  extreme.mtime0 = {{-7, 1}, {1ll << 40, 2}, 1ull << 62, UINT64_MAX};
  extreme.shown_ctime = {123, 456};
  extreme.last_access = 1ull << 50;
  InodeRow plain = row(3);
  plain.dirty = plain.has_data = true;
  plain.mtime0.inode = plain.identity.inode;
  put(extreme);
  put(plain);
  ASSERT_TRUE(store_->commit());
  reopen();
  InodeRow found;
  ASSERT_TRUE(store_->find_by_id(2, &found).value());
  expect_same(found, extreme);
  ASSERT_TRUE(store_->find_by_id(3, &found).value());
  expect_same(found, plain);
  EXPECT_FALSE(known(4));
}

TEST_F(StoreTest, PuttingARowAgainReplacesIt) {
  put(row(2));
  InodeRow changed = row(2);
  changed.dirty = true;
  put(changed);
  InodeRow found;
  ASSERT_TRUE(store_->find_by_id(2, &found).value());
  EXPECT_TRUE(found.dirty);
}

TEST_F(StoreTest, ObjectsAreFoundByEveryPartOfTheirIdentity) {
  put(row(2));
  InodeRow found;
  ASSERT_TRUE(store_->find_by_identity(row(2).identity, &found).value());
  EXPECT_EQ(found.id, 2u);
  Identity other = row(2).identity;
  other.birth.nanoseconds += 1;  // the number is used again by another object
  EXPECT_FALSE(store_->find_by_identity(other, &found).value());
  other = row(2).identity;
  other.device = 9;
  EXPECT_FALSE(store_->find_by_identity(other, &found).value());
}

TEST_F(StoreTest, NamesAreBytes) {
  put(row(2));
  const std::string names[] = {"plain", "\xff\xfe\x01 not UTF-8", std::string(255, '\x80'), "with\nnewline", "'; DROP"};
  for (const std::string& name : names) ASSERT_TRUE(store_->put_name(1, name, 2));
  ASSERT_TRUE(store_->commit());
  reopen();
  std::set<std::string> found;
  const std::vector<DentryRow> rows = store_->names_of(2).value();
  for (const DentryRow& dentry : rows) {
    EXPECT_EQ(dentry.parent, 1u);
    found.insert(dentry.name);
  }
  EXPECT_EQ(found, std::set<std::string>(std::begin(names), std::end(names)));
}

// A dirty file whose name another one has now needs it all the same: it is kept beside that one.
TEST_F(StoreTest, AnObjectKeepsTheNameThatAnotherOneHasTaken) {
  put(row(2));
  put(row(3));
  ASSERT_TRUE(store_->put_name(1, "a", 2));
  ASSERT_TRUE(store_->put_name(1, "a", 3));
  EXPECT_EQ(store_->names_of(2).value().size(), 1u);
  EXPECT_EQ(store_->names_of(3).value().size(), 1u);
  // Who takes a name away says whose: another's stays.
  ASSERT_TRUE(store_->delete_name(1, "a", 2));
  EXPECT_TRUE(store_->names_of(2).value().empty());
  EXPECT_EQ(store_->names_of(3).value().size(), 1u);
  ASSERT_TRUE(store_->delete_name(1, "a", 3));
  EXPECT_TRUE(store_->names_of(3).value().empty());
}

TEST_F(StoreTest, IntentsLastUntilTheyAreDeleted) {
  put(row(2));
  ASSERT_TRUE(store_->put_intent(0, "", 2));
  ASSERT_TRUE(store_->put_intent(7, "\xff", 2));
  ASSERT_TRUE(store_->put_intent(7, "\xff", 2));
  ASSERT_TRUE(store_->commit());
  reopen();
  EXPECT_EQ(store_->intents_of(2).value().size(), 2u);
  EXPECT_TRUE(store_->intents_of(3).value().empty());
  ASSERT_TRUE(store_->delete_intents(2));
  EXPECT_TRUE(store_->intents_of(2).value().empty());
}

TEST_F(StoreTest, DeletingAnObjectTakesItsNamesAndIntents) {
  put(row(2));
  ASSERT_TRUE(store_->put_name(1, "a", 2));
  ASSERT_TRUE(store_->put_intent(0, "", 2));
  ASSERT_TRUE(store_->delete_inode(2));
  EXPECT_FALSE(known(2));
  EXPECT_TRUE(store_->names_of(2).value().empty());
  EXPECT_TRUE(store_->intents_of(2).value().empty());
}

TEST_F(StoreTest, FilesAreVisitedLeastRecentlyUsedFirst) {
  for (const auto& [id, access] : {std::pair{2, 30}, {3, 10}, {4, 20}, {5, 5}}) {
    InodeRow file = row(static_cast<InodeId>(id));
    file.has_data = id != 5;  // 5 is a directory: nothing of it is here
    file.last_access = static_cast<uint64_t>(access);
    put(file);
  }
  InodeRow pinned = row(6);
  pinned.pinned = true;
  pinned.last_access = 1;
  put(pinned);
  std::vector<InodeId> visited;
  const auto files = store_->files();
  ASSERT_TRUE(files);
  for (const FileRow& file : *files) visited.push_back(file.id);
  EXPECT_EQ(visited, (std::vector<InodeId>{6, 3, 4, 2}));
}

TEST_F(StoreTest, DirectoriesAboveNothingArePruned) {
  // 1 / 2 / 3 / file 4; 1 / 5 / 6 with nothing below; 7 above an object that a rename may have brought there.
  for (const InodeId id : {1, 2, 3, 5, 6, 7}) put(row(id));
  InodeRow file = row(4);
  file.has_data = true;
  put(file);
  ASSERT_TRUE(store_->put_name(1, "2", 2));
  ASSERT_TRUE(store_->put_name(2, "3", 3));
  ASSERT_TRUE(store_->put_name(3, "4", 4));
  ASSERT_TRUE(store_->put_name(1, "5", 5));
  ASSERT_TRUE(store_->put_name(5, "6", 6));
  ASSERT_TRUE(store_->put_intent(7, "4", 4));
  ASSERT_TRUE(store_->prune_directories());
  ASSERT_TRUE(store_->commit());
  for (const InodeId id : {1, 2, 3, 4, 7}) EXPECT_TRUE(known(id)) << id;
  for (const InodeId id : {5, 6}) EXPECT_FALSE(known(id)) << id;
}

TEST_F(StoreTest, ACommitSurvivesTheProcess) {
  put(row(2));
  ASSERT_TRUE(store_->commit());
  // What a kill leaves is what the files hold now.
  const test::TempDir killed;
  for (const char* file : {"meta.db", "meta.db-wal"}) test::write_file(killed / file, test::read_file(dir_ / file));
  InodeRow found;
  EXPECT_TRUE(Store::open(killed / "meta.db").value()->find_by_id(2, &found).value());
}

TEST_F(StoreTest, SyncCommitsToo) {
  put(row(2));
  ASSERT_TRUE(store_->sync());
  const test::TempDir killed;
  for (const char* file : {"meta.db", "meta.db-wal"}) test::write_file(killed / file, test::read_file(dir_ / file));
  InodeRow found;
  EXPECT_TRUE(Store::open(killed / "meta.db").value()->find_by_id(2, &found).value());
  EXPECT_TRUE(store_->sync()) << "with nothing to do";
}

TEST_F(StoreTest, NumbersAreNeverGivenTwice) {
  std::set<InodeId> given{kRootInode};
  for (int process = 0; process < 3; ++process) {
    for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(given.insert(store_->next_id().value()).second);
    reopen();
  }
}

TEST_F(StoreTest, SettingsLast) {
  EXPECT_EQ(store_->setting("link").value(), "");
  ASSERT_TRUE(store_->put_setting("link", "/gpfs/project"));
  ASSERT_TRUE(store_->commit());
  reopen();
  EXPECT_EQ(store_->setting("link").value(), "/gpfs/project");
}

TEST_F(StoreTest, ACorruptDatabaseIsReportedWithItsPathAndLeftAlone) {
  store_.reset();
  const std::string garbage(8192, 'g');
  test::write_file(path_, garbage);
  const auto opened = Store::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EIO);
  EXPECT_NE(opened.error().context.find(path_), std::string::npos) << opened.error().context;
  EXPECT_EQ(opened.error().context.find('\n'), std::string::npos);
  EXPECT_EQ(test::read_file(path_), garbage);
}

TEST_F(StoreTest, ADamagedPageIsReported) {
  for (InodeId id = 2; id < 500; ++id) {
    put(row(id));
    ASSERT_TRUE(store_->put_name(1, "name " + std::to_string(id), id));
  }
  store_.reset();
  std::string content = test::read_file(path_);
  ASSERT_GT(content.size(), 5u * 4096);
  for (size_t page = 1; page < content.size() / 4096; ++page)
    content.replace(page * 4096, 100, std::string(100, '\x5a'));
  test::write_file(path_, content);
  const auto opened = Store::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EIO);
  EXPECT_NE(opened.error().context.find(path_), std::string::npos);
}

TEST_F(StoreTest, ANewerSchemaIsRefused) {
  ASSERT_TRUE(store_->put_setting("schema", "999"));
  ASSERT_TRUE(store_->commit());
  store_.reset();
  const auto opened = Store::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EIO);
  EXPECT_NE(opened.error().context.find("999"), std::string::npos) << opened.error().context;
}

TEST_F(StoreTest, ANumberThatIsNoneIsCorrupt) {
  ASSERT_TRUE(store_->put_setting("next_id", "many"));
  ASSERT_TRUE(store_->commit());
  store_.reset();
  int code = 0;
  EXPECT_NO_THROW({
    const auto opened = Store::open(path_);
    code = opened ? 0 : opened.error().code;
  });
  EXPECT_EQ(code, EIO);
}

TEST_F(StoreTest, APlaceThatCannotBeWrittenIsReported) {
  const auto opened = Store::open(dir_ / "missing/meta.db");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().context.find("missing/meta.db"), std::string::npos);
}

}  // namespace
}  // namespace forebay::meta
