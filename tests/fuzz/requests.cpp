// Requests of any kind, to the real servers behind their dispatchers: a metadata server, a storage server and a
// management server on directories of their own, made anew for each input. See sequence.h for what an input is.
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "core/log.h"
#include "core/protocol/wire/convert.h"
#include "core/protocol/wire/mgmt.pb.h"
#include "meta/service/meta_dispatch.h"
#include "meta/service/peer_dispatch.h"
#include "mgmt/server.h"
#include "mgmt/service/mgmt_dispatch.h"
#include "storage/service/storage_dispatch.h"
#include "tests/fuzz/confine.h"
#include "tests/fuzz/sequence.h"
#include "tests/unit/meta/server_harness.h"
#include "tests/unit/protocol/request_runner.h"

namespace forebay::fuzz {
namespace {

using transport::Party;
using transport::Role;

// The target goes by both: the one is that of a cache in one process, the other the first of a cluster.
constexpr TargetId kMostTarget = 1;
// Lies beside the external tree. Nobody is ever told of it.
constexpr char kMarker[] = "marker-beside-9f2c";
constexpr uint32_t kRooms[] = {0, 1, 100, 4096, 64 << 10, 1 << 20, transport::kMostBulkBytes};

ino_t inode_of(const std::string& path) {
  struct stat found = {};
  require(::lstat(path.c_str(), &found) == 0, "what lies beside the tree is gone");
  return found.st_ino;
}

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void run(const Request& request);

 private:
  // Puts in what a peer could know and a fuzzer cannot guess: where there is no inode, that of the file at the path.
  void complete(google::protobuf::Message& message);
  void complete(wire::ExternalRef& ref);
  void complete(wire::Validator& version);
  google::protobuf::Service& service_of(ServiceKind kind);
  void look_at(const Request& request, const test::Answer& answer, uint32_t room) const;

