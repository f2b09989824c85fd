// What a mount is asked for and cannot do: one line that says what and where, and nothing has changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "tests/support/files.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace forebay::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using Words = std::vector<std::string>;

// Every path below a directory with its type; files with size and time of change, too.
std::map<std::string, std::string> snapshot(const std::string& top) {
  std::map<std::string, std::string> all;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(top, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    struct stat attributes {};
    ::lstat(entry->path().c_str(), &attributes);
    std::string& text = all[entry->path()] = std::to_string(attributes.st_mode);
    if (S_ISDIR(attributes.st_mode)) continue;
    text += " " + std::to_string(attributes.st_size) + " " + std::to_string(attributes.st_ctim.tv_sec) + "." +
            std::to_string(attributes.st_ctim.tv_nsec);
  }
  return all;
}

class BadInput : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::geteuid(), 0u) << "this test mounts and changes users: run it as root"; }

  Words mount_words(const std::string& external, const std::string& mountpoint, const std::string& cache) const {
    return {FOREBAY_BINARY, "mount", external, mountpoint, "--cache", cache};
  }

  // The command fails with one line that has all of `needles` in it, and leaves everything as it was.
  void expect_refused(const Words& words, const Words& needles, const ProcessOptions& options = {}) {
    const auto before = snapshot(root_.path());
    const ProcessResult result = run_process(words, options);
    EXPECT_NE(result.exit_status, 0) << describe(result);
    EXPECT_LT(result.exit_status, 126) << "it failed by itself: " << describe(result);
    EXPECT_FALSE(result.timed_out) << describe(result);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << describe(result);
    EXPECT_TRUE(result.err.starts_with("forebay: ")) << describe(result);
    EXPECT_EQ(result.out, "");
    for (const std::string& needle : needles) EXPECT_THAT(result.err, HasSubstr(needle));
    EXPECT_FALSE(is_mounted(mountpoint_));
    EXPECT_EQ(snapshot(root_.path()), before);
  }

  void expect_mount_refused(const std::string& external, const std::string& mountpoint, const std::string& cache,
                            const Words& needles) {
    expect_refused(mount_words(external, mountpoint, cache), needles);
  }

  TempDir root_;
  std::string external_ = root_.make("external");
  std::string mountpoint_ = root_.make("mount");
  std::string cache_ = root_ / "cache";  // made by the mount
};

TEST_F(BadInput, ExternalDirectoryIsMissing) {
  expect_mount_refused(root_ / "nowhere", mountpoint_, cache_, {"external directory", "nowhere", "No such file"});
  expect_mount_refused("", mountpoint_, cache_, {"external directory"});
  expect_mount_refused(root_ / std::string(300, 'x'), mountpoint_, cache_, {"external directory", "too long"});
}

TEST_F(BadInput, ExternalDirectoryIsNone) {
  write_file(root_ / "file", "x");
  expect_mount_refused(root_ / "file", mountpoint_, cache_, {"external directory", "file", "Not a directory"});
  expect_mount_refused("/dev/null", mountpoint_, cache_, {"/dev/null", "Not a directory"});
}

TEST_F(BadInput, ExternalDirectoryMayNotBeRead) {
  ::chmod(external_.c_str(), 0700);
  ::chown(mountpoint_.c_str(), kNobody, kNobody);
  const std::string own = root_.make("own");
  ::chown(own.c_str(), kNobody, kNobody);
  // Copied, because the build tree may be closed to other users.
  fs::copy_file(FOREBAY_BINARY, root_ / "forebay");
  const Words words = {root_ / "forebay", "mount", external_, mountpoint_, "--cache", own + "/cache"};
  expect_refused(words, {"external directory", external_, "Permission denied"}, {.user = kNobody});
}

TEST_F(BadInput, MountpointIsMissing) {
  expect_mount_refused(external_, root_ / "nomount", cache_, {"mountpoint", "nomount", "No such file"});
}

