#include "core/transport/serving.h"

#include <algorithm>
#include <array>

#include "core/thread_buffer.h"

namespace forebay::transport {

std::span<char> Serving::space(size_t bytes) { return thread_buffer<Serving>(bytes); }

Result<std::span<const char>> Serving::take_bulk() {
  const std::span<char> buffer = space(request_.bulk_bytes);
  taken_ = true;
  const Status received = connection_.receive_bulk(buffer, deadline());
  broken_ = broken_ || !received;
  RETURN_IF_ERROR(received);
  return std::span<const char>(buffer);
}

void Serving::drain() {
  if (taken_ || broken_) return;
  taken_ = true;
  std::array<char, 16 << 10> buffer;  // not space(): what is replied may lie there
  for (size_t left = request_.bulk_bytes; left > 0 && !broken_;) {
    const std::span<char> piece = std::span<char>(buffer).first(std::min(left, buffer.size()));
    broken_ = !connection_.receive_bulk(piece, deadline());
    left -= piece.size();
  }
}

void Serving::reply_text(const std::string& body) {
  replied_ = true;
  drain();
  if (broken_) return;
  if (body.size() > kMostBodyBytes) fail({EMSGSIZE, fmt::format("a reply of {} bytes", body.size())});
  Header header;
  header.kind = Kind::kReply;
  header.method = request_.method;
  header.request = request_.request;
  header.code = error_.code;
  const bool good = error_.code == 0;
  const int descriptor = good && descriptor_ && passes_descriptors() ? descriptor_.get() : -1;
  broken_ = !connection_.send(header, good ? body : error_.context, good ? bulk_ : Bulk{}, descriptor, deadline());
}

}  // namespace forebay::transport
