#include "core/transport/server.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/stubs/callback.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "core/config.h"
#include "core/log.h"
#include "core/printable.h"
#include "core/transport/call.h"
#include "core/transport/serving.h"

namespace forebay::transport {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kGreetingLimit{2};
constexpr std::chrono::milliseconds kHousekeeping{1000}, kAcceptPause{50};

// The keys of listeners; a client's are below, and above EventPool::kStop.
constexpr uint64_t kListener = uint64_t{1} << 63;

// Some would otherwise see what a method did twice, see ReplyCache.
bool may_repeat(const google::protobuf::MethodDescriptor& method) {
  return method.options().idempotency_level() != google::protobuf::MethodOptions::IDEMPOTENCY_UNKNOWN;
}

// Where the next request of this connection will be best served.
uint32_t processor_of(const Header& request, const Connection& connection) {
  if (request.bulk_bytes > 0 || request.room_bytes > 0) return kNoProcessor;
  return connection.passes_descriptors() ? request.processor : incoming_processor(connection.poll_descriptor());
}

}  // namespace

Server::Server(Party self, Credentials credentials, ServerLimits limits)
    : self_(std::move(self)),
      credentials_(std::move(credentials)),
      limits_(limits),
      stop_event_(::eventfd(0, EFD_CLOEXEC)) {
  self_.session = random_number();
  for (uint8_t level = 0; level < kLevels; ++level) {
    pools_.emplace_back(EventPool::Options{level, kNoProcessor, kMostThreads});
    for (uint32_t i = 0; i < processors_; ++i)
      pools_.emplace_back(EventPool::Options{level, i, kMostThreadsOfProcessor});
  }
}

Server::~Server() { stop(); }

Status Server::listen(Address& address) {
  RETURN_IF_ERROR(check_listen(credentials_, address.text()));
  ASSIGN_OR_RETURN(UniqueFd listener, listen_on(address));
  listeners_.push_back(std::move(listener));
  return {};
}

void Server::add(uint32_t number, google::protobuf::Service& service) { services_[number] = &service; }

void Server::expect_client(uint64_t session) {
  const std::lock_guard lock(mutex_);
  SessionUse& expected = sessions_[session];
  expected.peer.role = Role::kClient;
  expected.peer.session = session;
  expected.last_seen = steady_clock::now() + limits_.return_grace - limits_.session_grace;
}

Status Server::start() {
  for (uint8_t level = 0; level < kLevels; ++level) RETURN_IF_ERROR(open(pool_of(level, kNoProcessor)));
  RETURN_IF_ERROR(open(greeting_));
  for (size_t i = 0; i < listeners_.size(); ++i) {
    RETURN_IF_ERROR(greeting_.watch(listeners_[i].get(), kListener | i, EPOLLIN | EPOLLEXCLUSIVE, EPOLL_CTL_ADD));
  }
  housekeeper_ = std::thread([this] { keep_house(); });
  return {};
}

void Server::end_connections() {
  if (stopping_.exchange(true)) return;
  greeting_.end();
  for (EventPool& pool : pools_) pool.end();
  ::eventfd_write(stop_event_.get(), 1);
  const std::lock_guard lock(mutex_);
  for (const auto& [key, client] : clients_) client->connection->shut_down();
}

void Server::stop() {
  end_connections();
  if (housekeeper_.joinable()) housekeeper_.join();
  greeting_.join();
  for (EventPool& pool : pools_) pool.join();
  listeners_.clear();
  const std::lock_guard lock(mutex_);
  clients_.clear();
}

size_t Server::connections() {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

bool Server::has(Role role) {
  const std::lock_guard lock(mutex_);
  return std::any_of(clients_.begin(), clients_.end(),
                     [role](const auto& client) { return client.second->greeted && client.second->peer.role == role; });
}

EventPool& Server::pool_of(uint8_t level, uint32_t processor) {
  return pools_[level * (processors_ + 1) + (processor < processors_ ? processor + 1 : 0)];
}

Status Server::open(EventPool& pool) {
  return pool.open(stop_event_.get(), [this](uint64_t key) {
    (key & kListener) != 0 ? accept_clients(listeners_[key & ~kListener].get()) : attend(key);
  });
}

void Server::accept_clients(int listener) {
  for (;;) {
    Result<UniqueFd> socket = accept_from(listener);
    if (!socket) {
      // No descriptors, perhaps: those who wait in the backlog are taken later, and until then they wake us at once.
      if (socket.error().code != EAGAIN) std::this_thread::sleep_for(kAcceptPause);
      return;
    }
    auto client = std::make_shared<Client>();
    const int descriptor = socket->get();
    const std::string peer = peer_text(descriptor);
    client->connection = connection_over(*std::move(socket), peer.empty() ? "a client" : "a client at " + peer,
                                         credentials_, TlsSide::kServer);
    uint64_t key = 0;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || ungreeted_ >= kMostUngreeted || clients_.size() >= kMostConnections) continue;
      key = next_key_++;
      ++ungreeted_;
      clients_[key] = client;
    }
    client->pool = &greeting_;
    if (!greeting_.watch(descriptor, key, EPOLLIN | EPOLLONESHOT, EPOLL_CTL_ADD)) remove(key);
  }
}