TEST_F(BadInput, MountpointIsNoDirectory) {
  write_file(root_ / "file", "x");
  expect_mount_refused(external_, root_ / "file", cache_, {"mountpoint", "file", "Not a directory"});
}

TEST_F(BadInput, MountpointIsNotEmpty) {
  write_file(mountpoint_ + "/.hidden", "x");
  expect_mount_refused(external_, mountpoint_, cache_, {"mountpoint", mountpoint_, "not empty"});
}

TEST_F(BadInput, MountpointMayNotBeWritten) {
  const std::string own = root_.make("own");
  ::chown(own.c_str(), kNobody, kNobody);
  fs::copy_file(FOREBAY_BINARY, root_ / "forebay");
  const Words words = {root_ / "forebay", "mount", external_, mountpoint_, "--cache", own + "/cache"};
  expect_refused(words, {"mountpoint", mountpoint_, "Permission denied"}, {.user = kNobody});
}

TEST_F(BadInput, DirectoriesLieInOneAnother) {
  const std::string in_external = root_.make("external/deep/mount");
  expect_mount_refused(external_, external_, cache_, {"mountpoint", "is the external directory itself"});
  expect_mount_refused(external_, in_external, cache_, {"mountpoint", in_external, "inside the external directory"});
  const std::string outer = root_.make("outer"), in_outer = root_.make("outer/external");
  expect_mount_refused(in_outer, outer, cache_, {"external directory", in_outer, "inside the mountpoint", outer});
  expect_mount_refused(external_, mountpoint_, external_ + "/cache", {"cache directory", "inside the external"});
  expect_mount_refused(external_, mountpoint_, external_, {"cache directory", "is the external directory itself"});
  expect_mount_refused(in_outer, mountpoint_, outer, {"external directory", in_outer, "inside the cache directory"});
  expect_mount_refused(external_, mountpoint_, mountpoint_ + "/cache", {"cache directory", "inside the mountpoint"});
  expect_mount_refused(external_, in_outer, outer, {"mountpoint", in_outer, "inside the cache directory"});
}

TEST_F(BadInput, LinksAndDotsHideNothing) {
  root_.make("external/deep");
  fs::create_symlink(external_ + "/deep", root_ / "link");
  expect_mount_refused(external_, root_ / "link", cache_, {"mountpoint", "inside the external directory"});
  expect_mount_refused(root_ / "link/../../external", external_ + "/deep/", cache_, {"inside the external directory"});
  expect_mount_refused(external_, mountpoint_, root_ / "link/cache", {"cache directory", "inside the external"});
}

TEST_F(BadInput, OtherNamesOfADirectoryHideNothing) {
  const std::string other = root_.make("other");
  root_.make("external/deep");
  ASSERT_EQ(::mount(external_.c_str(), other.c_str(), nullptr, MS_BIND, nullptr), 0);
  expect_mount_refused(external_, other + "/deep", cache_, {"mountpoint", "inside the external directory"});
}

TEST_F(BadInput, RelativePathsAreTakenFromTheWorkingDirectory) {
  expect_refused({FOREBAY_BINARY, "mount", "external", "nomount", "--cache", "cache"}, {"mountpoint nomount"},
                 {.directory = root_.path()});
}

TEST_F(BadInput, CacheDirectoryCannotBeMade) {
  expect_mount_refused(external_, mountpoint_, root_ / "no/such/cache", {"cache directory", "no/such", "No such file"});
  write_file(root_ / "file", "x");
  expect_mount_refused(external_, mountpoint_, root_ / "file", {"cache directory", "file", "Not a directory"});
  expect_mount_refused(external_, mountpoint_, root_ / "file/cache", {"cache directory", "file", "Not a directory"});
  expect_mount_refused(external_, mountpoint_, "/proc/forebay", {"cache directory", "/proc/forebay"});
}

TEST_F(BadInput, CacheFileSystemIsReadOnly) {
  const std::string disk = root_.make("disk");
  ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", 0, "size=64m"), 0);
  fs::create_directory(disk + "/there");
  ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64m"), 0);
  expect_mount_refused(external_, mountpoint_, disk + "/cache", {"cache directory", disk, "Read-only file system"});
  expect_mount_refused(external_, mountpoint_, disk + "/there", {"cache directory", disk, "Read-only file system"});
}

