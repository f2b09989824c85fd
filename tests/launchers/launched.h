// Hosts of their own, and forebay cluster start and stop on them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/support/files.h"
#include "tests/support/mounted_cache.h"
#include "tests/support/real_hosts.h"

namespace forebay::test {

using Words = std::vector<std::string>;

constexpr int kHosts = 3;

inline size_t lines_of(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Launched : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    hosts_.emplace(kHosts);
    write_file(hosts_->shared("nodes"), "n[1-3]\n");
    write_file(hosts_->external() + "/file", "content");
  }

  // Shells, and pdsh, have their own ideas of such a name.
  std::string data() const { return hosts_->own("data 100%h's"); }
  std::string inside(const std::string& name = "") const { return hosts_->own("fast") + "/" + name; }

  Words command(const std::string& what, const std::string& launcher, const Words& more = {}) const {
    Words words = {
        hosts_->program(),  "cluster",    what,    "-n", hosts_->shared("nodes"), "-d", data(), "-c", inside(), "-l",
        hosts_->external(), "--launcher", launcher};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  void expect_nothing_runs() const {
    for (int host = 1; host <= kHosts; ++host) {
      EXPECT_EQ(hosts_->run(host, "pgrep -r D,R,S,T -a forebay; :"), "") << host;
      EXPECT_EQ(hosts_->run(host, "grep fuse.forebay /proc/self/mounts; :"), "") << host;
      EXPECT_EQ(hosts_->run(host, "find /tmp -mindepth 1"), "") << host;
    }
    EXPECT_EQ(names_in(hosts_->external()).count("file"), 1u);
    for (const std::string& name : names_in(hosts_->external()))
      EXPECT_THAT(name, testing::Not(testing::StartsWith(".forebay")));
  }

  void expect_no_data() const {
    for (int host = 1; host <= kHosts; ++host) EXPECT_FALSE(exists(hosts_->from_outside(host, "data 100%h's"))) << host;
  }

  std::optional<RealHosts> hosts_;
};

}  // namespace forebay::test
