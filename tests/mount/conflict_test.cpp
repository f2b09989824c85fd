// Both sides changed a file: what the three rules leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

using testing::HasSubstr;

class Conflict : public MountTest {
 protected:
  void mount(const std::string& rule) {
    write_file(cache_.outside("a"), "base");
    cache_.mount({.settings = {"flush.policy=manual", "consistency.validate=always", "consistency.conflict=" + rule}});
  }

  // The content of the file that was put beside `name`; empty if there is none.
  std::string kept_beside(const std::string& name) const {
    for (const std::string& found : names_in(cache_.external())) {
      if (found.starts_with(name + ".forebay-conflict-")) return read_file(cache_.outside(found));
    }
    return "";
  }

  MountedCache cache_;
};

TEST_F(Conflict, KeepBothPutsOursBesideAndSaysSo) {
  mount("keep-both");
  write_file(cache_.inside("a"), "ours");
  write_file(cache_.outside("a"), "theirs");
  const ProcessResult flushed = cache_.try_run("flush", "a");
  EXPECT_NE(flushed.exit_status, 0);
  EXPECT_THAT(flushed.err, HasSubstr("a.forebay-conflict-")) << "both are reported";
  EXPECT_EQ(read_file(cache_.outside("a")), "theirs");
  EXPECT_EQ(read_file(cache_.inside("a")), "theirs");
  EXPECT_EQ(kept_beside("a"), "ours");
  EXPECT_EQ(names_in(cache_.mountpoint()), names_in(cache_.external()));
  const Json status = cache_.status();
  EXPECT_EQ(status.at("conflicts"), 1);
  EXPECT_EQ(status.at("dirty_files"), 0);
}

// Ours is whole, also where it was never fetched.
TEST_F(Conflict, KeepBothKeepsOursWhole) {
  const std::string base = noise(1 << 20);
  mount("keep-both");
  write_file(cache_.outside("large"), base);
  EXPECT_EQ(content_difference(base, read_file(cache_.inside("large"))), "");
  overwrite(cache_.inside("large"), 1000, "ours");
  overwrite(cache_.outside("large"), 500'000, "theirs");
  cache_.try_run("flush", "large");
  std::string ours = base, theirs = base;
  ours.replace(1000, 4, "ours");
  theirs.replace(500'000, 6, "theirs");
  EXPECT_EQ(content_difference(theirs, read_file(cache_.outside("large"))), "");
  EXPECT_EQ(content_difference(ours, kept_beside("large")), "");
}

TEST_F(Conflict, CacheWinsReplacesTheirs) {
  mount("cache-wins");
  write_file(cache_.inside("a"), "ours");
  write_file(cache_.outside("a"), "theirs is longer");
  cache_.run("flush", "a");
  EXPECT_EQ(read_file(cache_.outside("a")), "ours");
  EXPECT_EQ(read_file(cache_.inside("a")), "ours");
  EXPECT_EQ(names_in(cache_.external()), std::set<std::string>{"a"});
}

TEST_F(Conflict, ExternalWinsDropsOurs) {
  mount("external-wins");
  write_file(cache_.inside("a"), "ours is longer");
  write_file(cache_.outside("a"), "theirs");
  cache_.try_run("flush", "a");
  EXPECT_EQ(read_file(cache_.outside("a")), "theirs");
  EXPECT_EQ(read_file(cache_.inside("a")), "theirs");
  EXPECT_EQ(names_in(cache_.external()), std::set<std::string>{"a"});
  EXPECT_EQ(cache_.status().at("dirty_files"), 0);
}

TEST_F(Conflict, DeletedOutsideWhileDirtyKeepsOursBeside) {
  mount("keep-both");
  write_file(cache_.inside("a"), "ours");
  ASSERT_EQ(::unlink(cache_.outside("a").c_str()), 0);
  cache_.try_run({"flush", cache_.mountpoint()});
  EXPECT_FALSE(exists(cache_.outside("a")));
  EXPECT_FALSE(exists(cache_.inside("a")));
  EXPECT_EQ(kept_beside("a"), "ours");
  cache_.unmount();
}

// Another file under the same name is not the one that was changed here.
TEST_F(Conflict, ReplacedOutsideWhileDirtyKeepsBoth) {
  mount("keep-both");
  write_file(cache_.inside("a"), "ours");
  write_file(cache_.outside("new"), "theirs");
  ASSERT_EQ(::rename(cache_.outside("new").c_str(), cache_.outside("a").c_str()), 0);
  cache_.try_run({"flush", cache_.mountpoint()});
  EXPECT_EQ(read_file(cache_.outside("a")), "theirs");
  EXPECT_EQ(read_file(cache_.inside("a")), "theirs");
  EXPECT_EQ(kept_beside("a"), "ours");
}

TEST_F(Conflict, ARenameOutsideIsNone) {
  mount("keep-both");
  write_file(cache_.inside("a"), "ours");
  ASSERT_EQ(::rename(cache_.outside("a").c_str(), cache_.outside("b").c_str()), 0);
  EXPECT_EQ(read_file(cache_.inside("b")), "ours");
  EXPECT_FALSE(exists(cache_.inside("a")));
  cache_.run({"flush", cache_.mountpoint()});
  EXPECT_EQ(read_file(cache_.outside("b")), "ours");
  cache_.unmount();
  EXPECT_EQ(names_in(cache_.external()), std::set<std::string>{"b"});
}

TEST_F(Conflict, IsFoundWhenTheOutsideChangedWhileNothingWasMounted) {
  mount("keep-both");
  write_file(cache_.inside("a"), "ours");
  cache_.kill();
  write_file(cache_.outside("a"), "theirs");
  cache_.mount();
  const ProcessResult unmounted = cache_.try_unmount();
  EXPECT_EQ(unmounted.exit_status, 0) << "all data is outside";
  EXPECT_THAT(unmounted.err, HasSubstr("a.forebay-conflict-")) << "both are reported";
  EXPECT_EQ(read_file(cache_.outside("a")), "theirs");
  EXPECT_EQ(kept_beside("a"), "ours");
}

}  // namespace
}  // namespace forebay::test