TEST_F(BadInput, CacheFileSystemIsFull) {
  const std::string disk = root_.make("disk");
  ASSERT_EQ(::mount("none", disk.c_str(), "tmpfs", 0, "size=8m"), 0);
  write_file(disk + "/other", std::string(6 << 20, 'x'));
  expect_mount_refused(external_, mountpoint_, disk + "/cache", {"cache directory", disk, "No space left"});
}

TEST_F(BadInput, SeveralCacheDirectories) {
  Words words = mount_words(external_, mountpoint_, cache_);
  words.insert(words.end(), {"--cache", root_ / "second"});
  expect_refused(words, {"second", "not available in this version"});
}

TEST_F(BadInput, ConfigurationIsWrong) {
  const auto refused = [this](const std::string& setting, const Words& needles) {
    Words words = mount_words(external_, mountpoint_, cache_);
    words.insert(words.end(), {"--set", setting});
    expect_refused(words, needles);
  };
  refused("evict.hihg=90%", {"evict.hihg", "did you mean \"evict.high\"?"});
  refused("cache.capacity=many", {"cache.capacity", "many"});
  refused("cache.capacity=1MiB", {"cache.capacity", "at least"});
  refused("flush.mode=atomic", {"flush.mode", "not available in this version"});
  refused("evict.low=95%", {"evict.low", "evict.high"});
  refused("evict.low", {"evict.low", "KEY=VALUE"});
  refused("log.level=loud", {"log.level", "loud"});
  refused("log.target=" + (root_ / "no/such/log"), {"no/such/log", "No such file"});
}

TEST_F(BadInput, ConfigurationFileIsWrong) {
  const std::string file = root_ / "forebay.toml";
  const auto refused = [&](const std::string& text, const Words& needles) {
    write_file(file, text);
    Words words = mount_words(external_, mountpoint_, cache_);
    words.insert(words.end(), {"--config", file});
    expect_refused(words, needles);
    expect_refused({FOREBAY_BINARY, "config", "check", file}, needles);
  };
  refused("[evict]\nhihg = \"90%\"\n", {file + ":2: ", "evict.hihg", "evict.high"});
  refused("[evict]\nhigh = true\n", {file + ":2: ", "evict.high", "true or false"});
  refused("[evcit]\n", {file + ":1: ", "evcit", "evict"});
  refused("[evict\n", {file + ":1: "});
  refused("[evict]\nlow = \"99%\"\n", {"evict.low"});
  Words words = mount_words(external_, mountpoint_, cache_);
  words.insert(words.end(), {"--config", root_ / "nowhere.toml"});
  expect_refused(words, {"nowhere.toml", "No such file"});
}

TEST_F(BadInput, MountOptionIsUnknown) {
  Words words = mount_words(external_, mountpoint_, cache_);
  words.insert(words.end(), {"-o", "ro,noexce"});
  expect_refused(words, {"noexce", "did you mean \"noexec\"?"});
}

TEST_F(BadInput, ThereIsNoFuseDevice) {
  // In a mount namespace of its own, where /dev is empty.
  const auto quoted = [](const std::string& word) { return "'" + word + "'"; };
  std::string line = "mount -t tmpfs none /dev && exec";
  for (const std::string& word : mount_words(external_, mountpoint_, cache_)) line += " " + quoted(word);
  expect_refused({"unshare", "--mount", "sh", "-c", line}, {"/dev/fuse", "No such file"});
}

TEST_F(BadInput, PathsWithControlCharactersStayOnOneLine) {
  expect_mount_refused(root_ / "a\nb\x1b[31m", mountpoint_, cache_, {"a\\nb\\x1b[31m", "No such file"});
}

