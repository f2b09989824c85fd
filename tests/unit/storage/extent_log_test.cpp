#include "storage/extent_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "tests/support/temp_dir.h"

namespace forebay::storage {
namespace {

using test::TempDir;

class ExtentLogTest : public testing::Test {
 protected:
  // What a new process would find.
  std::vector<Record> replayed(Status* status = nullptr) {
    std::vector<Record> records;
    ExtentLog log;
    const Status opened = log.open(path_, [&](const Record& record) { records.push_back(record); });
    if (status == nullptr) {
      EXPECT_TRUE(opened) << opened.error().message();
    } else {
      *status = opened;
    }
    return records;
  }
  void open(ExtentLog& log) {
    ASSERT_TRUE(log.open(path_, [](const Record&) {}));
    if (!log.is_open()) {
      ASSERT_TRUE(log.create(path_));
    }
  }
  static Record size_record(uint64_t size) { return Record::of_number(RecordType::kSize, size); }
  static void append(ExtentLog& log, const Record& record) { ASSERT_TRUE(log.append(std::span(&record, 1))); }

  TempDir dir_;
  const std::string path_ = dir_ / "log.map";
};

TEST_F(ExtentLogTest, RecordsKeepTheirValues) {
  const Record range = Record::of_range(RecordType::kDirty, {5, UINT64_MAX});
  EXPECT_EQ(range.kind(), RecordType::kDirty);
  EXPECT_EQ(range.range(), (Extent{5, UINT64_MAX}));

  // Before 1970, and nanoseconds: nothing is cut.
  const Validator version{{-86400, 999'999'999}, {1'700'000'000, 1}, 1ull << 40, UINT64_MAX};
  EXPECT_EQ(Record::of_version(RecordType::kReset, version).version(), version);

  const Identity identity{3, 1ull << 63, {-5, 123'456'789}};
  EXPECT_EQ(Record::of_identity(identity, true).identity(), identity);
  EXPECT_TRUE(Record::of_identity(identity, true).transient());
  EXPECT_FALSE(Record::of_identity(identity, false).transient());
}

TEST_F(ExtentLogTest, ANewLogIsEmpty) {
  ExtentLog log;
  ASSERT_TRUE(log.create(path_));
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(replayed().empty());
}

TEST_F(ExtentLogTest, ALogThatIsMissingIsNotMade) {
  EXPECT_TRUE(replayed().empty());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ExtentLogTest, ReplayGivesEveryRecordInOrder) {
  {
    ExtentLog log;
    open(log);
    for (uint64_t i = 0; i < 100; ++i) append(log, size_record(i));
  }
  const std::vector<Record> records = replayed();
  ASSERT_EQ(records.size(), 100u);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(records[i].value[0], i);
}

TEST_F(ExtentLogTest, AppendingAfterAReopenGoesOnAtTheEnd) {
  for (uint64_t i = 0; i < 3; ++i) {
    ExtentLog log;
    open(log);
    append(log, size_record(i));
  }
  EXPECT_EQ(replayed().size(), 3u);
}

TEST_F(ExtentLogTest, ATornTailIsIgnoredAndOverwritten) {
  for (const size_t torn_bytes : {size_t{1}, sizeof(Record) / 2, sizeof(Record) - 1}) {
    std::filesystem::remove(path_);
    {
      ExtentLog log;
      open(log);
      append(log, size_record(1));
      append(log, size_record(2));
    }
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(sizeof(Record) + torn_bytes)), 0);
    ASSERT_EQ(replayed().size(), 1u) << torn_bytes;
    {
      ExtentLog log;
      open(log);
      append(log, size_record(3));
    }
    const std::vector<Record> records = replayed();
    ASSERT_EQ(records.size(), 2u) << torn_bytes;
    EXPECT_EQ(records[1].value[0], 3u);
  }
}

TEST_F(ExtentLogTest, AWrongChecksumEndsTheLog) {
  {
    ExtentLog log;
    open(log);
    for (uint64_t i = 0; i < 4; ++i) append(log, size_record(i));
  }
  // Any flipped bit of a record's type or values.
  for (const size_t at : {size_t{4}, size_t{8}, sizeof(Record) - 1}) {
    std::string content = test::read_file(path_);
    content[2 * sizeof(Record) + at] ^= 0x10;
    test::write_file(path_, content);
    EXPECT_EQ(replayed().size(), 2u) << "byte " << at;
    content[2 * sizeof(Record) + at] ^= 0x10;
    test::write_file(path_, content);
  }
  EXPECT_EQ(replayed().size(), 4u);
}

TEST_F(ExtentLogTest, ZerosAreNoRecords) {
  // What a file system may leave after a power cut: the length without the data.
  test::write_file(path_, std::string(10 * sizeof(Record), '\0'));
  EXPECT_TRUE(replayed().empty());
}

TEST_F(ExtentLogTest, AnUnknownRecordTypeIsAnErrorThatNamesTheLog) {
  for (const uint32_t type : {0u, 17u, 4711u}) {
    std::filesystem::remove(path_);
    {
      ExtentLog log;
      open(log);
      append(log, size_record(1));
      append(log, Record::of_number(static_cast<RecordType>(type), 0));
    }
    Status status;
    EXPECT_EQ(replayed(&status).size(), 1u);
    ASSERT_FALSE(status) << type;
    EXPECT_EQ(status.error().code, EIO);
    EXPECT_NE(status.error().context.find(path_), std::string::npos) << status.error().context;
  }
}

TEST_F(ExtentLogTest, ADirectoryThatIsMissingIsReported) {
  ExtentLog log;
  const Status status = log.create(dir_ / "missing/log.map");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ENOENT);
  EXPECT_NE(status.error().context.find("missing/log.map"), std::string::npos);
  EXPECT_FALSE(log.is_open());
}

TEST_F(ExtentLogTest, IsBloatedOnlyFarBeyondWhatIsNeeded) {
  ExtentLog log;
  open(log);
  std::vector<Record> records(1024, size_record(1));
  ASSERT_TRUE(log.append(records));
  EXPECT_FALSE(log.bloated(1)) << "a small log is never worth it";
  append(log, size_record(1));
  EXPECT_TRUE(log.bloated(1));
  EXPECT_TRUE(log.bloated(128));
  EXPECT_FALSE(log.bloated(129)) << "eight times as many as needed";
  EXPECT_FALSE(log.overgrown(1));
}

TEST_F(ExtentLogTest, ARewriteReplacesTheLogAndGoesOnFromThere) {
  ExtentLog log;
  open(log);
  for (uint64_t i = 0; i < 2000; ++i) append(log, size_record(i));
  const Record whole[] = {size_record(7), size_record(8)};
  ASSERT_TRUE(log.rewrite(whole));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
  append(log, size_record(9));
  const std::vector<Record> records = replayed();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].value[0], 7u);
  EXPECT_EQ(records[2].value[0], 9u);
  EXPECT_FALSE(log.bloated(1));
  EXPECT_LE(log.allocated_bytes(), 4096u);
}

