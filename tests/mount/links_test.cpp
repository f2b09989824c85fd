// Several external directories in one mount, and directories whose files live in the cache alone.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

using namespace std::chrono_literals;

class Links : public MountTest {
 protected:
  Settings links() const { return {"links.external=home=" + home_, "links.transient=scratch"}; }
  Settings links_and(const std::string& setting) const {
    Settings all = links();
    all.push_back(setting);
    return all;
  }

  MountedCache cache_;
  const std::string home_ = cache_.root().make("home");
};

TEST_F(Links, ShowOtherDirectoriesBelowTheMountpoint) {
  write_file(cache_.outside("a"), "project");
  write_file(home_ + "/a", "home");
  cache_.mount({.settings = links()});
  EXPECT_EQ(names_in(cache_.mountpoint()), (std::set<std::string>{"a", "home", "scratch"}));
  EXPECT_EQ(read_file(cache_.inside("a")), "project");
  EXPECT_EQ(read_file(cache_.inside("home/a")), "home");
  const std::string content = noise(3 * kMiB);
  write_file(cache_.inside("home/new"), content);
  ASSERT_EQ(::rename(cache_.inside("home/a").c_str(), cache_.inside("home/b").c_str()), 0);
  EXPECT_EQ(read_file(home_ + "/b"), "home");
  cache_.unmount();
  EXPECT_EQ(content_difference(content, read_file(home_ + "/new")), "");
  EXPECT_EQ(names_in(cache_.outside("home")), (std::set<std::string>{})) << "the place is a place";
}

TEST_F(Links, TheCommandLineNamesThemToo) {
  write_file(home_ + "/a", "home");
  cache_.mount({.words = {"--link", "deep/home=" + home_, "--transient", "scratch"}});
  EXPECT_EQ(read_file(cache_.inside("deep/home/a")), "home");
  const Json status = cache_.status();
  ASSERT_EQ(status.at("links").size(), 2u);
  EXPECT_EQ(status["links"][0], (Json{{"directory", "deep/home"}, {"external", home_}, {"transient", false}}));
  EXPECT_EQ(status["links"][1], (Json{{"directory", "scratch"}, {"external", nullptr}, {"transient", true}}));
  cache_.unmount();
}

