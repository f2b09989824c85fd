// Many clients of one server that are connected and silent.
//
//   forebay_idle_clients ADDRESS SECRET_FILE TARGET CLIENTS
//
// Each has a session of its own and has asked for the space of the target once, as mounts do. Prints "ready" when all
// are connected, and stays until its stdin ends. Failures: a line on stderr, exit status 1.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/descriptor_limit.h"
#include "core/protocol/types.h"
#include "core/protocol/wire/services.h"
#include "core/protocol/wire/storage.pb.h"
#include "core/transport/channel.h"

namespace forebay {
namespace {

using transport::Channel;

Status ask_once(Channel& channel, TargetId target) {
  transport::Call call(transport::kShortLimit);
  wire::TargetRequest request;
  request.set_target(target);
  wire::SpaceReport reply;
  channel.CallMethod(wire::Storage::descriptor()->FindMethodByName("Space"), &call, &request, &reply, nullptr);
  return call.status;
}

Status run(char** words) {
  raise_descriptor_limit();
  ASSIGN_OR_RETURN(const transport::Address address, transport::parse_address(words[0]));
  ASSIGN_OR_RETURN(const transport::Secret secret, transport::Secret::read(words[1]));
  const auto target = static_cast<TargetId>(std::atoi(words[2]));
  const int clients = std::atoi(words[3]);
  std::vector<std::unique_ptr<Channel>> channels;
  for (int i = 0; i < clients; ++i) {
    transport::Party self;
    self.node = "idle-" + std::to_string(i);
    self.session = transport::random_number();
    channels.push_back(std::make_unique<Channel>(std::vector{address}, wire::kStorageServiceNumber, self, secret));
    RETURN_IF_ERROR(ask_once(*channels.back(), target));
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return {};
}

}  // namespace
}  // namespace forebay

int main(int argc, char** argv) {
  constexpr int kWords = 5, kUsage = 2;
  if (argc != kWords) {
    fmt::print(stderr, "usage: forebay_idle_clients ADDRESS SECRET_FILE TARGET CLIENTS\n");
    return kUsage;
  }
  const forebay::Status done = forebay::run(argv + 1);
  if (done) return 0;
  fmt::print(stderr, "idle_clients: {}\n", done.error().message());
  return 1;
}
