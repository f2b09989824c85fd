// Whose requests change what the kernels of clients keep, and how these hear of it.
#include "meta/answer_leases.h"
#include "meta/service/dispatch_tools.h"
#include "meta/service/meta_dispatch.h"

namespace forebay::meta {

void MetaDispatch::CallMethod(const google::protobuf::MethodDescriptor* method, Controller* controller,
                              const google::protobuf::Message* request, google::protobuf::Message* reply,
                              Closure* done) {
  const transport::Party& peer = serving_of(controller).peer();
  const AnswerLeases::Requester requester(peer.role == transport::Role::kClient ? peer.session : 0);
  wire::Meta::CallMethod(method, controller, request, reply, done);
}

void MetaDispatch::AwaitNews(Controller* controller, const wire::AwaitNewsRequest* request, wire::AnswerNews*,
                             Closure*) {
  transport::Serving& serving = serving_of(controller);
  const auto tell = [parked = serving.park()](const AnswerNews& news) {
    wire::AnswerNews message;
    wire::encode(news, message);
    parked->send(message);
  };
  serving.take(service_.await_news(session_of(serving), {request->heeded(), request->heeds_names()}, tell));
}

}  // namespace forebay::meta
