// A real metadata server and a real storage server behind their dispatchers, and the remote stubs as a client has them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/protocol/remote_meta.h"
#include "core/protocol/remote_storage.h"
#include "core/protocol/wire/services.h"
#include "core/transport/server.h"
#include "meta/service/meta_dispatch.h"
#include "storage/service/storage_dispatch.h"
#include "tests/unit/meta/server_harness.h"

namespace forebay {

enum class Over { kUnix, kTcp };
inline std::string name_of_sockets(const testing::TestParamInfo<Over>& tested) {
  return tested.param == Over::kUnix ? "Unix" : "Tcp";
}

class RemoteServicesTest : public testing::TestWithParam<Over> {
 protected:
  using Channel = transport::Channel;
  using Party = transport::Party;
  using Role = transport::Role;
  static constexpr std::chrono::seconds kSoon{20};
  static constexpr TargetId kTarget = 0, kNoTarget = 7;

  // One peer, with its session.
  struct Peer {
    Peer(const transport::Address& address, Role role, TargetId target = kTarget)
        : self{role, "node-1", "", transport::random_number()},
          meta_channel({address}, wire::kMetaServiceNumber, self, {}),
          storage_channel({address}, wire::kStorageServiceNumber, self, {}),
          meta(meta_channel),
          storage(storage_channel, target) {}
    const Party self;
    Channel meta_channel, storage_channel;
    RemoteMeta meta;
    RemoteStorage storage;
  };

  void SetUp() override {
    if (GetParam() == Over::kUnix) {
      address_.path = dir_ / "socket";
    } else {
      address_.host = "127.0.0.1";
    }
    server_.add(wire::kMetaServiceNumber, meta_dispatch_);
    server_.add(wire::kStorageServiceNumber, storage_dispatch_);
    server_.on_session_end([this](const Party& peer) {
      meta_dispatch_.session_ended(peer);
      storage_dispatch_.session_ended(peer);
      {
        const std::lock_guard lock(ended_mutex_);
        ended_.insert(peer.session);
      }
      ended_changed_.notify_all();
    });
    const Status listening = server_.listen(address_);
    ASSERT_TRUE(listening) << listening.error().message();
    ASSERT_TRUE(server_.start());
    client_ = std::make_unique<Peer>(address_, Role::kClient);
  }
  void TearDown() override {
    client_.reset();
    server_.stop();
  }

  RemoteMeta& meta() { return client_->meta; }
  RemoteStorage& storage() { return client_->storage; }
  InodeId create(const std::string& name, const std::string& content, int flags = O_RDWR) {
    const Result<CreateReply> made = meta().create(root_, kRootInode, name, 0644, flags);
    EXPECT_TRUE(made) << made.error().message();
    if (!made) return 0;
    if (!content.empty()) {
      const Status written = storage().write(made->id, 0, content);
      EXPECT_TRUE(written) << written.error().message();
    }
    return made->id;
  }
  std::string read(InodeId id, size_t most) {
    std::string buffer(most, '?');
    const Result<size_t> bytes = storage().read(id, 0, buffer);
    EXPECT_TRUE(bytes) << bytes.error().message();
    buffer.resize(bytes.value_or(0));
    return buffer;
  }
  // True when the server has noticed it.
  bool client_is_gone() {
    const uint64_t session = client_->self.session;
    client_.reset();
    std::unique_lock lock(ended_mutex_);
    return ended_changed_.wait_for(lock, kSoon, [&] { return ended_.contains(session); });
  }
  int lookup_error(const std::string& name) {
    const Result<EntryReply> entry = meta().lookup(root_, kRootInode, name);
    if (!entry) return entry.error().code;
    if (entry->id == 0) return ENOENT;
    meta().forget(entry->id, 1);
    return 0;
  }

  test::TempDir dir_;
  transport::Address address_;
  const Caller root_;
  meta::MetaHarness harness_;
  meta::MetaDispatch meta_dispatch_{harness_.meta()};
  storage::StorageDispatch storage_dispatch_{
      [this](TargetId id) -> StorageService* { return id == kTarget ? &harness_.storage() : nullptr; }};
  std::mutex ended_mutex_;
  std::condition_variable ended_changed_;
  std::set<uint64_t> ended_;  // sessions
  transport::Server server_{{Role::kMeta, "server", "cluster-a"}, {}, {.session_grace = std::chrono::milliseconds(50)}};
  std::unique_ptr<Peer> client_;
};

}  // namespace forebay
