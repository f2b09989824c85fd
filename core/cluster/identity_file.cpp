#include "core/cluster/identity_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io.h"
#include "core/transport/handshake.h"

namespace forebay {
namespace {

constexpr size_t kMostIdentityBytes = 4096;

std::string new_identity() {
  return fmt::format("{:016x}{:016x}", transport::random_number(), transport::random_number());
}

}  // namespace

Result<IdentityFile> IdentityFile::take(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(error.value(), "directory {}", directory);
  IdentityFile file;
  file.path_ = directory + "/identity.json";
  file.lock_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.lock_) return fail_errno("directory {}", directory);
  if (::flock(file.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(EBUSY, "directory {}: is in use by another process", directory);
  }
  const UniqueFd fd(::open(file.path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno != ENOENT) return fail_errno("{}", file.path_);
  if (!fd) {
    file.identity_ = new_identity();
    RETURN_IF_ERROR(file.write());
    return file;
  }
  std::string text(kMostIdentityBytes, '\0');
  ASSIGN_OR_RETURN(const size_t bytes, pread_full(fd.get(), text.data(), text.size(), 0));
  text.resize(bytes);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.value("identity", nlohmann::json()).is_string()) {
    return fail(EIO, "{}: is damaged", file.path_);
  }
  file.identity_ = json["identity"].get<std::string>();
  file.cluster_ = json.value("cluster", "");
  file.number_ = json.value("number", 0u);
  return file;
}

Status IdentityFile::join(const std::string& cluster, uint32_t number) {
  if (!cluster_.empty() && cluster_ != cluster) {
    return fail(EXDEV, "{}: is of cluster {}, and this is cluster {}", path_, cluster_, cluster);
  }
  if (cluster_ == cluster && number_ == number) return {};
  cluster_ = cluster;
  number_ = number;
  return write();
}

Status IdentityFile::write() const {
  const nlohmann::json json = {{"identity", identity_}, {"cluster", cluster_}, {"number", number_}};
  const std::string text = json.dump() + "\n", made = path_ + ".new";
  const UniqueFd fd(::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("{}", made);
  RETURN_IF_ERROR(pwrite_full(fd.get(), text.data(), text.size(), 0));
  if (::fsync(fd.get()) != 0 || ::rename(made.c_str(), path_.c_str()) != 0 || ::fsync(lock_.get()) != 0) {
    return fail_errno("{}", path_);
  }
  return {};
}

}  // namespace forebay
