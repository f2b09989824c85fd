// One request of a remote stub: there and back.
#pragma once

#include <google/protobuf/service.h>

#include <chrono>
#include <utility>

#include "core/log.h"
#include "core/result.h"
#include "core/transport/call.h"

namespace forebay {

// A method of a service that protobuf generated.
template <typename Service, typename Request, typename Reply>
using RemoteMethod = void (Service::*)(google::protobuf::RpcController*, const Request*, Reply*,
                                       google::protobuf::Closure*);

// The message of the reply; or the error that the server replied, or the transport met.
template <typename Service, typename Request, typename Reply>
Result<Reply> ask(Service& stub, RemoteMethod<Service, Request, Reply> method, const Request& request,
                  std::chrono::milliseconds limit = transport::kUsualLimit) {
  transport::Call call(limit);
  Reply reply;
  (stub.*method)(&call, &request, &reply, nullptr);
  RETURN_IF_ERROR(call.status);
  return reply;
}

// The same where the reply says nothing.
template <typename Service, typename Request, typename Reply>
Status tell(Service& stub, RemoteMethod<Service, Request, Reply> method, const Request& request,
            std::chrono::milliseconds limit = transport::kUsualLimit) {
  const Result<Reply> reply = ask(stub, method, request, limit);
  if (!reply) return Failure(reply.error());
  return {};
}

// For what the interface has no error for: the server has lost us, and gives back by itself what we hold.
inline void log_untold(const Status& told, const char* what) {
  if (!told && told.error().code != ECANCELED) log(Module::kCore).warn("{}: {}", what, told.error().message());
}

}  // namespace forebay
