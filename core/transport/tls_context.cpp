#include "core/transport/tls_context.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "core/private_file.h"
#include "core/unique_fd.h"

namespace forebay::transport {
namespace {

constexpr size_t kMostKeyBytes = 64 << 10;
constexpr char kCertificateKey[] = "cluster.tls_certificate", kKeyKey[] = "cluster.tls_key",
               kCaKey[] = "cluster.tls_ca";

// OpenSSL's own BIO of a socket would end the process with SIGPIPE when the peer is gone.
int descriptor_of(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(::BIO_get_data(bio))); }

int send_through_bio(BIO* bio, const char* data, int bytes) {
  const ssize_t sent = ::send(descriptor_of(bio), data, static_cast<size_t>(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::BIO_clear_retry_flags(bio);
  if (sent < 0 && ::BIO_sock_non_fatal_error(errno) != 0) ::BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int receive_through_bio(BIO* bio, char* data, int bytes) {
  const ssize_t got = ::recv(descriptor_of(bio), data, static_cast<size_t>(bytes), MSG_DONTWAIT);
  ::BIO_clear_retry_flags(bio);
  if (got < 0 && ::BIO_sock_non_fatal_error(errno) != 0) ::BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* socket_method() {
  struct End {
    void operator()(BIO_METHOD* method) const { ::BIO_meth_free(method); }
  };
  static const std::unique_ptr<BIO_METHOD, End> made = [] {
    std::unique_ptr<BIO_METHOD, End> method(::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket"));
    ::BIO_meth_set_write(method.get(), &send_through_bio);
    ::BIO_meth_set_read(method.get(), &receive_through_bio);
    ::BIO_meth_set_ctrl(method.get(), &control_bio);
    return method;
  }();
  return made.get();
}

std::string last_reason() {
  const char* const reason = ::ERR_reason_error_string(::ERR_peek_last_error());
  ::ERR_clear_error();
  return reason == nullptr ? "it cannot be used" : reason;
}

// What opens the files below says less about one that is not there.
Status check_readable(const char* key, const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("{} {}", key, path);
  return {};
}

int no_password(char*, int, int, void*) { return -1; }

struct KeyEnd {
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
};

Result<std::unique_ptr<EVP_PKEY, KeyEnd>> read_key(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, read_private_file(kKeyKey, path, kMostKeyBytes));
  BIO* const bio = ::BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  std::unique_ptr<EVP_PKEY, KeyEnd> key(::PEM_read_bio_PrivateKey(bio, nullptr, &no_password, nullptr));
  ::BIO_free(bio);
  ::OPENSSL_cleanse(text.data(), text.size());
  if (key == nullptr) {
    return fail(EINVAL, "{} {}: is no private key in PEM that has no password ({})", kKeyKey, path, last_reason());
  }
  return key;
}

Status load(SSL_CTX* context, const TlsContext::Files& files) {
  RETURN_IF_ERROR(check_readable(kCertificateKey, files.certificate));
  RETURN_IF_ERROR(check_readable(kCaKey, files.ca));
  ASSIGN_OR_RETURN(const auto key, read_key(files.key));
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return fail(EINVAL, "{} {}: is no certificate in PEM ({})", kCertificateKey, files.certificate, last_reason());
  }
  if (::SSL_CTX_use_PrivateKey(context, key.get()) != 1 || ::SSL_CTX_check_private_key(context) != 1) {
    return fail(EINVAL, "{} {}: is not the key of {} {} ({})", kKeyKey, files.key, kCertificateKey, files.certificate,
                last_reason());
  }
  if (::SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1) {
    return fail(EINVAL, "{} {}: is no certificate in PEM ({})", kCaKey, files.ca, last_reason());
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::read(const Files& files) {
  SSL_CTX* const context = ::SSL_CTX_new(::TLS_method());
  if (context == nullptr) return fail(ENOMEM, "TLS: {}", last_reason());
  std::shared_ptr<const TlsContext> made(new TlsContext(context));
  ::SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // No session is taken up again: who connects shows a certificate that is good today.
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context, 0);
  // A buffer of a connection that is idle would cost as much as all else of it.
  ::SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
  RETURN_IF_ERROR(load(context, files));
  return made;
}

TlsContext::Session TlsContext::begin(int socket, TlsSide side) const {
  Session session(::SSL_new(context_.get()));
  BIO* const bio = ::BIO_new(socket_method());
  if (session == nullptr || bio == nullptr) {
    ::BIO_free(bio);
    return nullptr;
  }
  ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(socket)));
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(session.get(), bio, bio);
  side == TlsSide::kServer ? ::SSL_set_accept_state(session.get()) : ::SSL_set_connect_state(session.get());
  return session;
}

void TlsContext::SessionEnd::operator()(ssl_st* session) const { ::SSL_free(session); }
void TlsContext::ContextEnd::operator()(ssl_ctx_st* context) const { ::SSL_CTX_free(context); }

}  // namespace forebay::transport
