// What OpenSSL reports, in words for those who run a cluster. Private to core/transport.
#pragma once

#include <string>

#include "core/result.h"

struct ssl_st;

namespace forebay::transport {

// Of the call on `session` that has just failed, with this SSL_get_error(). EACCES: a certificate is refused, or the
// peer speaks no TLS; ECONNRESET: it is gone; EPROTO: anything else.
Error tls_error(const ssl_st* session, int kind, const std::string& peer);

}  // namespace forebay::transport
