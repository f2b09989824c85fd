// Requests that no program of ours sends: a member of the cluster may be broken, or somebody else's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/protocol/wire/convert.h"
#include "core/transport/handshake.h"
#include "meta/service/meta_dispatch.h"
#include "mgmt/server.h"
#include "mgmt/service/mgmt_dispatch.h"
#include "storage/service/storage_dispatch.h"
#include "tests/support/files.h"
#include "tests/unit/meta/server_harness.h"
#include "tests/unit/protocol/request_runner.h"

namespace forebay {
namespace {

using test::Answer;
using test::ask;
using transport::Party;
using transport::Role;

// Values that are the edge of something, and none that anybody means.
constexpr uint64_t kHostileSizes[] = {uint64_t{1} << 63, UINT64_MAX - 1, UINT64_MAX};

class HostileRequests : public testing::Test {
 protected:
  static constexpr TargetId kTarget = 0;
  const Party client_{Role::kClient, "node-1", "", 1}, metad_{Role::kMeta, "node-2", "", 2},
      storaged_{Role::kStorage, "node-3", "", 3};

  template <typename Request>
  Answer meta(const std::string& method, const Request& request, const Party* peer = nullptr) {
    return ask(meta_dispatch_, method, peer == nullptr ? client_ : *peer, request);
  }
  template <typename Request>
  Answer storage(const std::string& method, Request request, const test::Extras& extras = {}) {
    request.set_target(kTarget);
    return ask(storage_dispatch_, method, metad_, request, extras);
  }
  static wire::NameRequest name_request(const std::string& name) {
    wire::NameRequest request;
    request.set_parent(kRootInode);
    request.set_name(name);
    return request;
  }
  static wire::FileRequest file_request(InodeId id) {
    wire::FileRequest request;
    request.set_id(id);
    return request;
  }
  // A file that is outside alone.
  InodeId outside_file(const std::string& name, const std::string& content) {
    test::write_file(harness_.outside(name), content);
    return harness_.lookup(name).id;
  }
  wire::CachingFileRequest caching_request(InodeId id, const std::string& path) {
    const consistency::Probe probe = tree_->probe_child(tree_->root_fd(), path.c_str()).value();
    CachingFileRequest request;
    request.id = id;
    request.source = {path, probe.identity, nullptr};
    request.version = probe.version;
    wire::CachingFileRequest message;
    wire::encode(request, message);
    return message;
  }

