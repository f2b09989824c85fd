#include "core/transport/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cstring>

namespace forebay::transport {
namespace {

constexpr std::string_view kSetKeys =
    "set cluster.tls_certificate, cluster.tls_key and cluster.tls_ca on all nodes or on none";

// The peer's certificate is not what this side wants.
Error unaccepted(const std::string& peer, long result) {
  const char* todo = "it must be signed by the CA of cluster.tls_ca";
  if (result == X509_V_ERR_CERT_HAS_EXPIRED) todo = "renew it there";
  if (result == X509_V_ERR_CERT_NOT_YET_VALID) todo = "compare the clocks";
  if (result == X509_V_ERR_INVALID_PURPOSE) todo = "its extended key usage must be for servers and for clients";
  return {EACCES, fmt::format("{}: shows a TLS certificate that is not accepted: {}; {}", peer,
                              ::X509_verify_cert_error_string(result), todo)};
}

// What the peer has said before it ended the connection: an alert of TLS.
Error refused(const std::string& peer, int alert) {
  const bool of_certificate = (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
                              alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_CERTIFICATE_REQUIRED;
  const char* todo = "see its log";
  if (alert == SSL_AD_UNKNOWN_CA)
    todo = "cluster.tls_certificate here must be signed by the CA of cluster.tls_ca there";
  if (alert == SSL_AD_CERTIFICATE_EXPIRED) todo = "renew cluster.tls_certificate here";
  if (alert == SSL_AD_CERTIFICATE_REQUIRED) todo = "set cluster.tls_certificate here";
  return {of_certificate ? EACCES : EPROTO,
          fmt::format("{}: refuses this side's TLS: {}; {}", peer, ::SSL_alert_desc_string_long(alert), todo)};
}

}  // namespace

Error tls_error(const ssl_st* session, int kind, const std::string& peer) {
  const int system_error = errno;
  if (kind == SSL_ERROR_ZERO_RETURN || (kind == SSL_ERROR_SYSCALL && system_error == 0)) {
    return {ECONNRESET, fmt::format("{}: the connection was closed", peer)};
  }
  if (kind == SSL_ERROR_SYSCALL) return {ECONNRESET, fmt::format("{}: {}", peer, std::strerror(system_error))};
  const unsigned long code = ::ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  ::ERR_clear_error();
  const bool by_ssl = ERR_GET_LIB(code) == ERR_LIB_SSL;
  if (by_ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) return unaccepted(peer, ::SSL_get_verify_result(session));
  if (by_ssl && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return {EACCES, fmt::format("{}: shows no TLS certificate; set cluster.tls_certificate there", peer)};
  }
  // It was no record of TLS.
  if (by_ssl && reason == SSL_R_WRONG_VERSION_NUMBER) {
    return {EACCES, fmt::format("{}: does not speak TLS, and this side does; {}", peer, kSetKeys)};
  }
  if (by_ssl && reason >= SSL_AD_REASON_OFFSET) return refused(peer, reason - SSL_AD_REASON_OFFSET);
  const char* const text = ::ERR_reason_error_string(code);
  return {EPROTO, fmt::format("{}: TLS fails: {}", peer, text == nullptr ? "for an unknown reason" : text)};
}

}  // namespace forebay::transport