  meta::MetaHarness harness_;
  std::unique_ptr<consistency::ExternalTree> tree_ = consistency::ExternalTree::open(harness_.outside("")).value();
  meta::MetaDispatch meta_{harness_.meta()};
  meta::PeerDispatch meta_peer_{harness_.meta()};
  storage::StorageDispatch storage_{
      [this](TargetId id) -> StorageService* { return id <= kMostTarget ? &harness_.storage() : nullptr; }};
  std::optional<mgmt::MgmtServer> mgmt_server_;
  std::optional<mgmt::MgmtDispatch> mgmt_;
  const Party peers_[4] = {{Role::kClient, "node-1", "", 1},
                           {Role::kClient, "node-2", "", 2},
                           {Role::kMeta, "node-1", "", 3},
                           {Role::kStorage, "node-1", "", 4}};
  std::optional<consistency::Probe> last_;
  ino_t forbidden_[3] = {};
};

World::World() {
  const std::string beside = harness_.outside("../beside");
  std::filesystem::create_directory(beside);
  test::write_file(beside + "/" + kMarker, kMarker);
  forbidden_[0] = inode_of(beside);
  forbidden_[1] = inode_of(beside + "/" + kMarker);
  forbidden_[2] = inode_of(harness_.outside(".."));
  test::write_file(harness_.outside("a"), std::string(10'000, 'a'));
  test::write_file(harness_.outside("b"), "");
  test::write_file(harness_.outside("hole"), "hole");
  constexpr uint64_t kHoleBytes = 3 << 20;
  std::filesystem::resize_file(harness_.outside("hole"), kHoleBytes);
  std::filesystem::create_directory(harness_.outside("d"));
  test::write_file(harness_.outside("d/inner"), "inner");
  std::filesystem::create_symlink("../beside", harness_.outside("link"));
  require(::mkfifo(harness_.outside("fifo").c_str(), 0600) == 0, "mkfifo");
}

World::~World() {
  for (const Party& peer : peers_) {
    meta_.session_ended(peer);
    storage_.session_ended(peer);
  }
  const std::string beside = harness_.outside("../beside");
  require(test::read_file(beside + "/" + kMarker) == kMarker, "what lies beside the tree was changed");
  for (const std::string& directory : {beside, harness_.outside("..")}) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const std::string name = entry.path().filename();
      require(name == kMarker || name == "beside" || name == "outside" || name == "cache0",
              "something was made beside the tree");
    }
  }
}

google::protobuf::Service& World::service_of(ServiceKind kind) {
  if (kind == ServiceKind::kMeta) return meta_;
  if (kind == ServiceKind::kStorage) return storage_;
  if (kind == ServiceKind::kMetaPeer) return meta_peer_;
  if (!mgmt_) {
    auto store = mgmt::Store::open(harness_.outside("../cache0/mgmt.db"));
    mgmt_server_.emplace(mgmt::MgmtServer::Options{"cluster-a", "/outside"}, std::move(store).value());
    require(mgmt_server_->load().has_value(), "mgmt");
    mgmt_.emplace(*mgmt_server_);
  }
  return *mgmt_;
}

void World::complete(wire::ExternalRef& ref) {
  if (ref.identity().inode() != 0) return;
  const auto fd = consistency::ExternalTree::open_child(tree_->root_fd(), ref.path().c_str(), O_PATH);
  const auto probe = fd ? tree_->probe_fd(fd->get()) : Result<consistency::Probe>(Failure(fd.error()));
  if (!probe) return;
  last_ = *probe;
  wire::encode(probe->identity, *ref.mutable_identity());
}

void World::complete(wire::Validator& version) {
  if (version.inode() == 0 && last_) wire::encode(last_->version, version);
}

void World::complete(google::protobuf::Message& message) {
  if (auto* const caching = dynamic_cast<wire::CachingFileRequest*>(&message); caching != nullptr) {
    complete(*caching->mutable_source());
    complete(*caching->mutable_version());
  } else if (auto* const flush = dynamic_cast<wire::FlushBeginRequest*>(&message); flush != nullptr) {
    complete(*flush->mutable_source());
  } else if (auto* const copy = dynamic_cast<wire::CopyOutRequest*>(&message); copy != nullptr) {
    complete(*copy->mutable_to());
  } else if (auto* const seen = dynamic_cast<wire::SeenRequest*>(&message); seen != nullptr) {
    complete(*seen->mutable_now());
  } else if (auto* const set = dynamic_cast<wire::SetVersionRequest*>(&message); set != nullptr) {
    complete(*set->mutable_to());
  }
}

void World::look_at(const Request& request, const test::Answer& answer, uint32_t room) const {
  require(answer.body.size() <= transport::kMostBodyBytes, "a reply that fits no frame");
  require(answer.bulk.size() <= room, "more bulk than there is room for");
  require(answer.body.find(kMarker) == std::string::npos && answer.bulk.find(kMarker) == std::string::npos,
          "a reply tells what lies beside the tree");
  if (answer.code != 0) {
    require(answer.code > 0 && answer.body.size() <= 4096, "an error that is none");
    return;
  }
  wire::EntryReply entry;
  if (request.descriptor()->output_type() == wire::EntryReply::descriptor() && entry.ParseFromString(answer.body)) {
    for (const ino_t inode : forbidden_) {
      require(entry.attributes().inode_number() != inode, "an entry of what lies beside the tree");
    }
  }
}

void World::run(const Request& request) {
  google::protobuf::Service& service = service_of(request.kind());
  const google::protobuf::MethodDescriptor* const method = request.descriptor();
  const std::unique_ptr<google::protobuf::Message> message(service.GetRequestPrototype(method).New());
  std::string body = request.body;
  if (message->ParseFromString(body)) {
    complete(*message);
    body = message->SerializeAsString();
  }
  const uint32_t room = kRooms[request.room % std::size(kRooms)];
  const bool breaks = (request.peer & 0x80) != 0;
  const test::Answer answer = test::ask(service, method->index(), peers_[request.peer % std::size(peers_)], body,
                                        {request.bulk, request.bulk.size() + (breaks ? 1 : 0), room});
  if (answer.came) look_at(request, answer, room);
}

}  // namespace
}  // namespace forebay::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  forebay::fuzz::confine();
  (void)forebay::start_log("stderr", "off");
  google::protobuf::SetLogHandler(nullptr);
  testing::FLAGS_gtest_throw_on_failure = true;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace forebay::fuzz;
  const std::vector<Request> sequence = parse_sequence({data, size});
  if (sequence.empty()) return 0;
  static const std::vector<std::string> usual = [] {
    { const World first; }
    return open_descriptors();
  }();
  {
    World world;
    for (const Request& request : sequence) world.run(request);
  }
  require_descriptors(usual);
  return 0;
}