  meta::MetaHarness harness_;
  std::unique_ptr<consistency::ExternalTree> tree_ = consistency::ExternalTree::open(harness_.outside("")).value();
  meta::MetaDispatch meta_dispatch_{harness_.meta()};
  storage::StorageDispatch storage_dispatch_{
      [this](TargetId id) -> StorageService* { return id == kTarget ? &harness_.storage() : nullptr; }};
};

TEST_F(HostileRequests, NamesDoNotLeadOutOfTheirDirectory) {
  std::filesystem::create_directory(harness_.outside("sub"));
  test::write_file(harness_.outside("sub/file"), "content");
  test::write_file(harness_.outside("../beside"), "not ours");
  const InodeId file = outside_file("file", "content");
  const std::string no_names[] = {"",          ".",    "..", "../beside", "/etc/passwd", "sub/file",
                                  "sub/../..", "sub/", "/",  {"a\0b", 3}, {"\0", 1},     std::string(300, '/')};
  for (const std::string& name : no_names) {
    for (const char* method : {"Lookup", "Unlink", "Rmdir"}) {
      EXPECT_EQ(meta(method, name_request(name)).code, EINVAL) << method << " \"" << name << '"';
    }
    wire::MkdirRequest mkdir;
    mkdir.set_parent(kRootInode);
    mkdir.set_name(name);
    EXPECT_EQ(meta("Mkdir", mkdir).code, EINVAL) << name;
    wire::MknodRequest mknod;
    mknod.set_parent(kRootInode);
    mknod.set_name(name);
    mknod.set_mode(S_IFREG | 0600);
    EXPECT_EQ(meta("Mknod", mknod).code, EINVAL) << name;
    wire::SymlinkRequest symlink;
    symlink.set_parent(kRootInode);
    symlink.set_name(name);
    symlink.set_target("target");
    EXPECT_EQ(meta("Symlink", symlink).code, EINVAL) << name;
    wire::CreateRequest create;
    create.set_parent(kRootInode);
    create.set_name(name);
    create.set_mode(0600);
    EXPECT_EQ(meta("Create", create).code, EINVAL) << name;
    wire::LinkRequest link;
    link.set_id(file);
    link.set_new_parent(kRootInode);
    link.set_new_name(name);
    EXPECT_EQ(meta("Link", link).code, EINVAL) << name;
    wire::RenameRequest rename;
    rename.set_parent(kRootInode);
    rename.set_new_parent(kRootInode);
    rename.set_name("file");
    rename.set_new_name(name);
    EXPECT_EQ(meta("Rename", rename).code, EINVAL) << name;
    rename.set_name(name);
    rename.set_new_name("other");
    EXPECT_EQ(meta("Rename", rename).code, EINVAL) << name;
  }
  EXPECT_EQ(test::read_file(harness_.outside("../beside")), "not ours");
  EXPECT_EQ(test::read_file(harness_.outside("sub/file")), "content");
}

TEST_F(HostileRequests, ANameAsLongAsAMessageIsRefusedWithAShortText) {
  const Answer answer = meta("Unlink", name_request(std::string(3 << 20, 'x')));
  EXPECT_EQ(answer.code, ENAMETOOLONG);
  EXPECT_LT(answer.body.size(), 4096u);
}

TEST_F(HostileRequests, ALeaseBesideOthersWhereThereAreNoneIsRefused) {
  const InodeId id = outside_file("file", std::string(100'000, 'x'));
  ASSERT_TRUE(harness_.meta().open(harness_.root(), id, O_RDONLY));
  wire::ReadRequest read;
  read.set_id(id);
  read.set_bytes(10);
  ASSERT_EQ(storage("Read", read, {.room_bytes = 10}).code, 0);
  wire::DropRequest drop;
  drop.set_id(id);
  drop.set_bytes(40'960);
  ASSERT_EQ(storage("Drop", drop).code, 0);  // here, and not all of it
  for (const bool writes : {false, true}) {
    wire::LeaseRequest lease;
    lease.set_id(id);
    lease.set_beside(true);
    lease.set_writes(writes);
    const Answer answer = storage("Lease", lease);
    EXPECT_EQ(answer.code, EAGAIN) << answer.body;
    EXPECT_FALSE(answer.has_descriptor);
  }
  harness_.meta().release(id, O_RDONLY);
}

TEST_F(HostileRequests, ALeaseEndsInOrderThoughItsFileWasClosedLongAgo) {
  const InodeId id = harness_.create("file", "content");
  wire::LeaseRequest lease;
  lease.set_id(id);
  ASSERT_EQ(storage("Lease", lease).code, 0);
  // As many others as it takes to forget it.
  for (InodeId other = id + 1; other < id + 2000; ++other) storage("StatFile", file_request(other));
  EXPECT_EQ(storage("EndLeases", file_request(id)).code, 0);
  EXPECT_EQ(storage("EndLeases", file_request(id)).code, 0);
  EXPECT_EQ(harness_.read(id), "content");
}

// The one that began it may have been killed.
TEST_F(HostileRequests, AFlushThatBeganMayBeginAgain) {
  const InodeId id = harness_.create("file", "content");
  wire::FlushBeginRequest begin;
  begin.set_id(id);
  *begin.mutable_source() = caching_request(id, "file").source();
  for (int i = 0; i < 2; ++i) {
    const Answer begun = storage("FlushBegin", begin);
    ASSERT_EQ(begun.code, 0) << begun.body;
  }
  EXPECT_EQ(storage("FlushMove", file_request(id)).code, 0);
  EXPECT_EQ(storage("FlushMove", file_request(id)).code, 0);
  EXPECT_EQ(storage("FlushCommit", file_request(id)).code, 0);
  EXPECT_EQ(storage("FlushCommit", file_request(id)).code, ECANCELED);
  EXPECT_EQ(harness_.outside_content("file"), "content");
}

TEST_F(HostileRequests, LayoutsThatCannotBeAreRefused) {
  const InodeId id = outside_file("file", "content");
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, uint64_t{1} << 63, UINT64_MAX}) {
    wire::CachingFileRequest request = caching_request(id, "file");
    request.mutable_layout()->set_chunk_size_bytes(bytes);
    EXPECT_EQ(storage("CachingFile", request).code, EPROTO) << bytes;
  }
  for (const int targets : {0, 100'000}) {
    wire::CachingFileRequest request = caching_request(id, "file");
    request.mutable_layout()->mutable_targets()->Clear();
    for (int i = 0; i < targets; ++i) request.mutable_layout()->add_targets(kTarget);
    EXPECT_EQ(storage("CachingFile", request).code, EPROTO) << targets;
  }
}

TEST_F(HostileRequests, SizesThatNoFileHasAreRefused) {
  const InodeId id = outside_file("file", "content");
  for (const uint64_t size : kHostileSizes) {
    wire::CachingFileRequest caching = caching_request(id, "file");
    caching.mutable_version()->set_size(size);
    EXPECT_EQ(storage("CachingFile", caching).code, EFBIG) << size;
    wire::SeenRequest seen;
    seen.set_id(id);
    *seen.mutable_now() = caching.version();
    for (const char* method : {"Revert", "OutsideChanged", "SettleExpectation"}) {
      EXPECT_EQ(storage(method, seen).code, EFBIG) << method << ' ' << size;
    }
    wire::SetVersionRequest version;
    version.set_id(id);
    *version.mutable_to() = caching.version();
    EXPECT_EQ(storage("SetVersion", version).code, EFBIG) << size;
  }
  EXPECT_EQ(harness_.read(id), "content");
}

// What overflows is seen by the sanitizers.
TEST_F(HostileRequests, ANumberOfBlocksMayBeAnything) {
  const InodeId id = outside_file("file", "content");
  for (const uint64_t blocks : kHostileSizes) {
    wire::CachingFileRequest caching = caching_request(id, "file");
    caching.set_blocks(blocks);
    EXPECT_EQ(storage("CachingFile", caching).code, 0) << blocks;
    EXPECT_EQ(storage("CloseFiles", file_request(id)).code, 0);
  }
  EXPECT_EQ(harness_.read(id), "content");
}

// A FIFO would be waited for, and a device is no file of the tree.
TEST_F(HostileRequests, OnlyFilesAreOpenedOutside) {
  ASSERT_EQ(::mkfifo(harness_.outside("fifo").c_str(), 0600), 0);
  const InodeId id = harness_.lookup("fifo").id;
  wire::CachingFileRequest caching = caching_request(id, "fifo");
  caching.mutable_version()->set_size(10);
  EXPECT_EQ(storage("CachingFile", caching).code, EINVAL);
  // Where it is then, the metadata server says.
  wire::CachingFileRequest elsewhere = caching;
  elsewhere.mutable_source()->set_path("nowhere");
  EXPECT_EQ(storage("CachingFile", elsewhere).code, EINVAL);
  wire::FlushBeginRequest flush;
  flush.set_id(id);
  *flush.mutable_source() = caching.source();
  EXPECT_EQ(storage("FlushBegin", flush).code, EINVAL);
  wire::CopyOutRequest copy;
  copy.set_id(id);
  *copy.mutable_to() = caching.source();
  EXPECT_EQ(storage("CopyOut", copy).code, EINVAL);
}

TEST_F(HostileRequests, OnlyFilesBecomeDirty) {
  ASSERT_EQ(::mkfifo(harness_.outside("fifo").c_str(), 0600), 0);
  for (const InodeId id : {kRootInode, harness_.lookup("fifo").id}) {
    wire::MarkDirtyRequest dirty;
    dirty.set_id(id);
    EXPECT_EQ(meta("MarkDirty", dirty, &storaged_).code, EINVAL);
  }
  EXPECT_EQ(harness_.meta().status().dirty_files, 0u);
}

TEST_F(HostileRequests, RoomOnTargetsThatNobodyKnowsCostsNothing) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();
  for (TargetId target = 1000; target < 1100; ++target) {
    wire::MakeRoomRequest room;
    room.set_target(target);
    EXPECT_EQ(meta("MakeRoom", room, &storaged_).code, 0);
    room.set_bytes(UINT64_MAX);
    EXPECT_EQ(meta("MakeRoom", room, &storaged_).code, ENOSPC);
  }
  EXPECT_LE(threads(), before);
}

TEST_F(HostileRequests, DataThatComesWithAReadDoesNotDisturbItsReply) {
  const std::string data(200'000, 'x');
  for (const char* name : {"first", "second"}) {
    // Fetched just now, the reply lies in memory.
    const InodeId id = outside_file(name, std::string(100, 'a'));
    ASSERT_TRUE(harness_.meta().open(harness_.root(), id, O_RDONLY));
    wire::ReadRequest read;
    read.set_id(id);
    read.set_bytes(100);
    const Answer answer = storage("Read", read, {.bulk = data, .room_bytes = 100});
    EXPECT_EQ(answer.code, 0);
    EXPECT_EQ(answer.bulk, std::string(100, 'a'));
    harness_.meta().release(id, O_RDONLY);
  }
}

TEST_F(HostileRequests, TextsOfErrorsAreShort) {
  std::filesystem::create_directory(harness_.outside("d"));
  std::string path;
  while (path.size() < 100'000) path += "d/../";
  const InodeId id = outside_file("file", "content");
  wire::CopyOutRequest copy;
  copy.set_id(id);
  *copy.mutable_to() = caching_request(id, "file").source();
  copy.mutable_to()->set_path(path + "d");
  const Answer answer = storage("CopyOut", copy);
  EXPECT_NE(answer.code, 0);
  EXPECT_LE(answer.body.size(), 4096u);
}

// A reply that no frame carries.
class HugeValue final : public wire::Meta {
 public:
  void Getxattr(google::protobuf::RpcController*, const wire::XattrRequest*, wire::BytesReply* reply,
                google::protobuf::Closure*) override {
    reply->set_value(std::string(transport::kMostBodyBytes + 1, 'x'));
  }
};

TEST_F(HostileRequests, AReplyThatIsTooLargeIsAnError) {
  HugeValue service;
  EXPECT_EQ(ask(service, "Getxattr", client_, wire::XattrRequest()).code, EMSGSIZE);
}

// --- mgmtd
class HostileReports : public testing::Test {
 protected:
  Answer report(const wire::ServerInfo& server) { return ask(dispatch_, "Report", peer_, server); }
  static wire::ServerInfo server(const std::string& identity) {
    wire::ServerInfo info;
    info.set_role(static_cast<uint32_t>(ServerInfo::Role::kStorage));
    info.set_identity(identity);
    return info;
  }

  const Party peer_{Role::kStorage, "node-1", "", 1};
  mgmt::MgmtServer service_;
  mgmt::MgmtDispatch dispatch_{service_};
};

TEST_F(HostileReports, WhatCannotBeAServerIsRefused) {
  const std::string huge(1 << 20, 'x');
  std::vector<wire::ServerInfo> servers;
  servers.push_back(server(huge));
  servers.push_back(server("a"));
  servers.back().set_node(huge);
  servers.push_back(server("a"));
  servers.back().add_addresses(huge);
  servers.push_back(server("a"));
  for (int i = 0; i < 100'000; ++i) servers.back().add_addresses("x:1");
  servers.push_back(server("a"));
  for (int i = 0; i < 10'000; ++i) servers.back().add_targets()->set_identity(std::to_string(i));
  servers.push_back(server("a"));
  servers.back().add_targets()->set_path(huge);
  for (const wire::ServerInfo& hostile : servers) EXPECT_EQ(report(hostile).code, EINVAL);
  EXPECT_TRUE(service_.cluster()->servers.empty());
}

TEST_F(HostileReports, ThereIsAnEndOfServers) {
  int known = 0;
  Answer last;
  for (int i = 0; i < 100'000 && last.code == 0; ++i, ++known) last = report(server("server " + std::to_string(i)));
  EXPECT_EQ(last.code, ENOSPC);
  EXPECT_LT(known, 100'000);
  EXPECT_EQ(report(server("server 0")).code, 0) << "who is known goes on reporting";
}

}  // namespace
}  // namespace forebay
