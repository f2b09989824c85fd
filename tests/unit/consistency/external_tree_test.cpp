#include "consistency/external_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <map>
#include <thread>

#include "core/io.h"
#include "tests/support/temp_dir.h"

namespace forebay::consistency {
namespace {

// DIR/tree is the link; DIR/secret lies beside it.
class ExternalTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_.make("tree/sub");
    test::write_file(dir_ / "secret", "secret");
    test::write_file(dir_ / "tree/sub/file", "content");
    tree_ = ExternalTree::open(dir_ / "tree").value();
  }
  Identity identity_of(const std::string& path) {
    const UniqueFd fd(::open((dir_ / "tree" + "/" + path).c_str(), O_PATH | O_NOFOLLOW));
    return tree_->probe_fd(fd.get()).value().identity;
  }
  int error_of(const std::string& path) {
    const Result<UniqueFd> fd = tree_->open_ref({path, {}, nullptr}, O_RDONLY);
    return fd ? 0 : fd.error().code;
  }

  test::TempDir dir_;
  std::unique_ptr<ExternalTree> tree_;
};

TEST_F(ExternalTreeTest, OpensWhatIsADirectoryAndNamesWhatIsNot) {
  EXPECT_EQ(tree_->path(), dir_ / "tree");
  for (const auto& [path, code] : {std::pair{dir_ / "missing", ENOENT}, std::pair{dir_ / "secret", ENOTDIR}}) {
    const auto opened = ExternalTree::open(path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, code);
    EXPECT_NE(opened.error().context.find(path), std::string::npos);
  }
}

TEST_F(ExternalTreeTest, OpensARefByItsPath) {
  const UniqueFd fd = tree_->open_ref({"sub/file", identity_of("sub/file"), nullptr}, O_RDONLY).value();
  char buffer[16];
  EXPECT_EQ(pread_full(fd.get(), buffer, sizeof(buffer), 0).value(), 7u);
  EXPECT_TRUE(tree_->open_ref({"", identity_of("."), nullptr}, O_PATH)) << "the root itself";
}

TEST_F(ExternalTreeTest, OpensARefByItsDescriptorWhereverItIs) {
  auto object = std::make_shared<UniqueFd>(ExternalTree::open_child(tree_->root_fd(), "sub", O_PATH).value());
  auto file = std::make_shared<UniqueFd>(ExternalTree::open_child(object->get(), "file", O_PATH).value());
  ASSERT_EQ(::rename((dir_ / "tree/sub").c_str(), (dir_ / "tree/moved").c_str()), 0);
  ASSERT_EQ(::unlink((dir_ / "tree/moved/file").c_str()), 0);
  const UniqueFd fd = tree_->open_ref({"", {}, file}, O_RDWR).value();
  char buffer[16];
  EXPECT_EQ(pread_full(fd.get(), buffer, sizeof(buffer), 0).value(), 7u);
}

TEST_F(ExternalTreeTest, AnotherObjectAtThePathIsStale) {
  const Identity identity = identity_of("sub/file");
  test::write_file(dir_ / "tree/sub/new", "another");
  ASSERT_EQ(::rename((dir_ / "tree/sub/new").c_str(), (dir_ / "tree/sub/file").c_str()), 0);
  const auto opened = tree_->open_ref({"sub/file", identity, nullptr}, O_RDONLY);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ESTALE);
}

TEST_F(ExternalTreeTest, ReportsWhatIsMissing) {
  EXPECT_EQ(error_of("missing"), ENOENT);
  EXPECT_EQ(error_of("missing/file"), ENOENT);
  EXPECT_EQ(error_of("sub/file/below"), ENOTDIR);
}

TEST_F(ExternalTreeTest, NeverLeavesTheLinkThroughDotDot) {
  EXPECT_EQ(error_of("../secret"), EXDEV);
  EXPECT_EQ(error_of("sub/../../secret"), EXDEV);
  EXPECT_EQ(error_of(dir_ / "secret"), EXDEV) << "nor by an absolute path";
  EXPECT_FALSE(ExternalTree::open_child(tree_->root_fd(), "..", O_PATH));
  EXPECT_FALSE(ExternalTree::open_child(tree_->root_fd(), "../secret", O_PATH));
}

TEST_F(ExternalTreeTest, NeverFollowsASymlink) {
  ASSERT_EQ(::symlink("../secret", (dir_ / "tree/out").c_str()), 0);
  ASSERT_EQ(::symlink("..", (dir_ / "tree/up").c_str()), 0);
  ASSERT_EQ(::symlink("sub", (dir_ / "tree/inside").c_str()), 0);
  ASSERT_EQ(::symlink("/proc/self/root", (dir_ / "tree/magic").c_str()), 0);
  for (const char* path : {"out", "up/secret", "inside/file", "magic/etc/passwd"})
    EXPECT_EQ(error_of(path), ELOOP) << path;
  // As an object of its own a symlink can be had.
  const UniqueFd link = ExternalTree::open_child(tree_->root_fd(), "out", O_PATH).value();
  EXPECT_TRUE(S_ISLNK(tree_->probe_fd(link.get()).value().attributes.mode));
}

