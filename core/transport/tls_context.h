// TlsContext: what this process shows of itself over TLS, and whom it believes: its certificate and key, and the CA
// that signs the certificates of all members. Only TLS 1.3, and both sides show a certificate.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace forebay::transport {

enum class TlsSide { kClient, kServer };

class TlsContext {
 public:
  // Of files in PEM. Behind the certificate there may be those between it and the CA; there may be several CAs.
  struct Files {
    std::string certificate, key, ca;
  };
  // EINVAL: what is wrong with one of them, as the configuration key that names it; errors of open(2).
  static Result<std::shared_ptr<const TlsContext>> read(const Files& files);

  struct SessionEnd {
    void operator()(ssl_st* session) const;
  };
  using Session = std::unique_ptr<ssl_st, SessionEnd>;
  // For one connection, over `socket`, which stays the caller's. Null: there is no memory.
  Session begin(int socket, TlsSide side) const;

 private:
  struct ContextEnd {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}

  const std::unique_ptr<ssl_ctx_st, ContextEnd> context_;
};

}  // namespace forebay::transport