// Something came over the connection, or its end.
void Server::attend(uint64_t key) {
  ClientPtr client;
  std::shared_ptr<ParkedReply> parked;
  {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(key);
    if (found == clients_.end()) return;
    client = found->second;
    parked = client->parked;
  }
  (void)client->turns.load(std::memory_order_acquire);
  if (parked != nullptr) {
    parked->give_up();
    return remove(key);
  }
  if (client->greeted) {
    const Served served = serve(key, client);
    if (served == Served::kBroken) remove(key);
    if (served == Served::kAnswered) await(key, *client);
    return;
  }
  if (!greet(key, client)) return remove(key);
  if (client->peer.role == Role::kClient) {
    const std::lock_guard lock(mutex_);
    if (holding_) return held_.push_back(key);
  }
  await(key, *client);
}

EventPool& Server::next_pool(const Client& client) {
  EventPool& near = pool_of(client.level, client.processor);
  return !near.is_serving() && open(near) ? near : pool_of(client.level, kNoProcessor);
}

void Server::await(uint64_t key, Client& client, uint32_t events) {
  const int descriptor = client.connection->poll_descriptor();
  // What is in our hands already wakes nobody; a socket that can be written to does, at once.
  if (events == kRequests && client.connection->has_input()) events |= EPOLLOUT;
  EventPool& before = *client.pool;
  EventPool& pool = events == kEnd ? before : next_pool(client);
  const bool moves = &pool != &before;
  if (moves) before.unwatch(descriptor);
  client.pool = &pool;
  client.turns.fetch_add(1, std::memory_order_release);
  if (!pool.watch(descriptor, key, events, moves ? EPOLL_CTL_ADD : EPOLL_CTL_MOD)) remove(key);
}

// The way is opened last: from then on the connection is the replying thread's.
void Server::park(uint64_t key, const ClientPtr& client, const Serving& serving) {
  const std::shared_ptr<ParkedReply> parked = serving.parked();
  {
    const std::lock_guard lock(mutex_);
    client->parked = parked;
  }
  await(key, *client, kEnd);
  parked->open([this, key, weak = std::weak_ptr<Client>(client), request = serving.request()](const std::string& body) {
    const ClientPtr waiting = weak.lock();
    if (waiting == nullptr) return;
    Serving late(*waiting->connection, waiting->peer, request);
    late.reply_text(body);
    if (late.broken()) return remove(key);
    {
      const std::lock_guard lock(mutex_);
      waiting->parked = nullptr;
    }
    await(key, *waiting);
  });
}

void Server::admit_clients() {
  std::vector<std::pair<uint64_t, ClientPtr>> held;
  {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    for (const uint64_t key : held_) {
      if (const auto found = clients_.find(key); found != clients_.end()) held.emplace_back(key, found->second);
    }
    held_.clear();
  }
  for (const auto& [key, client] : held) await(key, *client);
}

