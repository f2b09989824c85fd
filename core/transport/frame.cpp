#include "core/transport/frame.h"

#include <endian.h>

#include <algorithm>
#include <cstring>

namespace forebay::transport {
namespace {

class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  void u8(uint8_t value) { put(value); }
  void u16(uint16_t value) { put(htole16(value)); }
  void u32(uint32_t value) { put(htole32(value)); }
  void u64(uint64_t value) { put(htole64(value)); }

 private:
  template <typename T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof(value));
    at_ += sizeof(value);
  }
  char* at_;
};

class Reader {
 public:
  explicit Reader(const char* at) : at_(at) {}
  uint8_t u8() { return get<uint8_t>(); }
  uint16_t u16() { return le16toh(get<uint16_t>()); }
  uint32_t u32() { return le32toh(get<uint32_t>()); }
  uint64_t u64() { return le64toh(get<uint64_t>()); }

 private:
  template <typename T>
  T get() {
    T value;
    std::memcpy(&value, at_, sizeof(value));
    at_ += sizeof(value);
    return value;
  }
  const char* at_;
};

}  // namespace

HeaderBytes encode(const Header& header) {
  HeaderBytes bytes = {};
  Writer out(bytes.data());
  out.u32(kMagic);
  out.u16(header.version);
  out.u8(static_cast<uint8_t>(header.kind));
  out.u8(header.level);
  out.u32(header.method);
  out.u32(static_cast<uint32_t>(header.code));
  out.u64(header.request);
  out.u32(header.processor);
  out.u32(0);
  out.u32(header.body_bytes);
  out.u32(header.bulk_bytes);
  out.u32(header.room_bytes);
  out.u32(header.descriptors);
  return bytes;
}

Result<Header> decode(std::span<const char, kHeaderBytes> bytes) {
  Reader in(bytes.data());
  if (bytes.front() == kTlsHandshake) {
    return fail(EPROTO,
                "speaks TLS, and this side does not; set cluster.tls_certificate, cluster.tls_key and "
                "cluster.tls_ca on all nodes or on none");
  }
  if (in.u32() != kMagic) return fail(EPROTO, "not a forebay message");
  Header header;
  header.version = in.u16();
  const uint8_t kind = in.u8();
  header.level = in.u8();
  header.method = in.u32();
  header.code = static_cast<int32_t>(in.u32());
  header.request = in.u64();
  header.processor = in.u32();
  (void)in.u32();
  header.body_bytes = in.u32();
  header.bulk_bytes = in.u32();
  header.room_bytes = in.u32();
  header.descriptors = in.u32();
  if (kind < static_cast<uint8_t>(Kind::kHello) || kind > static_cast<uint8_t>(Kind::kReply)) {
    return fail(EPROTO, "unknown kind of message {}", kind);
  }
  header.kind = static_cast<Kind>(kind);
  // Who speaks another version says so in a hello, which every version can read.
  if (header.kind != Kind::kHello && (header.version < kOldestVersion || header.version > kNewestVersion)) {
    return fail(EPROTO, "protocol version {}; this program speaks {} to {}", header.version, kOldestVersion,
                kNewestVersion);
  }
  const uint32_t most_body = header.kind == Kind::kHello ? kMostHelloBytes : kMostBodyBytes;
  if (header.body_bytes > most_body) return fail(EPROTO, "a message of {} bytes", header.body_bytes);
  const uint32_t most_bulk = header.kind == Kind::kHello ? 0 : kMostBulkBytes;
  if (header.bulk_bytes > most_bulk || header.room_bytes > most_bulk) {
    return fail(EPROTO, "{} bytes of data with a message", std::max(header.bulk_bytes, header.room_bytes));
  }
  if (header.descriptors > 1) return fail(EPROTO, "{} descriptors with a message", header.descriptors);
  return header;
}

}  // namespace forebay::transport
