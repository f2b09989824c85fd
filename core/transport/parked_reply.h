// ParkedReply: the reply to a request that is answered later, by any thread. Meanwhile the request holds no thread,
// only its connection.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace forebay::transport {

// Thread safe.
class ParkedReply {
 public:
  // Once; later calls do nothing, nor do any after the client is gone. May be called before the handler has returned.
  void send(const google::protobuf::Message& message) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    over_ = true;
    std::string body = message.SerializeAsString();
    way_ ? way_(body) : static_cast<void>(early_ = std::move(body));
  }

  // For the server: the handler has returned, and this sends a body.
  void open(std::function<void(const std::string& body)> way) {
    const std::lock_guard lock(mutex_);
    if (early_) return way(*early_);
    way_ = std::move(way);
  }
  // For the server: nobody waits for it any more.
  void give_up() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    way_ = {};
  }

 private:
  std::mutex mutex_;
  bool over_ = false;
  std::optional<std::string> early_;
  std::function<void(const std::string& body)> way_;
};

}  // namespace forebay::transport
