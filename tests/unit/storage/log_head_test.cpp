#include "storage/log_head.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "core/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace forebay::storage {
namespace {

class LogHeadTest : public testing::Test {
 protected:
  // What a new process would find.
  std::vector<Record> replayed(Status* status = nullptr) const {
    std::vector<Record> records;
    LogHead head;
    const Status read = head.read(fd_.get(), [&](const Record& record) { records.push_back(record); });
    if (status == nullptr) {
      EXPECT_TRUE(read) << read.error().message();
    } else {
      *status = read;
    }
    return records;
  }
  static Record size_record(uint64_t size) { return Record::of_number(RecordType::kSize, size); }
  std::string attribute() const {
    char value[4096];
    const ssize_t bytes = ::fgetxattr(fd_.get(), kName, value, sizeof(value));
    return bytes < 0 ? std::string() : std::string(value, static_cast<size_t>(bytes));
  }
  void set_attribute(const std::string& value) const {
    ASSERT_EQ(::fsetxattr(fd_.get(), kName, value.data(), value.size(), 0), 0);
  }

  static constexpr char kName[] = "user.fb";
  const test::TempDir dir_;
  const UniqueFd fd_{::open((dir_ / "9.chunk").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
};

TEST_F(LogHeadTest, WithoutAttributeThereIsNothing) { EXPECT_TRUE(replayed().empty()); }

TEST_F(LogHeadTest, RecordsKeepTheirValues) {
  const Validator version{{-86400, 999'999'999}, {1'700'000'000, 1}, 1ull << 40, UINT64_MAX};
  const Identity identity{3, 1ull << 63, {-5, 123'456'789}};
  const std::vector<Record> records = {
      Record::of_version(RecordType::kReset, version), Record::of_identity(identity, false),
      Record::of_range(RecordType::kDirty, {0, 0}),    Record::of_range(RecordType::kClean, {256, UINT64_MAX}),
      Record::of_lease({1'700'000'000, 5}, 0),         Record::of_number(RecordType::kLeaseEnd, 0)};
  LogHead head;
  ASSERT_TRUE(head.append(fd_.get(), records));
  const std::vector<Record> found = replayed();
  ASSERT_EQ(found.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(found[i].type, records[i].type);
    EXPECT_TRUE(std::ranges::equal(found[i].value, records[i].value)) << i;
    EXPECT_TRUE(found[i].is_intact());
  }
}

TEST_F(LogHeadTest, WhatIsReadIsAppendedTo) {
  for (uint64_t i = 0; i < 5; ++i) {
    LogHead head;
    ASSERT_TRUE(head.read(fd_.get(), [](const Record&) {}));
    const Record record = size_record(i);
    ASSERT_TRUE(head.append(fd_.get(), {&record, 1}));
  }
  const std::vector<Record> found = replayed();
  ASSERT_EQ(found.size(), 5u);
  for (uint64_t i = 0; i < 5; ++i) EXPECT_EQ(found[i].value[0], i);
}

// What ext4 keeps within an inode of 256 bytes, for a file that was just made and is lent to its writer.
TEST_F(LogHeadTest, ANewFileTakesNoBlock) {
  const Validator version{{1'795'000'000, 999'999'999}, {1'795'000'000, 999'999'999}, 0, UINT32_MAX};
  const Record records[] = {Record::of_version(RecordType::kReset, version),
                            Record::of_identity({0xfffff, UINT32_MAX, version.mtime}, true),
                            Record::of_lease(version.mtime, 0)};
  LogHead head;
  ASSERT_TRUE(head.append(fd_.get(), records));
  constexpr size_t kRoom = 68;
  EXPECT_LE(attribute().size(), kRoom);
}

TEST_F(LogHeadTest, WhatDoesNotFitChangesNothing) {
  LogHead head;
  const Record first = size_record(1);
  ASSERT_TRUE(head.append(fd_.get(), {&first, 1}));
  const std::vector<Record> many(200, size_record(UINT64_MAX));
  EXPECT_FALSE(head.append(fd_.get(), many));
  EXPECT_FALSE(head.replace(fd_.get(), many));
  const Record second = size_record(2);
  ASSERT_TRUE(head.append(fd_.get(), {&second, 1}));
  const std::vector<Record> found = replayed();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].value[0], 2u);
}

TEST_F(LogHeadTest, AReplacementLeavesNothingOfTheOld) {
  LogHead head;
  const std::vector<Record> old(5, size_record(1));
  ASSERT_TRUE(head.append(fd_.get(), old));
  const Record now = size_record(7);
  ASSERT_TRUE(head.replace(fd_.get(), {&now, 1}));
  ASSERT_EQ(replayed().size(), 1u);
  EXPECT_EQ(replayed()[0].value[0], 7u);
}

TEST_F(LogHeadTest, WhereThereAreNoAttributesTheRecordsBelongElsewhere) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]), writer(ends[1]);
  LogHead head;
  const Record record = size_record(1);
  EXPECT_FALSE(head.append(reader.get(), {&record, 1}));
  EXPECT_FALSE(head.replace(reader.get(), {&record, 1}));
  EXPECT_TRUE(head.read(reader.get(), [](const Record&) { FAIL(); }));
}

// Half a log must not be taken for a whole one: what it does not tell may be dirty data.
TEST_F(LogHeadTest, ADamagedAttributeIsAnError) {
  LogHead head;
  const std::vector<Record> records(3, size_record(300));
  ASSERT_TRUE(head.append(fd_.get(), records));
  const std::string intact = attribute();
  for (size_t at = 0; at < intact.size(); ++at) {
    std::string damaged = intact;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    set_attribute(damaged);
    Status status;
    EXPECT_TRUE(replayed(&status).empty());
    ASSERT_FALSE(status) << "byte " << at;
    EXPECT_EQ(status.error().code, EIO);
  }
  for (size_t length = 0; length < intact.size(); ++length) {
    set_attribute(intact.substr(0, length));
    Status status;
    EXPECT_TRUE(replayed(&status).empty());
    EXPECT_FALSE(status) << length << " bytes";
  }
  set_attribute(intact);
  EXPECT_EQ(replayed().size(), 3u);
}

}  // namespace
}  // namespace forebay::storage
