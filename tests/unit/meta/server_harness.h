// A metadata server and a storage server on real directories, as one mount has them, without a mount.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "meta/server.h"
#include "storage/server.h"
#include "tests/support/temp_dir.h"

namespace forebay::meta {

class MetaHarness {
 public:
  // `targets`: as in a cluster, with target 0 among them.
  explicit MetaHarness(ConflictRule rule = ConflictRule::kKeepBoth, std::function<TargetList()> targets = {})
      : targets_(std::move(targets)) {
    config_.flush.policy = FlushPolicy::kManual;  // nothing goes out unless the test says so
    config_.consistency.validate = Validate::kAlways;
    config_.consistency.conflict = rule;
    config_.fetch.streams = 0;
    dir_.make("outside");
    cache_ = dir_.make("cache0");
    tree_ = consistency::ExternalTree::open(dir_ / "outside").value();
    start();
  }
  ~MetaHarness() { stop(); }

  // The process is killed at this moment: a new one finds what the files of the cache hold now, and the old one does
  // nothing any more that the new one could see. `before_start` may work on the database, as a kill between two steps
  // of an operation leaves it.
  void kill(const std::function<void(Store&)>& before_start = {}) {
    const std::string copy = dir_ / ("cache" + std::to_string(++kills_));
    // With the extended attributes, where the logs begin.
    ASSERT_EQ(std::system(fmt::format("cp -a '{}' '{}'", cache_, copy).c_str()), 0);
    stop();
    cache_ = copy;
    if (before_start) {
      const std::unique_ptr<Store> store = Store::open(cache_ + "/meta.db").value();
      before_start(*store);
      ASSERT_TRUE(store->commit());
    }
    start();
  }
  void start() {
    storage::StorageServer::Options options;
    options.target_directory = cache_ + "/target";
    options.run = kRun;
    options.capacity_bytes = 256 << 20;
    options.high_watermark_bytes = 256 << 20;
    options.chunk_size_bytes = config_.cache.chunk_size_bytes;
    options.fetch = config_.fetch;
    storage_ = std::make_unique<storage::StorageServer>(options, *tree_);
    ASSERT_TRUE(storage_->open());
    meta_ =
        std::make_unique<MetaServer>(config_, Store::open(cache_ + "/meta.db").value(), *tree_, *storage_, targets_);
    ASSERT_TRUE(meta_->open_tree());
    storage_->start(*meta_);
    const Status started = meta_->start();
    ASSERT_TRUE(started) << started.error().message();
  }
  void stop() {
    if (meta_ == nullptr) return;
    (void)meta_->stop(MetaServer::End::kKeep);
    storage_->stop();
    meta_.reset();
    storage_.reset();
  }

  std::string outside(const std::string& path) const { return dir_ / "outside/" + path; }
  std::string outside_content(const std::string& path) const { return test::read_file(outside(path)); }
  bool is_outside(const std::string& path) const { return ::access(outside(path).c_str(), F_OK) == 0; }

  EntryReply lookup(const std::string& name, InodeId parent = kRootInode) {
    const Result<EntryReply> entry = meta_->lookup(root_, parent, name);
    EXPECT_TRUE(entry) << name << ": " << entry.error().message();
    return entry.value_or(EntryReply{});
  }
  InodeId create(const std::string& name, const std::string& content, InodeId parent = kRootInode) {
    const Result<EntryReply> made = meta_->create(root_, parent, name, 0644, O_WRONLY);
    EXPECT_TRUE(made) << made.error().message();
    if (!made) return 0;
    EXPECT_TRUE(content.empty() || storage_->write(made->id, 0, content));
    meta_->release(made->id, O_WRONLY);
    return made->id;
  }
  void write(InodeId id, uint64_t offset, const std::string& data) {
    ASSERT_TRUE(meta_->open(root_, id, O_WRONLY));
    EXPECT_TRUE(storage_->write(id, offset, data));
    meta_->release(id, O_WRONLY);
  }
  std::string read(InodeId id) {
    const auto opened = meta_->open(root_, id, O_RDONLY);
    EXPECT_TRUE(opened) << opened.error().message();
    if (!opened) return "(cannot be opened)";
    std::string buffer(1 << 20, '?');
    const Result<size_t> bytes = storage_->read(id, 0, buffer);
    EXPECT_TRUE(bytes) << bytes.error().message();
    meta_->release(id, O_RDONLY);
    buffer.resize(bytes.value_or(0));
    return buffer;
  }
  CacheState state(InodeId id) { return meta_->cache_state(id).value_or(CacheState{}); }
  WorkProgress flush(InodeId id = kRootInode) {
    const Result<WorkProgress> progress = meta_->flush(id, true, std::chrono::minutes(1));
    EXPECT_TRUE(progress) << progress.error().message();
    return progress.value_or(WorkProgress{});
  }
  // Names outside that a conflict made.
  std::vector<std::string> conflict_files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_ / "outside")) {
      const std::string name = entry.path().filename().string();
      if (name.find(".forebay-conflict-") != std::string::npos) names.push_back(name);
    }
    return names;
  }

  MetaServer& meta() { return *meta_; }
  storage::StorageServer& storage() { return *storage_; }
  const Caller& root() const { return root_; }
  Config& config() { return config_; }
  static constexpr uint64_t kRun = 77;  // of the target

 private:
  test::TempDir dir_;
  std::string cache_;
  int kills_ = 0;
  Config config_;
  const Caller root_;
  const std::function<TargetList()> targets_;
  std::unique_ptr<consistency::ExternalTree> tree_;
  std::unique_ptr<storage::StorageServer> storage_;
  std::unique_ptr<MetaServer> meta_;
};

}  // namespace forebay::meta