TEST_F(Links, TheirPlacesCannotBeTakenAway) {
  cache_.mount({.settings = links()});
  for (const char* place : {"home", "scratch"}) {
    EXPECT_EQ(::rmdir(cache_.inside(place).c_str()), -1);
    EXPECT_EQ(errno, EBUSY);
    EXPECT_EQ(::rename(cache_.inside(place).c_str(), cache_.inside("other").c_str()), -1);
    EXPECT_EQ(errno, EBUSY);
  }
  ASSERT_EQ(::mkdir(cache_.inside("empty").c_str(), 0755), 0);
  EXPECT_EQ(::rename(cache_.inside("empty").c_str(), cache_.inside("home").c_str()), -1);
  EXPECT_EQ(errno, EBUSY);
  write_file(cache_.inside("a"), "a");
  EXPECT_EQ(::rename(cache_.inside("a").c_str(), cache_.inside("home/a").c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(::link(cache_.inside("a").c_str(), cache_.inside("scratch/a").c_str()), -1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(names_in(cache_.mountpoint()), (std::set<std::string>{"a", "empty", "home", "scratch"}));
}

TEST_F(Links, NothingElseOnTheMachineSeesTheirMounts) {
  write_file(home_ + "/a", "home");
  cache_.mount({.settings = links()});
  EXPECT_EQ(names_in(cache_.outside("home")), (std::set<std::string>{}));
  EXPECT_EQ(read_file("/proc/self/mounts").find(cache_.outside("home")), std::string::npos);
}

TEST_F(Links, TransientFilesNeverGoOutside) {
  cache_.mount({.settings = links_and("flush.delay=100ms")});
  const std::string content = noise(2 * kMiB);
  write_file(cache_.inside("scratch/a"), content);
  {
    const OpenFile file(cache_.inside("scratch/a"), O_RDWR);
    EXPECT_EQ(file.sync(), 0);
  }
  write_file(cache_.inside("beside"), "goes out");
  ASSERT_TRUE(cache_.wait_until_clean());
  cache_.run({"flush", cache_.mountpoint(), "-r"});
  EXPECT_EQ(content_difference(content, read_file(cache_.inside("scratch/a"))), "");
  EXPECT_EQ(names_in(cache_.outside("scratch")), (std::set<std::string>{}));
  EXPECT_EQ(cache_.status().at("dirty_bytes"), 0);
  const Json facts = cache_.stat("scratch/a");
  EXPECT_EQ(facts.at("transient"), true);
  EXPECT_EQ(facts.at("dirty"), false);
  EXPECT_EQ(facts.at("cached"), true);
  EXPECT_EQ(cache_.stat("beside").at("transient"), false);
  const ProcessResult evicted = cache_.try_run("evict", "scratch/a");
  EXPECT_NE(evicted.exit_status, 0);
  EXPECT_NE(evicted.err.find("is transient"), std::string::npos) << evicted.err;
  EXPECT_EQ(content_difference(content, read_file(cache_.inside("scratch/a"))), "");
}

TEST_F(Links, TransientFilesSurviveAKillAndAnUnmount) {
  cache_.mount({.settings = links()});
  const std::string content = noise(kMiB + 77);
  write_file(cache_.inside("scratch/a"), content);
  ASSERT_EQ(::mkdir(cache_.inside("scratch/d").c_str(), 0700), 0);
  ASSERT_EQ(::rename(cache_.inside("scratch/a").c_str(), cache_.inside("scratch/d/b").c_str()), 0);
  ASSERT_EQ(::link(cache_.inside("scratch/d/b").c_str(), cache_.inside("scratch/c").c_str()), 0);
  write_file(cache_.inside("scratch/gone"), content);
  ASSERT_EQ(::unlink(cache_.inside("scratch/gone").c_str()), 0);
  const int64_t mtime = mtime_ns(cache_.inside("scratch/c"));
  ASSERT_TRUE(cache_.wait_for([](const Json& status) { return status.at("used_bytes") < 2 * kMiB; }));
  cache_.kill();
  cache_.mount({.settings = links()});
  EXPECT_EQ(content_difference(content, read_file(cache_.inside("scratch/d/b"))), "");
  EXPECT_EQ(mtime_ns(cache_.inside("scratch/c")), mtime);
  overwrite(cache_.inside("scratch/c"), 0, "new");
  cache_.unmount();
  cache_.mount({.settings = links()});
  std::string changed = content;
  changed.replace(0, 3, "new");
  EXPECT_EQ(content_difference(changed, read_file(cache_.inside("scratch/d/b"))), "");
  ASSERT_EQ(::unlink(cache_.inside("scratch/d/b").c_str()), 0);
  EXPECT_EQ(content_difference(changed, read_file(cache_.inside("scratch/c"))), "");
  ASSERT_EQ(::unlink(cache_.inside("scratch/c").c_str()), 0);
  EXPECT_TRUE(cache_.wait_for([](const Json& status) { return status.at("used_bytes") < kMiB; })) << cache_.status();
}

TEST_F(Links, TransientFilesStayWhenTheCacheIsFull) {
  write_file(cache_.outside("large"), noise(24 * kMiB, 3));
  cache_.mount({.settings = links_and("cache.capacity=16MiB")});
  const std::string content = noise(8 * kMiB);
  write_file(cache_.inside("scratch/a"), content);
  EXPECT_EQ(content_difference(noise(24 * kMiB, 3), read_file(cache_.inside("large"))), "");
  write_file(cache_.inside("goes-out"), noise(24 * kMiB, 4));
  EXPECT_EQ(content_difference(content, read_file(cache_.inside("scratch/a"))), "");
  {
    const OpenFile file(cache_.inside("scratch/more"), O_WRONLY | O_CREAT);
    int error = 0;
    for (int i = 0; i < 32 && error == 0; ++i) error = file.try_write_at(i * kMiB, noise(kMiB, 5));
    EXPECT_EQ(error, ENOSPC) << "nothing outside can take them";
  }
  EXPECT_EQ(content_difference(content, read_file(cache_.inside("scratch/a"))), "");
  struct statvfs room;
  ASSERT_EQ(::statvfs(cache_.inside("scratch/a").c_str(), &room), 0);
  EXPECT_LE(room.f_blocks * room.f_frsize, 16 * kMiB) << "the room that there is";
}

TEST_F(Links, WithDataThatIsNowhereElseNoneMayBeMissing) {
  cache_.mount({.settings = links()});
  write_file(cache_.inside("scratch/a"), "only here");
  cache_.unmount();
  const ProcessResult without = cache_.try_mount();
  EXPECT_NE(without.exit_status, 0);
  EXPECT_NE(without.err.find("is missing, and the cache has data that is nowhere else"), std::string::npos)
      << without.err;
  Settings more = links();
  more.front() += ",more=" + home_;
  cache_.mount({.settings = more});
  EXPECT_EQ(read_file(cache_.inside("scratch/a")), "only here");
  ASSERT_EQ(::unlink(cache_.inside("scratch/a").c_str()), 0);
  cache_.unmount();
  cache_.mount();
  EXPECT_EQ(names_in(cache_.inside("scratch")), (std::set<std::string>{}));
}

TEST_F(Links, WrongOnesAreRefusedAndNothingIsMounted) {
  struct Wrong {
    std::string setting, says;
  };
  const Wrong all[] = {
      {"links.external=home=" + home_ + "/none", home_ + "/none"},
      {"links.external=home=" + cache_.mountpoint(), "is the external directory itself"},
      {"links.external=home=" + cache_.cache(), "is the external directory itself"},
      {"links.external=../home=" + home_, "no directory below the mountpoint"},
      {"links.transient=a,a/b", "is below link"},
  };
  const TempDir elsewhere;
  ASSERT_EQ(::symlink(elsewhere.path().c_str(), cache_.outside("away").c_str()), 0);
  const ProcessResult led_away = cache_.try_mount({.settings = {"links.transient=away/scratch"}});
  EXPECT_NE(led_away.exit_status, 0);
  EXPECT_EQ(names_in(elsewhere.path()), (std::set<std::string>{})) << "nothing is made outside of the outside";
  ASSERT_EQ(::unlink(cache_.outside("away").c_str()), 0);
  for (const Wrong& wrong : all) {
    const ProcessResult refused = cache_.try_mount({.settings = {wrong.setting}});
    EXPECT_NE(refused.exit_status, 0) << wrong.setting;
    EXPECT_NE(refused.err.find(wrong.says), std::string::npos) << wrong.setting << ": " << refused.err;
  }
  EXPECT_EQ(names_in(cache_.external()), (std::set<std::string>{}));
}

}  // namespace
}  // namespace forebay::test
