// Makes and removes network namespaces: needs root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/cluster/netns.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::string all_namespaces() { return test::run_process({"ip", "netns", "list"}).out; }

class Netns : public testing::Test {
 protected:
  ~Netns() override { EXPECT_TRUE(launcher_->remove_network()); }

  Outcome run(const std::string& host, const std::vector<std::string>& words) const {
    return launcher_->run({{host, words, ""}}, {.deadline = 20s}).front();
  }

  const test::TempDir data_;
  const NetnsNames names_ = NetnsNames::of(data_.path());
  const std::unique_ptr<Launcher> launcher_ = make_netns_launcher({"one", "two"}, data_.path()).value();
};

TEST(NetnsNames, BelongToOneDataDirectory) {
  const NetnsNames a = NetnsNames::of("/a"), b = NetnsNames::of("/b");
  EXPECT_THAT(a.bridge_namespace, testing::MatchesRegex("fb-[0-9a-f]+"));
  EXPECT_NE(a.bridge_namespace, b.bridge_namespace);
  EXPECT_EQ(a.host_namespace("n1"), a.bridge_namespace + "-n1");
  EXPECT_EQ(a.address(0), a.subnet + "1");
}

TEST_F(Netns, ConnectsHostsAndLeavesNothing) {
  const std::string links = test::run_process({"ip", "-o", "link"}).out;
  ASSERT_TRUE(launcher_->make_network());
  EXPECT_EQ(launcher_->address_of("two").value(), names_.address(1));
  EXPECT_EQ(test::run_process({"ip", "-o", "link"}).out, links) << "the machine's own network was touched";
  EXPECT_THAT(run("one", {"ip", "-o", "-4", "address"}).out, HasSubstr(names_.address(0) + "/24"));
  // A connection from one to two.
  const std::string server =
      "import socket as s; l = s.create_server(('" + names_.address(1) + "', 7700)); l.accept()[0].sendall(b'hello')";
  const std::string client = "import socket as s, time\nfor i in range(100):\n  try:\n    c = s.create_connection(('" +
                             names_.address(1) +
                             "', 7700)); break\n  except OSError: time.sleep(0.1)\nprint(c.recv(9))";
  const auto outcomes = launcher_->run({{"two", {"python3", "-c", server}, ""}, {"one", {"python3", "-c", client}, ""}},
                                       {.deadline = 30s});
  EXPECT_TRUE(outcomes[0].ok()) << outcomes[0].err;
  EXPECT_EQ(outcomes[1].out, "b'hello'\n") << outcomes[1].err;
  ASSERT_TRUE(launcher_->remove_network());
  EXPECT_THAT(all_namespaces(), Not(HasSubstr(names_.bridge_namespace)));
  EXPECT_TRUE(launcher_->remove_network()) << "gone is gone";
}

TEST_F(Netns, KeepsWhatIsThereAndMendsTheRest) {
  ASSERT_TRUE(launcher_->make_network());
  const std::string index = run("one", {"cat", "/proc/self/net/dev_snmp6/eth0"}).out;
  ASSERT_TRUE(launcher_->make_network());
  EXPECT_EQ(run("one", {"cat", "/proc/self/net/dev_snmp6/eth0"}).out.substr(0, 20), index.substr(0, 20));
  // The bridge is gone, and with it all cables; a namespace was unmounted by hand and left its file.
  ASSERT_TRUE(test::run_process({"ip", "netns", "delete", names_.bridge_namespace}).ok());
  ASSERT_TRUE(test::run_process({"umount", "/run/netns/" + names_.host_namespace("two")}).ok());
  ASSERT_TRUE(launcher_->make_network());
  // The kernel notices the other end of a cable a moment later.
  const std::string up = "until ip -o link show dev eth0 | grep -q 'state UP'; do sleep 0.05; done";
  EXPECT_TRUE(run("one", {"timeout", "10", "sh", "-c", up}).ok());
  EXPECT_THAT(run("two", {"ip", "-o", "-4", "address"}).out, HasSubstr(names_.address(1) + "/24"));
}

TEST_F(Netns, MountsAreTheCallersMounts) {
  ASSERT_TRUE(launcher_->make_network());
  const std::string where = data_.make("where");
  ASSERT_TRUE(run("one", {"mount", "-t", "tmpfs", "none", where}).ok());
  EXPECT_TRUE(test::is_mounted(where));
  ASSERT_TRUE(run("two", {"umount", where}).ok());
  EXPECT_FALSE(test::is_mounted(where));
}

TEST_F(Netns, WithoutANetworkTheMachineItselfIsLookedAt) { EXPECT_TRUE(run("one", {"true"}).ok()); }

TEST(NetnsLauncher, HasRoomForOneSubnet) {
  EXPECT_THAT(make_netns_launcher(std::vector<std::string>(255, "x"), "/d").error().context,
              HasSubstr("at most 254 hosts; the node file has 255"));
}

}  // namespace
}  // namespace forebay::cli
