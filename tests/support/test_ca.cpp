#include "tests/support/test_ca.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <stdexcept>

#include "tests/support/temp_dir.h"

namespace forebay::test {
namespace {

// What `write` writes into a BIO.
template <typename Write>
std::string pem_of(Write write) {
  const std::unique_ptr<BIO, decltype(&::BIO_free)> bio(::BIO_new(::BIO_s_mem()), &::BIO_free);
  if (write(bio.get()) != 1) throw std::runtime_error("a PEM file could not be made");
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(bytes)};
}

std::string certificate_pem(const X509* certificate) {
  return pem_of([&](BIO* bio) { return ::PEM_write_bio_X509(bio, certificate); });
}

}  // namespace

TestCa::TestCa(const std::string& name)
    : key_(EVP_EC_gen("P-256")), certificate_(certify(name, key_.get(), nullptr, key_.get(), {})) {}

TestCa::Certificate TestCa::certify(const std::string& name, EVP_PKEY* of, const X509* issuer, EVP_PKEY* signer,
                                    const Validity& validity) {
  Certificate made(::X509_new());
  static long serial = 0;
  ::X509_set_version(made.get(), X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), ++serial);
  ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), validity.begins.count());
  ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), validity.ends.count());
  ::X509_set_pubkey(made.get(), of);
  const std::unique_ptr<X509_NAME, decltype(&::X509_NAME_free)> subject(::X509_NAME_new(), &::X509_NAME_free);
  ::X509_NAME_add_entry_by_txt(subject.get(), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()),
                               -1, -1, 0);
  ::X509_set_subject_name(made.get(), subject.get());
  ::X509_set_issuer_name(made.get(), issuer == nullptr ? subject.get() : ::X509_get_subject_name(issuer));
  if (issuer == nullptr) {
    const std::unique_ptr<X509_EXTENSION, decltype(&::X509_EXTENSION_free)> is_ca(
        ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"), &::X509_EXTENSION_free);
    ::X509_add_ext(made.get(), is_ca.get(), -1);
  }
  if (::X509_sign(made.get(), signer, ::EVP_sha256()) == 0) throw std::runtime_error("no certificate of " + name);
  return made;
}

TestCa::Member TestCa::issue(const std::string& directory, const std::string& name, const Validity& validity,
                             const std::string& trusted_too) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = certify(name, key.get(), certificate_.get(), key_.get(), validity);
  const std::string path = directory + "/" + name;
  Member member{path + ".crt", path + ".key", path + "-ca.crt"};
  write_file(member.certificate, certificate_pem(certificate.get()));
  write_file(member.key, pem_of([&](BIO* bio) {
               return ::PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
             }));
  ::chmod(member.key.c_str(), 0600);
  write_file(member.ca, text() + trusted_too);
  return member;
}

std::string TestCa::text() const { return certificate_pem(certificate_.get()); }

}  // namespace forebay::test