TEST_F(ExtentLogTest, ARewriteThatFailsKeepsTheOldLog) {
  ExtentLog log;
  open(log);
  append(log, size_record(1));
  std::filesystem::create_directory(path_ + ".new");  // cannot be opened for writing
  const Record whole[] = {size_record(7)};
  EXPECT_FALSE(log.rewrite(whole));
  append(log, size_record(2));
  const std::vector<Record> records = replayed();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].value[0], 1u);
}

TEST_F(ExtentLogTest, LeftoversOfARewriteThatWasCutShortAreHarmless) {
  {
    ExtentLog log;
    open(log);
    append(log, size_record(1));
  }
  test::write_file(path_ + ".new", "half a rewr");
  EXPECT_EQ(replayed().size(), 1u);
  ExtentLog log;
  open(log);
  const Record whole[] = {size_record(7)};
  ASSERT_TRUE(log.rewrite(whole));
  EXPECT_EQ(replayed().size(), 1u);
}

// append(): "On an error none of them counts", also when the disk became full in the middle of them.
TEST_F(ExtentLogTest, AnAppendThatFailsHalfwayDoesNotCount) {
  ExtentLog log;
  open(log);
  append(log, size_record(1));

  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto saved = std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = before;
  tight.rlim_cur = 2 * sizeof(Record) + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Record two[] = {size_record(2), size_record(3)};
  const Status failed = log.append(two);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, saved);

  ASSERT_FALSE(failed);
  EXPECT_EQ(replayed().size(), 1u) << "a process that died now would count the first of them";
  append(log, size_record(4));
  const std::vector<Record> records = replayed();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].value[0], 4u);
}

TEST_F(ExtentLogTest, SyncNeedsNoData) {
  ExtentLog log;
  open(log);
  EXPECT_TRUE(log.sync());
  EXPECT_TRUE(log.append({}));
  EXPECT_TRUE(replayed().empty());
}

}  // namespace
}  // namespace forebay::storage
