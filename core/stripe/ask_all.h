// For the files of StripedStorage alone.
#pragma once

#include <optional>
#include <type_traits>

#include "core/stripe/in_parallel.h"
#include "core/stripe/striped_storage.h"

namespace forebay {

// A Result<std::vector<Reply>>, in the order of the parts.
template <typename Ask>
auto StripedStorage::ask_all(const Parts& parts, const Ask& ask) {
  using Reply = typename std::invoke_result_t<Ask, StorageService&>::value_type;
  std::vector<std::optional<Result<Reply>>> answers(parts.services.size());
  in_parallel(answers.size(), [&](size_t i) { answers[i].emplace(ask(*parts.services[i])); });
  std::vector<Reply> replies;
  for (std::optional<Result<Reply>>& answer : answers) {
    if (!*answer) return Result<std::vector<Reply>>(Failure(answer->error()));
    replies.push_back(**std::move(answer));
  }
  return Result<std::vector<Reply>>(std::move(replies));
}

template <typename Tell>
Status StripedStorage::tell_all(const Parts& parts, const Tell& tell) {
  std::vector<Status> answers(parts.services.size());
  in_parallel(answers.size(), [&](size_t i) { answers[i] = tell(*parts.services[i]); });
  for (Status& answer : answers) RETURN_IF_ERROR(answer);
  return {};
}

}  // namespace forebay
