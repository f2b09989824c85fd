#include "core/transport/channel.h"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <thread>

#include "core/log.h"

namespace forebay::transport {
namespace {

constexpr std::chrono::milliseconds kConnectLimit{5000};
constexpr std::chrono::milliseconds kFirstPause{10}, kLongestPause{500};
// A server that has work for an hour is waited for; one that is not there is not.
constexpr std::chrono::seconds kLongestAbsence{60};

thread_local uint8_t level_of_thread = 0;

// One sequence for all channels of the process: they speak for the same session, to which the numbers belong.
std::atomic<uint64_t> next_request{1};

}  // namespace

uint8_t request_level() { return level_of_thread; }
LevelScope::LevelScope(uint8_t level) : before_(level_of_thread) { level_of_thread = level; }
LevelScope::~LevelScope() { level_of_thread = before_; }

Channel::Channel(std::vector<Address> addresses, uint32_t service, Party self, Credentials credentials)
    : addresses_(std::move(addresses)),
      name_(addresses_.front().text()),
      service_(service),
      credentials_(std::move(credentials)),
      self_(std::move(self)) {}

Channel::~Channel() { shut_down(); }

void Channel::CallMethod(const google::protobuf::MethodDescriptor* method, google::protobuf::RpcController* controller,
                         const google::protobuf::Message* request, google::protobuf::Message* reply,
                         google::protobuf::Closure*) {
  Call& call = *static_cast<Call*>(controller);
  begin(method, call, *request);
  end(call, *reply);
}

void Channel::begin(const google::protobuf::MethodDescriptor* method, Call& call,
                    const google::protobuf::Message& request) {
  call.method_ = method_number(service_, method->index());
  call.level_ = std::min<uint8_t>(request_level(), kLevels - 1);
  call.request_ = next_request++;
  // Who copies much gains more from working beside the other than from being woken fast.
  const bool has_bulk = call.bulk.bytes() > 0 || !call.room.empty();
  call.processor_ = has_bulk ? kNoProcessor : current_processor();
  call.body_ = request.SerializeAsString();
  call.status = send(call);
}

void Channel::end(Call& call, google::protobuf::Message& reply) {
  bool answered = false;
  if (call.status) call.status = receive(call, reply, &answered);
  if (!call.status && !answered) call.status = repeat(call, reply, call.status);
}

Status Channel::repeat(Call& call, google::protobuf::Message& reply, Status last) {
  std::chrono::milliseconds pause{0};
  auto give_up = std::chrono::steady_clock::now() + kLongestAbsence;
  while (!last && !is_hopeless(last.error()) &&
         std::chrono::steady_clock::now() + pause < std::min(call.deadline, give_up)) {
    std::this_thread::sleep_for(pause);
    pause = std::clamp(pause * 2, kFirstPause, kLongestPause);
    last = send(call);
    if (!last) continue;
    give_up = std::chrono::steady_clock::now() + kLongestAbsence;
    bool answered = false;
    last = receive(call, reply, &answered);
    if (answered) return last;
  }
  if (!last && shut_down_) return fail(ECANCELED, "{}", name_);
  return last;
}

// Another try would end in the same way.
bool Channel::is_hopeless(const Error& error) const {
  return shut_down_ || error.code == EACCES || error.code == EPROTO || error.code == EXDEV || error.code == ETIMEDOUT ||
         error.code == EMSGSIZE;
}

Status Channel::send(Call& call) {
  if (call.body_.size() > kMostBodyBytes || call.bulk.bytes() > kMostBulkBytes) return fail(EMSGSIZE, "{}", name_);
  ASSIGN_OR_RETURN(call.connection_, take(call));
  Header header;
  header.kind = Kind::kRequest;
  header.level = call.level_;
  header.method = call.method_;
  header.request = call.request_;
  header.processor = call.processor_;
  header.room_bytes = static_cast<uint32_t>(std::min<size_t>(call.room.size(), kMostBulkBytes));
  const Status sent = call.connection_->send(header, call.body_, call.bulk, -1, call.deadline);
  if (!sent) broken(call, sent.error());
  return sent;
}

// `answered`: the server has replied, if with an error.
Status Channel::receive(Call& call, google::protobuf::Message& reply, bool* answered) {
  Result<Message> message = call.connection_->receive(call.deadline);
  Status status = message ? Status{} : Failure(message.error());
  if (status && (message->header.kind != Kind::kReply || message->header.request != call.request_ ||
                 message->header.bulk_bytes > call.room.size())) {
    status = fail(EPROTO, "{}: an answer to another question", name_);
  }
  if (status && message->header.bulk_bytes > 0) {
    status = call.connection_->receive_bulk(call.room.first(message->header.bulk_bytes), call.deadline);
  }
  if (!status) {
    broken(call, status.error());
    return status;
  }
  give_back(call);
  *answered = true;
  if (message->header.code != 0) return Failure(Error{message->header.code, std::move(message->body)});
  if (!reply.ParseFromString(message->body)) return fail(EPROTO, "{}: an answer that makes no sense", name_);
  call.received = message->header.bulk_bytes;
  call.descriptor = std::move(message->descriptor);
  return {};
}

Result<std::unique_ptr<Connection>> Channel::take(Call& call) {
  std::unique_lock lock(mutex_);
  auto& idle = idle_[call.level_];
  size_t& connections = connections_[call.level_];
  const bool ready = free_.wait_until(lock, call.deadline,
                                      [&] { return shut_down_ || !idle.empty() || connections < kMostConnections; });
  if (shut_down_) return fail(ECANCELED, "{}", name_);
  if (!ready) return fail(ETIMEDOUT, "{}: {} requests are under way", name_, kMostConnections);
  if (!idle.empty()) {
    std::unique_ptr<Connection> connection = take_nearest(idle, call.processor_);
    busy_.push_back(connection.get());
    return connection;
  }
  ++connections;
  lock.unlock();
  Result<std::unique_ptr<Connection>> connection = connect(call);
  lock.lock();
  if (connection && shut_down_) connection = fail(ECANCELED, "{}", name_);
  if (connection) {
    busy_.push_back(connection->get());
  } else {
    --connections;
    free_.notify_all();
  }
  return connection;
}

std::unique_ptr<Connection> Channel::take_nearest(std::vector<Idle>& idle, uint32_t processor) {
  auto found = std::find_if(idle.rbegin(), idle.rend(), [&](const Idle& each) { return each.processor == processor; });
  if (found == idle.rend()) found = idle.rbegin();
  std::unique_ptr<Connection> connection = std::move(found->connection);
  idle.erase(std::next(found).base());
  return connection;
}

Result<std::unique_ptr<Connection>> Channel::connect(Call& call) {
  const Deadline deadline = std::min(call.deadline, std::chrono::steady_clock::now() + kConnectLimit);
  Status last = fail(EHOSTUNREACH, "{}", name_);
  for (const Address& address : addresses_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    Result<UniqueFd> socket = connect_to(address, std::max(left, std::chrono::milliseconds(1)));
    if (!socket) {
      last = Failure(std::move(socket).error());
      // Within the deadline of the request there may be another try; and that a socket is not there must not be taken
      // for a file that is not.
      if (last.error().code == ETIMEDOUT || last.error().code == ENOENT) last.error().code = EHOSTUNREACH;
      continue;
    }
    auto connection = connection_over(*std::move(socket), address.text(), credentials_, TlsSide::kClient);
    const Result<Greeted> greeted = greet(*connection, self_, credentials_.secret, call.level_, deadline);
    if (!greeted) return Failure(greeted.error());
    return connection;
  }
  return Failure(last.error());
}

void Channel::give_back(Call& call) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(busy_, call.connection_.get());
    idle_[call.level_].push_back({std::move(call.connection_), call.processor_});
  }
  free_.notify_all();
}

void Channel::broken(Call& call, const Error& why) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(busy_, call.connection_.get());
    --connections_[call.level_];
    // The others of a server that is gone are no better; each would cost a try. But of one that is only slow they are
    // what it knows us by.
    if (why.code == ECONNRESET) drop_idle();
  }
  call.connection_.reset();
  free_.notify_all();
}

void Channel::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
    for (Connection* connection : busy_) connection->shut_down();
    drop_idle();
  }
  free_.notify_all();
}

void Channel::drop_idle() {
  for (size_t level = 0; level < idle_.size(); ++level) {
    connections_[level] -= idle_[level].size();
    idle_[level].clear();
  }
}

}  // namespace forebay::transport