bool Server::greet(uint64_t key, const ClientPtr& client) {
  const Result<Greeted> greeted =
      answer(*client->connection, self_, credentials_.secret, steady_clock::now() + kGreetingLimit);
  if (!greeted) {
    // Port scans and health checks come and go without a word.
    if (greeted.error().code != ECONNRESET) log(Module::kCore).warn("refused {}", printable(greeted.error().context));
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (!clients_.contains(key)) return false;  // it took too long
  client->peer = greeted->peer;
  client->level = greeted->level;
  client->greeted = true;
  --ungreeted_;
  SessionUse& session = sessions_[client->peer.session];
  session.peer = client->peer;
  ++session.connections;
  return true;
}

Server::Served Server::serve(uint64_t key, const ClientPtr& owner) {
  Client& client = *owner;
  const EventPool::Request counted(*client.pool);
  const Deadline deadline = steady_clock::now() + kTransferLimit;
  const Result<Message> message = client.connection->receive(deadline);
  if (!message) {
    if (message.error().code != ECONNRESET) {
      log(Module::kCore).warn("{} {}: {}", role_name(client.peer.role), client.peer.node, message.error().context);
    }
    return Served::kBroken;
  }
  if (message->header.kind != Kind::kRequest) return Served::kBroken;
  client.processor = processor_of(message->header, *client.connection);
  Serving serving(*client.connection, client.peer, message->header);
  const auto service = services_.find(service_of(message->header.method));
  const auto* methods = service == services_.end() ? nullptr : service->second->GetDescriptor();
  if (methods == nullptr || index_of(message->header.method) >= methods->method_count()) {
    serving.fail({ENOSYS, fmt::format("{} {}: does not know request {:#x}", role_name(self_.role), self_.node,
                                      message->header.method)});
  } else {
    serve_method(*service->second, *methods->method(index_of(message->header.method)), *message, serving);
  }
  if (serving.parked() != nullptr) {
    park(key, owner, serving);
    return Served::kParked;
  }
  if (!serving.replied()) serving.reply_text({});
  return serving.broken() ? Served::kBroken : Served::kAnswered;
}

void Server::serve_method(google::protobuf::Service& service, const google::protobuf::MethodDescriptor& method,
                          const Message& message, Serving& serving) {
  const bool once = !may_repeat(method);
  const uint64_t session = serving.peer().session, number = message.header.request;
  if (once) {
    if (const auto known = replies_.begin(session, number); known != nullptr) {
      if (known->error.code != 0) serving.fail(known->error);
      return serving.reply_text(known->body);
    }
  }
  alignas(std::max_align_t) char first_block[2048];  // most need no other
  google::protobuf::ArenaOptions options;
  options.initial_block = first_block;
  options.initial_block_size = sizeof(first_block);
  google::protobuf::Arena arena(options);
  google::protobuf::Message* const request = service.GetRequestPrototype(&method).New(&arena);
  google::protobuf::Message* const reply = service.GetResponsePrototype(&method).New(&arena);
  if (request->ParseFromString(message.body)) {
    // What a service has no method for, protobuf ends with this.
    static google::protobuf::Closure* const nothing =
        google::protobuf::NewPermanentCallback(&google::protobuf::DoNothing);
    service.CallMethod(&method, &serving, request, reply, nothing);
  } else {
    serving.fail({EPROTO, fmt::format("{}: a request that makes no sense", method.full_name())});
  }
  const std::string body = serving.Failed() || serving.replied() ? std::string() : reply->SerializeAsString();
  // Broken before a reply: its bulk did not come, so nothing was done.
  if (once && serving.broken()) replies_.abandon(session, number);
  if (once && !serving.broken()) replies_.finish(session, number, {serving.error(), body});
  if (!serving.replied() && serving.parked() == nullptr) serving.reply_text(body);
}

void Server::remove(uint64_t key) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  const Client& client = *found->second;
  if (client.greeted) {
    SessionUse& session = sessions_[client.peer.session];
    --session.connections;
    session.last_seen = steady_clock::now();
  } else {
    --ungreeted_;
  }
  clients_.erase(found);
}

// Ends connections whose client does not say who he is, and sessions without connections.
void Server::keep_house() {
  pollfd stopped = {stop_event_.get(), POLLIN, 0};
  const auto pause = static_cast<int>(std::min({kHousekeeping, limits_.greeting, limits_.session_grace}).count());
  while (::poll(&stopped, 1, pause) == 0) {
    std::vector<Party> ended;
    {
      const std::lock_guard lock(mutex_);
      const auto now = steady_clock::now();
      for (const auto& [key, client] : clients_) {
        if (!client->greeted && now - client->since > limits_.greeting) client->connection->shut_down();
      }
      for (auto at = sessions_.begin(); at != sessions_.end();) {
        const bool over = at->second.connections == 0 && now - at->second.last_seen >= limits_.session_grace;
        if (over) ended.push_back(at->second.peer);
        at = over ? sessions_.erase(at) : std::next(at);
      }
    }
    for (const Party& peer : ended) {
      replies_.forget(peer.session);
      if (session_ended_) session_ended_(peer);
    }
  }
}

Status check_listen(const Credentials& credentials, const std::string& addresses) {
  for (const std::string& text : split_list(addresses)) {
    ASSIGN_OR_RETURN(const Address address, parse_address(text));
    if (credentials || is_local(address)) continue;
    return fail(EACCES,
                "{}: without cluster.secret_file or cluster.tls_certificate only loopback addresses and Unix sockets "
                "are listened on",
                text);
  }
  return {};
}

Status listen_on_all(Server& server, const std::string& addresses) {
  for (const std::string& text : split_list(addresses)) {
    ASSIGN_OR_RETURN(Address address, parse_address(text));
    RETURN_IF_ERROR(server.listen(address));
  }
  return {};
}

}  // namespace forebay::transport