// A directory that is replaced by a symlink between two looks.
TEST_F(ExternalTreeTest, NeverFollowsASymlinkThatTookADirectorysPlace) {
  const Identity identity = identity_of("sub/file");
  ASSERT_EQ(::rename((dir_ / "tree/sub").c_str(), (dir_ / "elsewhere").c_str()), 0);
  ASSERT_EQ(::symlink("../elsewhere", (dir_ / "tree/sub").c_str()), 0);
  EXPECT_EQ(tree_->open_ref({"sub/file", identity, nullptr}, O_RDONLY).error().code, ELOOP);
}

// To open a FIFO for reading would wait for a writer, to open a directory for writing is another error.
TEST_F(ExternalTreeTest, DoesNotOpenWhatTookAFilesPlace) {
  const Identity identity = identity_of("sub/file");
  ASSERT_EQ(::rename((dir_ / "tree/sub/file").c_str(), (dir_ / "elsewhere").c_str()), 0);
  ASSERT_EQ(::mkfifo((dir_ / "tree/sub/file").c_str(), 0600), 0);
  EXPECT_EQ(tree_->open_ref({"sub/file", identity, nullptr}, O_RDONLY).error().code, ESTALE);
  ASSERT_EQ(::unlink((dir_ / "tree/sub/file").c_str()), 0);
  ASSERT_EQ(::mkdir((dir_ / "tree/sub/file").c_str(), 0700), 0);
  EXPECT_EQ(tree_->open_ref({"sub/file", identity, nullptr}, O_WRONLY).error().code, ESTALE);
}

TEST_F(ExternalTreeTest, OpensPathsOfAnyLength) {
  // No call takes the whole path, so it is made level by level.
  const std::string name(250, 'd');
  std::string path;
  UniqueFd at = ExternalTree::reopen(tree_->root_fd(), O_RDONLY | O_DIRECTORY).value();
  for (int level = 0; level < 40; ++level) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0);
    at = ExternalTree::open_child(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY).value();
    path += name + "/";
  }
  UniqueFd made(::openat(at.get(), "file", O_CREAT | O_WRONLY, 0600));
  ASSERT_TRUE(pwrite_full(made.get(), "deep", 4, 0));
  const Identity identity = tree_->probe_fd(made.get()).value().identity;
  path += "file";
  ASSERT_GT(path.size(), 2 * PATH_MAX);
  const Result<UniqueFd> fd = tree_->open_ref({path, identity, nullptr}, O_RDONLY);
  ASSERT_TRUE(fd) << fd.error().message();
  char buffer[8];
  EXPECT_EQ(pread_full(fd->get(), buffer, sizeof(buffer), 0).value(), 4u);

  EXPECT_EQ(error_of(path.substr(0, 5000) + "missing/file"), ENOENT);
  EXPECT_EQ(error_of(std::string(5000, 'x')), ENAMETOOLONG);
  // Nor does a long path climb out in one of its pieces.
  std::string climbing = name;
  for (int i = 0; i < 2000; ++i) climbing += "/..";
  EXPECT_NE(error_of(climbing + "/secret"), 0);
}

// The kernel says EXDEV when it finds that what it looked up is not below the directory any more.
TEST_F(ExternalTreeTest, AChildThatIsMovedAwayMeanwhileIsThereOrNot) {
  constexpr int kLooks = 200'000;
  dir_.make("tree/other");
  dir_.make("tree/sub/child");
  const UniqueFd sub = ExternalTree::open_child(tree_->root_fd(), "sub", O_PATH).value();
  std::atomic<bool> stopping{false};
  std::thread mover([&] {
    while (!stopping) {
      EXPECT_EQ(::rename((dir_ / "tree/sub/child").c_str(), (dir_ / "tree/other/child").c_str()), 0);
      EXPECT_EQ(::rename((dir_ / "tree/other/child").c_str(), (dir_ / "tree/sub/child").c_str()), 0);
    }
  });
  std::map<int, int> errors;
  for (int i = 0; i < kLooks; ++i) {
    const Result<UniqueFd> fd = ExternalTree::open_child(sub.get(), "child", O_PATH);
    if (!fd) ++errors[fd.error().code];
  }
  stopping = true;
  mover.join();
  errors.erase(ENOENT);
  for (const auto& [code, times] : errors) ADD_FAILURE() << times << " times " << Error{code, {}}.message();
}

}  // namespace
}  // namespace forebay::consistency
