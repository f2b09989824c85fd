// Channel: requests to one server, over as many connections as there are requests under way.
//
// A request that finds its connection broken is sent again, with the same number, until its deadline: the server is
// started anew, or was out of reach. A server that is still the same recognises the number and does it only once.
#pragma once

#include <google/protobuf/service.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "core/transport/address.h"
#include "core/transport/call.h"
#include "core/transport/credentials.h"

namespace forebay::transport {

class Channel final : public google::protobuf::RpcChannel {
 public:
  // `addresses`: of the one server, the best first. `service`: its number there.
  Channel(std::vector<Address> addresses, uint32_t service, Party self, Credentials credentials);
  ~Channel() override;

  // One request, there and back. `controller`: a Call, which has the result. Thread safe.
  void CallMethod(const google::protobuf::MethodDescriptor* method, google::protobuf::RpcController* controller,
                  const google::protobuf::Message* request, google::protobuf::Message* reply,
                  google::protobuf::Closure* done) override;
  // The same in two halves, so that several servers work at a time. Each begin() is followed by an end(), in the same
  // thread.
  void begin(const google::protobuf::MethodDescriptor* method, Call& call, const google::protobuf::Message& request);
  void end(Call& call, google::protobuf::Message& reply);

  // Ends all requests under way and to come with ECANCELED. Thread safe.
  void shut_down();
  // True if descriptors can come with replies.
  bool is_local() const { return addresses_.front().is_unix(); }
  const std::string& name() const { return name_; }

 private:
  // Of each level: those who wait must leave some for those they wait for.
  static constexpr size_t kMostConnections = 512;

  // The server expects the next request from where the last one came.
  struct Idle {
    std::unique_ptr<Connection> connection;
    uint32_t processor = kNoProcessor;
  };

  Result<std::unique_ptr<Connection>> take(Call& call);
  static std::unique_ptr<Connection> take_nearest(std::vector<Idle>& idle, uint32_t processor);
  Result<std::unique_ptr<Connection>> connect(Call& call);
  void give_back(Call& call);
  // `why` says whether the others are worth keeping.
  void broken(Call& call, const Error& why);
  // The caller holds mutex_.
  void drop_idle();
  Status send(Call& call);
  Status receive(Call& call, google::protobuf::Message& reply, bool* answered);
  Status repeat(Call& call, google::protobuf::Message& reply, Status last);
  bool is_hopeless(const Error& error) const;

  const std::vector<Address> addresses_;
  const std::string name_;
  const uint32_t service_;
  const Credentials credentials_;
  Party self_;  // guarded by mutex_ where the cluster is learnt

  std::atomic<bool> shut_down_{false};

  std::mutex mutex_;
  std::condition_variable free_;
  std::array<size_t, kLevels> connections_{};  // by level, with those in use
  std::array<std::vector<Idle>, kLevels> idle_;
  std::vector<Connection*> busy_;  // to be shut down
};

}  // namespace forebay::transport
