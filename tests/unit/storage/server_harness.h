// A storage server on a real target, over a real external directory, with one file.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "core/io.h"
#include "storage/server.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/storage/fake_meta.h"

namespace forebay::storage {

constexpr uint64_t kChunk = 64 << 10;
constexpr InodeId kFile = 42;

inline std::string random_text(size_t bytes, unsigned seed = 1) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>('a' + (seed = seed * 1103515245 + 12345) / 65536 % 26);
  return text;
}

// Says where two texts differ, and not more than that.
inline testing::AssertionResult same_text(const std::string& found, const std::string& expected) {
  if (found == expected) return testing::AssertionSuccess();
  size_t at = 0;
  while (at < std::min(found.size(), expected.size()) && found[at] == expected[at]) ++at;
  return testing::AssertionFailure() << found.size() << " bytes, expected " << expected.size() << "; differ from byte "
                                     << at << ": \"" << found.substr(std::min(at, found.size()), 20)
                                     << "\", expected \"" << expected.substr(std::min(at, expected.size()), 20) << '"';
}

class ServerHarness {
 public:
  explicit ServerHarness(uint32_t fetchers = 0) {
    options_.target_directory = dir_.make("target");
    options_.capacity_bytes = 64 << 20;
    options_.high_watermark_bytes = 64 << 20;
    options_.chunk_size_bytes = kChunk;
    options_.fetch.streams = fetchers;  // without background threads only what is asked for moves
    dir_.make("outside");
    tree_ = consistency::ExternalTree::open(dir_ / "outside").value();
    start();
  }

  // The old process is gone, as by a kill; a new one starts.
  void restart() {
    server_.reset();
    start();
  }
  void start() {
    server_ = std::make_unique<StorageServer>(options_, *tree_);
    const Status opened = server_->open();
    ASSERT_TRUE(opened) << opened.error().message();
    server_->start(meta_);
    meta_.on_revalidate = [this](InodeId) -> Result<Validator> { return outside_version(); };
    meta_.on_locate = [this](InodeId) -> Result<ExternalRef> {
      if (::access(outside_path().c_str(), F_OK) != 0) return fail(ESTALE);
      return ref();
    };
  }

  std::string outside_path() const { return dir_ / "outside/file"; }
  std::string chunk_path() const { return fmt::format("{}/target/00/00/{:x}.chunk", dir_.path(), kFile); }
  void put_outside(const std::string& content) { test::write_file(outside_path(), content); }
  std::string outside() const { return test::read_file(outside_path()); }
  Validator outside_version() const { return look().version; }
  ExternalRef ref() const { return {"file", look().identity, nullptr}; }

  Result<ChunkState> try_open(bool created = false, uint64_t chunk_size_bytes = kChunk, uint32_t handles = 0) {
    CachingFileRequest request;
    request.id = kFile;
    request.source = ref();
    request.version = outside_version();
    request.blocks = look().attributes.blocks;
    request.layout.chunk_size_bytes = chunk_size_bytes;
    request.created = created;
    request.handles = handles;
    return server_->caching_file(request);
  }
  ChunkState open(uint64_t chunk_size_bytes = kChunk) {
    const Result<ChunkState> state = try_open(false, chunk_size_bytes);
    EXPECT_TRUE(state) << state.error().message();
    return state.value_or(ChunkState{});
  }
  void close() { server_->close_file(kFile); }
  ChunkState state() { return server_->stat_file(kFile).value(); }

  std::string read(uint64_t offset, size_t length) {
    std::string buffer(length, '?');
    const Result<size_t> bytes = server_->read(kFile, offset, buffer);
    EXPECT_TRUE(bytes) << bytes.error().message();
    buffer.resize(bytes.value_or(0));
    return buffer;
  }
  std::string read_all() { return read(0, state().size + 1); }
  void write(uint64_t offset, const std::string& data) {
    const Status written = server_->write(kFile, offset, data);
    ASSERT_TRUE(written) << written.error().message();
  }
  Result<FlushBeginReply> begin_flush(bool overwrite = false) {
    return server_->flush_begin({kFile, ref(), overwrite});
  }
  // A whole flush; the bytes moved.
  uint64_t flush(bool overwrite = false) {
    const uint64_t before = space().flushed_bytes;
    const Result<FlushBeginReply> begun = begin_flush(overwrite);
    EXPECT_TRUE(begun) << begun.error().message();
    if (!begun) return 0;
    EXPECT_FALSE(begun->conflict);
    const Status moved = server_->flush_move(kFile);
    EXPECT_TRUE(moved) << moved.error().message();
    const Result<FlushCommitReply> done = server_->flush_commit({kFile, {}, {}});
    EXPECT_TRUE(done) << done.error().message();
    if (done) {
      EXPECT_EQ(done->version, outside_version());
    }
    return space().flushed_bytes - before;
  }
  SpaceReport space() { return server_->space(); }

  StorageServer& server() { return *server_; }
  const consistency::ExternalTree& tree() const { return *tree_; }
  FakeMeta& meta() { return meta_; }
  test::TempDir& dir() { return dir_; }
  StorageServer::Options& options() { return options_; }

 private:
  consistency::Probe look() const { return tree_->probe_child(tree_->root_fd(), "file").value(); }

  test::TempDir dir_;
  std::unique_ptr<consistency::ExternalTree> tree_;
  FakeMeta meta_;
  StorageServer::Options options_;
  std::unique_ptr<StorageServer> server_;
};

}  // namespace forebay::storage