// The tests below need a cache that was in use.
class UsedCache : public BadInput {
 protected:
  void SetUp() override {
    BadInput::SetUp();
    const ProcessResult mounted = run_process(mount_words(external_, mountpoint_, cache_));
    ASSERT_TRUE(mounted.ok()) << describe(mounted);
    write_file(mountpoint_ + "/file", std::string(1 << 20, 'x'));
  }

  void unmount() {
    const ProcessResult unmounted = run_process({FOREBAY_BINARY, "unmount", mountpoint_});
    ASSERT_TRUE(unmounted.ok()) << describe(unmounted);
  }
};

TEST_F(UsedCache, MountpointIsTaken) {
  const ProcessResult again = run_process(mount_words(root_.make("second"), mountpoint_, root_ / "second-cache"));
  EXPECT_EQ(again.exit_status, 1);
  EXPECT_THAT(again.err, HasSubstr("a forebay mount is there already"));
  EXPECT_FALSE(fs::exists(root_ / "second-cache"));
  EXPECT_TRUE(is_mounted(mountpoint_)) << "the first one stays";
  EXPECT_EQ(fs::file_size(mountpoint_ + "/file"), 1u << 20);
}

TEST_F(UsedCache, CacheIsInUse) {
  const std::string second = root_.make("second");
  const ProcessResult again = run_process(mount_words(external_, second, cache_));
  EXPECT_EQ(again.exit_status, 1);
  EXPECT_THAT(again.err, HasSubstr(cache_));
  EXPECT_EQ(std::count(again.err.begin(), again.err.end(), '\n'), 1) << again.err;
  EXPECT_FALSE(is_mounted(second));
}

TEST_F(UsedCache, CacheBelongsToAnotherExternalDirectory) {
  unmount();
  const auto before = snapshot(cache_);
  const ProcessResult other = run_process(mount_words(root_.make("other"), mountpoint_, cache_));
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_THAT(other.err, HasSubstr(cache_));
  EXPECT_THAT(other.err, HasSubstr(external_));
  EXPECT_EQ(std::count(other.err.begin(), other.err.end(), '\n'), 1) << other.err;
  EXPECT_FALSE(is_mounted(mountpoint_));
  const auto after = snapshot(cache_);
  for (const auto& [path, attributes] : before) {
    if (path.ends_with("forebay.log")) continue;  // it may say why
    EXPECT_EQ(after.count(path) == 1 ? after.at(path) : "", attributes) << path;
  }
}

TEST_F(UsedCache, DatabaseIsCorrupt) {
  unmount();
  int corrupted = 0;
  for (const auto& entry : fs::directory_iterator(cache_)) {
    if (!entry.is_regular_file() || !read_file(entry.path()).starts_with("SQLite format 3")) continue;
    write_file(entry.path(), std::string(entry.file_size(), 'x'));
    ++corrupted;
  }
  ASSERT_GE(corrupted, 1) << "there is a database";
  const ProcessResult broken = run_process(mount_words(external_, mountpoint_, cache_));
  EXPECT_EQ(broken.exit_status, 1);
  EXPECT_THAT(broken.err, HasSubstr(cache_));
  EXPECT_EQ(std::count(broken.err.begin(), broken.err.end(), '\n'), 1) << broken.err;
  EXPECT_FALSE(is_mounted(mountpoint_));
}

TEST_F(BadInput, CacheDirectoryHoldsOtherFiles) {
  const std::string other = root_.make("documents");
  write_file(other + "/letter", "x");
  expect_mount_refused(external_, mountpoint_, other, {"cache directory", other});
}

