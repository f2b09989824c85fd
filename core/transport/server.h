// Server: takes connections, and serves the requests that come over them.
//
// Idle connections wait in an epoll set; the thread that is woken by one reads the request, serves it, replies, and
// gives the connection back: no request changes threads. There is a set, and a bounded number of threads, for each
// level of requests (kLevels), and one for who has not proved yet who he is. Threads are started when all of a set
// are busy.
//
// A level has further sets, one for each processor. A connection waits in that of the processor where its last request
// was asked, or where the network brought it, if that came alone; the threads of the set stay there. So a program that
// does one small thing after the other is served where it waits, and nobody else is woken. Requests that come at a time
// or have bulk are served wherever there is room.
#pragma once

#include <google/protobuf/service.h>
#include <sys/epoll.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/transport/address.h"
#include "core/transport/connection.h"
#include "core/transport/credentials.h"
#include "core/transport/event_pool.h"
#include "core/transport/handshake.h"
#include "core/transport/parked_reply.h"
#include "core/transport/reply_cache.h"

namespace forebay::transport {

struct ServerLimits {
  // For who has connected to say who he is.
  std::chrono::milliseconds greeting{10'000};
  // A client that is gone for longer than this is believed to be dead.
  std::chrono::milliseconds session_grace{5'000};
  // The same for one that knows us from before our start, see expect_client().
  std::chrono::milliseconds return_grace{15'000};
};

class Serving;

class Server {
 public:
  Server(Party self, Credentials credentials, ServerLimits limits = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before start(). Errors as listen_on(); EACCES for an address that others reach, without credentials.
  Status listen(Address& address);
  // Before start(). `service` outlives this.
  void add(uint32_t number, google::protobuf::Service& service);
  // Before start(). `ended` hears of each session of which no connection is left, some seconds after the last one
  // broke.
  void on_session_end(std::function<void(const Party&)> ended) { session_ended_ = std::move(ended); }

  // A client of an earlier run, which still has something here: its session ends if it does not come.
  void expect_client(uint64_t session);

  // Before start(), by who learns only then which cluster it is of.
  void set_cluster(const std::string& cluster) { self_.cluster = cluster; }

  // Before start(): requests of clients wait, those of servers do not, until admit_clients(). For a server whose start
  // needs others that need it.
  void hold_clients() { holding_ = true; }
  void admit_clients();

  Status start();
  // Ends all connections. Nobody hears of requests under way any more.
  void end_connections();
  // The same, then waits for the requests under way. The addresses are free after that.
  void stop();

  size_t connections();
  // Whether somebody of that role is connected.
  bool has(Role role);

 private:
  struct Client {
    std::unique_ptr<Connection> connection;
    Party peer;
    bool greeted = false;
    uint8_t level = 0;
    uint32_t processor = kNoProcessor;  // that its last request came from
    EventPool* pool = nullptr;          // that it waits in, or has come from
    // One thread after the other has it: the kernel sees to that, and this tells the language.
    mutable std::atomic<uint64_t> turns{0};
    std::shared_ptr<ParkedReply> parked;  // nothing comes before that is sent; guarded by the server's mutex_
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  };
  using ClientPtr = std::shared_ptr<Client>;
  struct SessionUse {
    Party peer;
    size_t connections = 0;
    std::chrono::steady_clock::time_point last_seen;
  };

  static constexpr uint32_t kRequests = EPOLLIN | EPOLLONESHOT, kEnd = EPOLLRDHUP | EPOLLONESHOT;
  static constexpr size_t kMostThreads = 256, kMostThreadsOfProcessor = 64, kMostGreeters = 8;
  static constexpr size_t kMostConnections = 16'384, kMostUngreeted = 256;

  EventPool& pool_of(uint8_t level, uint32_t processor);
  Status open(EventPool& pool);
  void accept_clients(int listener);
  void attend(uint64_t key);
  bool greet(uint64_t key, const ClientPtr& client);
  // What comes over it next wakes a thread of its level.
  void await(uint64_t key, Client& client, uint32_t events = kRequests);
  // Where it waits for its next request.
  EventPool& next_pool(const Client& client);
  enum class Served { kBroken, kAnswered, kParked };
  Served serve(uint64_t key, const ClientPtr& client);
  // Until the reply is sent, only the end of the connection is waited for.
  void park(uint64_t key, const ClientPtr& client, const Serving& serving);
  void serve_method(google::protobuf::Service& service, const google::protobuf::MethodDescriptor& method,
                    const Message& message, Serving& serving);
  void remove(uint64_t key);
  void keep_house();

  Party self_;
  const Credentials credentials_;
  const ServerLimits limits_;
  std::unordered_map<uint32_t, google::protobuf::Service*> services_;
  std::function<void(const Party&)> session_ended_;
  std::vector<UniqueFd> listeners_;
  EventPool greeting_{{kLevels - 1, kNoProcessor, kMostGreeters}};  // for who has not been greeted
  // By level, and then by processor; the first of each level is for all processors.
  const uint32_t processors_ = possible_processors();
  std::deque<EventPool> pools_;
  ReplyCache replies_;
  UniqueFd stop_event_;
  std::atomic<bool> stopping_{false};
  std::thread housekeeper_;

  std::mutex mutex_;  // what is below
  uint64_t next_key_ = 1;
  size_t ungreeted_ = 0;
  bool holding_ = false;
  std::vector<uint64_t> held_;  // greeted clients that nobody listens to yet
  std::unordered_map<uint64_t, ClientPtr> clients_;
  std::unordered_map<uint64_t, SessionUse> sessions_;
};

// EACCES if one of the addresses in the list may not be listened on without credentials; EINVAL.
Status check_listen(const Credentials& credentials, const std::string& addresses);

// Listens on all addresses of a list that is separated by commas.
Status listen_on_all(Server& server, const std::string& addresses);

}  // namespace forebay::transport
