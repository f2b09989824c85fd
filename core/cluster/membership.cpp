#include "core/cluster/membership.h"

#include "core/log.h"

namespace forebay {
namespace {

constexpr std::chrono::seconds kHeartbeat{1};

}  // namespace

Result<ServerInfo> Membership::join(std::function<ServerInfo()> self) {
  self_ = std::move(self);
  return report();
}

Result<ServerInfo> Membership::report() {
  ServerInfo self = self_();
  self.clock = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return mgmt_.report(self);
}

Status Membership::start() {
  RETURN_IF_ERROR(ask());
  thread_ = std::thread([this] { run(); });
  return {};
}

void Membership::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status Membership::ask() {
  const auto asked_at = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(ClusterInfo info, mgmt_.cluster());
  auto fresh = std::make_shared<const ClusterInfo>(std::move(info));
  auto targets = std::make_shared<const std::vector<TargetInfo>>(fresh->targets());
  const std::lock_guard lock(mutex_);
  cluster_ = std::move(fresh);
  targets_ = std::move(targets);
  asked_at_ = asked_at;
  return {};
}

void Membership::run() {
  bool reachable = true;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kHeartbeat, [this] { return stopping_; })) {
    lock.unlock();
    Status told;
    if (self_) {
      if (const Result<ServerInfo> reported = report(); !reported) told = Failure(reported.error());
    }
    if (told) told = ask();
    if (!told && reachable) log(Module::kCore).warn("mgmtd: {}", told.error().message());
    if (told && !reachable) log(Module::kCore).info("mgmtd: answers again");
    reachable = told.has_value();
    lock.lock();
  }
}

std::shared_ptr<const ClusterInfo> Membership::cluster() const {
  const std::lock_guard lock(mutex_);
  return cluster_;
}

std::chrono::seconds Membership::age() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - asked_at_);
}

TargetList Membership::targets() const {
  const std::lock_guard lock(mutex_);
  return targets_;
}

std::vector<TargetId> Membership::online_targets() const {
  std::vector<TargetId> ids;
  const TargetList all = targets();
  for (const TargetInfo& target : *all) {
    if (target.reachability == Reachability::kOnline) ids.push_back(target.id);
  }
  return ids;
}

}  // namespace forebay
