#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cluster/node_file.h"
#include "tests/support/temp_dir.h"

namespace forebay::cli {
namespace {

using Hosts = std::vector<std::string>;

struct NodeFileRow {
  std::string text;
  Hosts hosts;
};

TEST(NodeFile, TakesTheFormsThatPeopleHave) {
  const std::vector<NodeFileRow> rows = {
      {"a\nb\n", {"a", "b"}},
      {"a", {"a"}},
      {"# the first\n\n  a  # comment\n\tb\r\n", {"a", "b"}},
      {"a slots=4 max-slots=8\nb 16\n", {"a", "b"}},
      {"a:4\nb:2\n", {"a", "b"}},
      {"a,b,c:3\n", {"a", "b", "c"}},
      {"node[01-03,07]\n", {"node01", "node02", "node03", "node07"}},
      {"node[9-11]-ib,login1\n", {"node9-ib", "node10-ib", "node11-ib", "login1"}},
      {"r[1-2]n[1-2]\n", {"r1n1", "r1n2", "r2n1", "r2n2"}},
      {"[1-2].example.org\n", {"1.example.org", "2.example.org"}},
      {"10.0.0.1\nhost_a.example.org\n", {"10.0.0.1", "host_a.example.org"}},
  };
  for (const NodeFileRow& row : rows) {
    const auto hosts = parse_node_file(row.text, "nodes");
    ASSERT_TRUE(hosts) << row.text << ": " << hosts.error().context;
    EXPECT_EQ(*hosts, row.hosts) << row.text;
  }
}

struct BadNodeFileRow {
  std::string text;
  std::string error;
};

TEST(NodeFile, SaysWhatIsWrongAndWhere) {
  const std::vector<BadNodeFileRow> rows = {
      {"", "nodes: there is no host in it"},
      {"\n# nothing\n \n", "nodes: there is no host in it"},
      {"a\nb\n\na\n", "nodes:4: a is in line 1 already"},
      {"node1\nNODE1\n", "nodes:2: NODE1 is in line 1 already"},
      {"node[1-3]\nnode2\n", "nodes:2: node2 is in line 1 already"},
      {"a\nb c\n", "nodes:2: \"c\" behind a host; write one host a line"},
      {"no/de\n", "nodes:1: \"no/de\" is no host name: it has \"/\""},
      {"n;reboot\n", "nodes:1: \"n;reboot\" is no host name: it has \";\""},
      {"user@host\n", "nodes:1: \"user@host\" is no host name: it has \"@\""},
      {"-oProxyCommand=x\n", "nodes:1: \"-oProxyCommand=x\" is no host name: it has \"=\""},
      {"-l\n", "nodes:1: \"-l\" is no host name"},
      {"..\n", "nodes:1: \"..\" is no host name"},
      {"a..b\n", "nodes:1: \"a..b\" is no host name"},
      {std::string(254, 'x'), "nodes:1: \"" + std::string(254, 'x') + "\" is no host name"},
      {"a:b\n", "nodes:1: \"a:b\" is no host name: it has \":\""},
      {":4\n", "nodes:1: a host has no name"},
      {"a,,b\n", "nodes:1: a host has no name"},
      {"node[1-\n", "nodes:1: \"node[1-\" has no \"]\""},
      {"node[]\n", "nodes:1: \"\" is no range of numbers"},
      {"node[a-c]\n", "nodes:1: \"a-c\" is no range of numbers"},
      {"node[4-1]\n", "nodes:1: \"4-1\" is a range that ends before it begins"},
      {"node[0-999999999]\n", "nodes:1: \"0-999999999\" are too many hosts"},
      {"n[0-99999]x[0-9]\n", "nodes:1: more than 100000 hosts"},
      {"node[99999999999999999999999]\n", "nodes:1: \"99999999999999999999999\" is no range of numbers"},
  };
  for (const BadNodeFileRow& row : rows) {
    const auto hosts = parse_node_file(row.text, "nodes");
    ASSERT_FALSE(hosts) << row.text;
    EXPECT_EQ(hosts.error().code, EINVAL);
    EXPECT_EQ(hosts.error().context, row.error);
  }
}

TEST(NodeFile, IsReadFromDisk) {
  const test::TempDir directory;
  test::write_file(directory / "nodes", "a\nb\n");
  EXPECT_EQ(read_node_file(directory / "nodes").value(), (Hosts{"a", "b"}));
  EXPECT_EQ(read_node_file(directory / "none").error().message(),
            "node file " + (directory / "none") + ": No such file or directory");
  EXPECT_EQ(read_node_file(directory.path()).error().code, EISDIR);
}

}  // namespace
}  // namespace forebay::cli