TEST_F(BadInput, CommandLineIsWrong) {
  const std::pair<Words, Words> cases[] = {
      {{}, {"no command", "forebay --help"}},
      {{"frobnicate"}, {"\"frobnicate\"", "forebay --help"}},
      {{"mont", external_, mountpoint_}, {"\"mont\"", "did you mean \"mount\"?"}},
      {{"umount", mountpoint_}, {"did you mean \"unmount\"?"}},
      {{"mount", external_}, {"mount", "MOUNTPOINT"}},
      {{"mount", external_, mountpoint_, "more"}, {"\"more\""}},
      {{"mount", external_, mountpoint_, "--cahce", cache_}, {"\"--cahce\"", "did you mean \"--cache\"?"}},
      {{"mount", external_, mountpoint_, "--set"}, {"--set"}},
      {{"stat"}, {"PATH"}},
      {{"config"}, {"config", "no command"}},
      {{"config", "chekc", "x"}, {"\"chekc\"", "did you mean \"check\"?"}},
  };
  for (const auto& [words, needles] : cases) {
    Words all = {FOREBAY_BINARY};
    all.insert(all.end(), words.begin(), words.end());
    expect_refused(all, needles);
    EXPECT_EQ(run_process(all).exit_status, 2);
  }
}

TEST_F(BadInput, DaemonsSayWhatIsWrongWithTheirConfiguration) {
  const std::string config = root_ / "forebay.toml", secret = root_ / "secret", data = root_ / "data";
  write_file(secret, "too short");
  ASSERT_EQ(::chmod(secret.c_str(), 0600), 0);
  const struct {
    const char* daemon;
    std::string text;
    Words said;
  } cases[] = {
      {"mgmtd", "[mgmtd]\ndata = '" + data + "'\n", {"cluster.external", "is not set"}},
      {"mgmtd",
       "[cluster]\nexternal = '" + external_ + "'\n[mgmtd]\ndata = '" + data + "'\nlisten = '0.0.0.0:0'\n",
       {"0.0.0.0:0", "cluster.secret_file"}},
      {"mgmtd", "[cluster]\nsecret_file = '" + secret + "'\n", {secret, "at least 16"}},
      {"mgmtd", "[cluster]\nsecret_file = '" + root_.path() + "/none'\n", {"secret file", "No such file"}},
      {"mgmtd", "[cluster]\ntls_key = '/some/key'\n", {"cluster.tls_certificate", "all of them, or none"}},
      {"mgmtd",
       "[cluster]\ntls_certificate = '" + root_.path() + "/none'\ntls_key = '/some/key'\ntls_ca = '/some/ca'\n",
       {"cluster.tls_certificate " + root_.path() + "/none", "No such file"}},
      {"metad", "[metad]\ndata = '" + data + "'\nlisten = '127.0.0.1:0'\n", {"cluster.mgmtd", "is not set"}},
      {"metad", "[metad]\nlisten = 'somewhere'\n", {"metad.listen", "HOST:PORT"}},
      {"storaged", "[storaged]\ntargets = 'relative'\n", {"storaged.targets", "absolute path"}},
      {"storaged", "[storaged]\ntarget = '/x'\n", {"storaged.target", "storaged.targets"}},
  };
  for (const auto& [daemon, text, said] : cases) {
    write_file(config, text);
    expect_refused({FOREBAY_BINARY, daemon, "--config", config}, said);
  }
  expect_refused({FOREBAY_BINARY, "storaged", "--config", root_ / "nowhere.toml"}, {"nowhere.toml", "No such file"});
}

TEST_F(BadInput, PathsOutsideOfAMount) {
  for (const char* command : {"stat", "prefetch", "flush", "evict", "pin", "unpin"}) {
    expect_refused({FOREBAY_BINARY, command, "/etc/passwd"}, {"/etc/passwd", "not inside a forebay mount"});
    expect_refused({FOREBAY_BINARY, command, root_ / "nowhere"}, {"nowhere", "No such file"});
  }
  expect_refused({FOREBAY_BINARY, "status", mountpoint_}, {mountpoint_, "not inside a forebay mount"});
  expect_refused({FOREBAY_BINARY, "unmount", mountpoint_}, {mountpoint_, "not a forebay mount"});
  expect_refused({FOREBAY_BINARY, "unmount", root_ / "nowhere"}, {"nowhere", "No such file"});
  expect_refused({FOREBAY_BINARY, "unmount", "/"}, {"/: not a forebay mount"});
}

}  // namespace
}  // namespace forebay::test
