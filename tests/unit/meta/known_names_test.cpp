#include "meta/known_names.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "core/unique_fd.h"
#include "tests/unit/meta/server_harness.h"

namespace forebay::meta {
namespace {

constexpr InodeId kDirectory = 7;
constexpr int kEnough = 16;
constexpr std::chrono::hours kLong{1};

class KnownNamesTest : public testing::Test {
 protected:
  bool lacks(KnownNames& names, const std::string& name, InodeId directory = kDirectory) {
    return names.lacks(directory, fd_.get(), name, &valid_for_);
  }
  void make(KnownNames& names, const std::string& name) {
    test::write_file(dir_ / name, "");
    names.made(kDirectory, name);
  }
  void make_enough(KnownNames& names) {
    for (int i = 0; i < kEnough; ++i) make(names, "made" + std::to_string(i));
  }

  const test::TempDir dir_;
  const UniqueFd fd_{::open(dir_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  std::chrono::milliseconds valid_for_{-1};
};

TEST_F(KnownNamesTest, AnswersAfterSomeFilesWereMade) {
  KnownNames names(kLong);
  test::write_file(dir_ / "there", "");
  EXPECT_FALSE(lacks(names, "new")) << "nothing is known of it";
  for (int i = 1; i < kEnough; ++i) make(names, "made" + std::to_string(i));
  EXPECT_FALSE(lacks(names, "new")) << "that does not pay yet";
  make(names, "made0");
  EXPECT_TRUE(lacks(names, "new"));
  EXPECT_GT(valid_for_, kLong - std::chrono::minutes(1));
  EXPECT_LE(valid_for_, kLong);
  EXPECT_FALSE(lacks(names, "there"));
  for (int i = 0; i < kEnough; ++i) EXPECT_FALSE(lacks(names, "made" + std::to_string(i))) << i;
  EXPECT_FALSE(lacks(names, "new", kDirectory + 1)) << "another directory";
}

TEST_F(KnownNamesTest, KnowsWhatIsMadeLater) {
  KnownNames names(kLong);
  make_enough(names);
  EXPECT_TRUE(lacks(names, "later"));
  make(names, "later");
  EXPECT_FALSE(lacks(names, "later"));
}

TEST_F(KnownNamesTest, AListingOfSomebodyElseMayShowMore) {
  KnownNames names(kLong);
  make_enough(names);
  EXPECT_TRUE(lacks(names, "other"));
  test::write_file(dir_ / "other", "made by somebody else");
  names.listed(kDirectory);
  EXPECT_FALSE(lacks(names, "other"));
  EXPECT_FALSE(lacks(names, "new")) << "until some more were made";
  make_enough(names);
  EXPECT_TRUE(lacks(names, "new"));
  EXPECT_FALSE(lacks(names, "other"));
}

TEST_F(KnownNamesTest, ALargeDirectoryStaysOneWhoeverListsIt) {
  for (int i = 0; i < 8300; ++i) test::write_file(dir_ / ("f" + std::to_string(i)), "");
  KnownNames names(kLong);
  make_enough(names);
  EXPECT_FALSE(lacks(names, "new"));
  names.listed(kDirectory);
  for (int i = 8300; i > 0; --i) ::unlink((dir_ / ("f" + std::to_string(i - 1))).c_str());
  make_enough(names);
  EXPECT_FALSE(lacks(names, "new")) << "it is not looked at once more";
}

TEST_F(KnownNamesTest, LeavesToTheOutsideWhatIsItsOwnMatter) {
  KnownNames names(kLong);
  test::write_file(dir_ / "README", "");
  make_enough(names);
  EXPECT_TRUE(lacks(names, "new"));
  EXPECT_FALSE(lacks(names, ".snapshot")) << "is in no listing";
  EXPECT_FALSE(lacks(names, "Gr\xc3\xb6\xc3\x9f\x65")) << "has several spellings";
  EXPECT_FALSE(lacks(names, "readme")) << "may be the same file";
  EXPECT_FALSE(lacks(names, "a:b")) << "may be no name at all";
  EXPECT_FALSE(lacks(names, std::string(200, 'l'))) << "may be too long";
  EXPECT_FALSE(lacks(names, ""));
}

TEST_F(KnownNamesTest, AListingThatIsTooOldDoesNotAnswerAndIsNotMadeAgainForOneFile) {
  KnownNames names(std::chrono::milliseconds(100));
  make_enough(names);
  const auto begin = std::chrono::steady_clock::now();
  bool answered = false;
  while (lacks(names, "new")) answered = true;
  EXPECT_TRUE(answered);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  make(names, "more");
  EXPECT_FALSE(lacks(names, "new"));
  make_enough(names);
  EXPECT_TRUE(lacks(names, "new"));
  EXPECT_FALSE(lacks(names, "more"));
}

TEST_F(KnownNamesTest, WithoutATimeNothingIsAnswered) {
  KnownNames names(std::chrono::milliseconds(0));
  make_enough(names);
  EXPECT_FALSE(lacks(names, "new"));
}

TEST_F(KnownNamesTest, ALargeDirectoryIsNotKept) {
  constexpr int kTooMany = 8300;
  KnownNames names(kLong);
  for (int i = 0; i < kTooMany; ++i) make(names, "f" + std::to_string(i));
  EXPECT_FALSE(lacks(names, "new"));
  make_enough(names);
  EXPECT_FALSE(lacks(names, "new")) << "nor tried again soon";
}

TEST_F(KnownNamesTest, ADirectoryThatGrowsLargeIsForgotten) {
  constexpr int kMany = 8300;
  KnownNames names(kLong);
  make_enough(names);
  EXPECT_TRUE(lacks(names, "new"));
  for (int i = 0; i < kMany; ++i) names.made(kDirectory, "f" + std::to_string(i));
  EXPECT_FALSE(lacks(names, "new"));
}

TEST_F(KnownNamesTest, ADirectoryThatCannotBeReadIsLeftAlone) {
  KnownNames names(kLong);
  make_enough(names);
  EXPECT_FALSE(names.lacks(kDirectory, -1, "new", &valid_for_));
}

TEST_F(KnownNamesTest, OfManyDirectoriesTheLatestIsKnown) {
  KnownNames names(kLong);
  for (InodeId id = 100; id < 400; ++id) {
    for (int i = 0; i < kEnough; ++i) names.made(id, "made");
    EXPECT_TRUE(lacks(names, "new", id)) << id;
  }
}

// --- through the metadata server: no operation forgets to tell.

class KnownNamesOfServer : public testing::Test, protected MetaHarness {
 protected:
  KnownNamesOfServer() {
    stop();
    config().consistency.validate = Validate::kTtl;
    config().consistency.attr_ttl = kLong;
    start();
    for (int i = 0; i < kEnough; ++i) create("made" + std::to_string(i), "");
    EXPECT_EQ(lookup("new").id, 0u);
    test::write_file(outside("foreign"), "");
    EXPECT_EQ(lookup("foreign").id, 0u) << "the listing should have answered";
  }
};

TEST_F(KnownNamesOfServer, WhateverMakesANameMakesItKnown) {
  create("created", "");
  EXPECT_NE(lookup("created").id, 0u);
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "directory", 0755));
  EXPECT_NE(lookup("directory").id, 0u);
  ASSERT_TRUE(meta().mknod(root(), kRootInode, "fifo", S_IFIFO | 0644, 0));
  EXPECT_NE(lookup("fifo").id, 0u);
  ASSERT_TRUE(meta().symlink(root(), kRootInode, "symlink", "target"));
  EXPECT_NE(lookup("symlink").id, 0u);
  ASSERT_TRUE(meta().link(root(), lookup("created").id, kRootInode, "link"));
  EXPECT_NE(lookup("link").id, 0u);
  ASSERT_TRUE(meta().rename(root(), kRootInode, "link", kRootInode, "renamed", 0));
  EXPECT_NE(lookup("renamed").id, 0u);
  EXPECT_EQ(lookup("link").id, 0u);
  const InodeId directory = lookup("directory").id;
  create("below", "", directory);
  ASSERT_TRUE(meta().rename(root(), directory, "below", kRootInode, "moved", 0));
  EXPECT_NE(lookup("moved").id, 0u);
  const Result<EntryReply> nameless = meta().tmpfile(root(), kRootInode, 0644, O_RDWR);
  ASSERT_TRUE(nameless);
  ASSERT_TRUE(meta().link(root(), nameless->id, kRootInode, "named"));
  EXPECT_NE(lookup("named").id, 0u);
  meta().release(nameless->id, O_RDWR);
}

TEST_F(KnownNamesOfServer, TheFileThatAConflictMakesIsKnown) {
  const InodeId id = create("both", "OURS");
  test::write_file(outside("both"), "theirs");
  EXPECT_EQ(flush(id).conflicts, 1u);
  ASSERT_EQ(conflict_files().size(), 1u);
  EXPECT_NE(lookup(conflict_files()[0]).id, 0u);
}

TEST_F(KnownNamesOfServer, WhatAListingShowsIsFound) {
  const Result<OpenDirectoryReply> opened = meta().opendir(root(), kRootInode);
  ASSERT_TRUE(opened);
  ASSERT_TRUE(meta().readdir(opened->handle, 0, false, [](const DirectoryEntry&) { return true; }));
  meta().releasedir(opened->handle);
  EXPECT_NE(lookup("foreign").id, 0u);
}

// A kept listing that the client has lost after all: whoever has opened the directory may read it.
TEST_F(KnownNamesOfServer, AnOpenDirectoryIsListedWhateverHappensToItsRights) {
  Caller user;
  user.uid = user.gid = 65534;
  ASSERT_TRUE(meta().mkdir(root(), kRootInode, "directory", 0755));
  const InodeId id = lookup("directory").id;
  create("file", "", id);
  meta().releasedir(meta().opendir(user, id).value().handle);
  const Result<OpenDirectoryReply> opened = meta().opendir(user, id);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->keep_listing);
  ASSERT_EQ(::chmod(outside("directory").c_str(), 0700), 0);
  size_t names = 0;
  EXPECT_TRUE(meta().readdir(opened->handle, 0, false, [&](const DirectoryEntry&) { return ++names > 0; }));
  EXPECT_EQ(names, 3u);  // with . and ..
  meta().releasedir(opened->handle);
}

// What is there after all is opened, not made over.
TEST_F(KnownNamesOfServer, ACreateFindsWhatTheOutsideMade) {
  test::write_file(outside("foreign"), "theirs");
  const Result<EntryReply> made = meta().create(root(), kRootInode, "foreign", 0644, O_RDWR);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->attributes.size, 6u);
  meta().release(made->id, O_RDWR);
  EXPECT_EQ(meta().create(root(), kRootInode, "foreign", 0644, O_RDWR | O_EXCL).error().code, EEXIST);
}

}  // namespace
}  // namespace forebay::meta
