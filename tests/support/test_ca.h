// Certificates for tests of TLS, made when they are needed.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>

namespace forebay::test {

class TestCa {
 public:
  explicit TestCa(const std::string& name);

  // What a member is configured with: files.
  struct Member {
    std::string certificate, key, ca;
  };
  struct Validity {
    std::chrono::seconds begins{-3600}, ends{3600};  // from now on
  };
  // DIRECTORY/NAME.crt, NAME.key (0600) and NAME-ca.crt, with this CA and what else is to be trusted (PEM).
  Member issue(const std::string& directory, const std::string& name, const std::string& trusted_too = {}) const {
    return issue(directory, name, Validity(), trusted_too);
  }
  Member issue(const std::string& directory, const std::string& name, const Validity& validity,
               const std::string& trusted_too = {}) const;
  // Its certificate, as PEM.
  std::string text() const;

 private:
  struct End {
    void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { ::X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, End>;
  using Certificate = std::unique_ptr<X509, End>;
  static Certificate certify(const std::string& name, EVP_PKEY* of, const X509* issuer, EVP_PKEY* signer,
                             const Validity& validity);

  const Key key_;
  const Certificate certificate_;
};

}  // namespace forebay::test
