// await_news: what a client's kernel must forget (AnswerLeases).
#include "meta/server.h"

namespace forebay::meta {

Status MetaServer::await_news(uint64_t session, const AwaitNews& await, TellNews tell) {
  answers_.await_news(session, await, std::move(tell));
  return {};
}

}  // namespace forebay::meta
