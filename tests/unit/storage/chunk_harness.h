// A chunk file on a real target directory, and what a test needs to play with it: kills, power cuts, and the bytes that
// a reader would see.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "core/io.h"
#include "storage/chunk_file.h"
#include "tests/support/temp_dir.h"

namespace forebay::storage {

inline Validator version_of(uint64_t size, int64_t seconds = 1000) { return {{seconds, 1}, {seconds, 2}, size, 77}; }

// For messages of failed comparisons, and to compare all that a reload must keep.
inline std::string describe(const ChunkFile& file) {
  std::string text = fmt::format("size {} base {} dirty {} version {}:{} expectation {} missing", file.size(),
                                 file.base(), file.dirty(), file.version().mtime.seconds, file.version().size,
                                 static_cast<int>(file.expectation()));
  for (const Extent& gap : file.missing(0, file.size())) text += fmt::format(" [{}, {})", gap.begin, gap.end);
  text += " dirty";
  for (const Extent& range : file.dirty_extents().extents()) text += fmt::format(" [{}, {})", range.begin, range.end);
  return text;
}

class ChunkHarness {
 public:
  ChunkHarness() {
    const Status opened = space_.open(dir_.path(), 1ull << 30);
    EXPECT_TRUE(opened);
    load();
  }

  ChunkFile& file() { return *file_; }
  const SpaceAccount& space() const { return space_; }
  std::string chunk_path() const { return path_ + ".chunk"; }
  std::string map_path() const { return path_ + ".map"; }

  // The process is killed and started again: only what is on the target counts.
  void kill() { load(); }
  // The same for the machine; the files are as the test left them.
  void power_cut() { load(true); }
  // A kill at this moment changes nothing.
  void expect_kept() {
    const std::string before = describe(file()), bytes = content();
    kill();
    EXPECT_EQ(describe(file()), before);
    EXPECT_EQ(content(), bytes);
  }
  Status try_load(bool after_power_cut = false) {
    file_ = std::make_unique<ChunkFile>(9, path_, space_, after_power_cut);
    return file_->load();
  }

  // A file that is `content` outside, with nothing here.
  void begin(const std::string& content) {
    outside_ = content;
    EXPECT_TRUE(file_->reset(version_of(content.size())));
    EXPECT_TRUE(file_->create({}));
  }
  // What a server does for these requests.
  void fetch(Extent range) {
    for (const Extent& gap : file_->missing(range.begin, range.end)) {
      EXPECT_TRUE(file_->add_present(gap, outside_.data() + gap.begin));
    }
  }
  void write(uint64_t offset, const std::string& data) {
    const Extent range{offset, offset + data.size()};
    EXPECT_TRUE(file_->before_change(range));
    EXPECT_TRUE(pwrite_full(file_->fd(), data.data(), data.size(), offset));
    EXPECT_TRUE(file_->after_change(range));
  }
  // Moves what begin_flush() planned into the outside, as flush_data() does.
  void move_out(const ChunkFile::FlushPlan& plan) {
    if (plan.base < outside_.size()) outside_.resize(plan.base);
    outside_.resize(plan.size, '\0');
    for (const Extent& extent : plan.extents) {
      const uint64_t end = std::min(extent.end, file_->size());
      if (extent.begin < end) outside_.replace(extent.begin, end - extent.begin, here(extent.begin, end));
    }
  }
  void flush() {
    const ChunkFile::FlushPlan plan = file_->begin_flush();
    move_out(plan);
    EXPECT_TRUE(file_->commit_flush(version_of(outside_.size(), ++clock_)));
  }

  // The file as an application sees it: missing bytes come from outside.
  std::string content() const {
    std::string whole = here(0, file_->size());
    for (const Extent& gap : file_->missing(0, file_->size())) {
      for (uint64_t at = gap.begin; at < gap.end; ++at) whole[at] = at < outside_.size() ? outside_[at] : '\0';
    }
    return whole;
  }
  std::string here(uint64_t begin, uint64_t end) const {
    std::string bytes(end - begin, '\0');
    if (file_->exists()) {
      EXPECT_EQ(pread_full(file_->fd(), bytes.data(), bytes.size(), begin).value_or(0), bytes.size());
    }
    return bytes;
  }
  std::string& outside() { return outside_; }

 private:
  void load(bool after_power_cut = false) {
    const Status loaded = try_load(after_power_cut);
    EXPECT_TRUE(loaded) << loaded.error().message();
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "ab/cd/9";
  SpaceAccount space_;
  std::unique_ptr<ChunkFile> file_;
  std::string outside_;
  int64_t clock_ = 1000;
};

}  // namespace forebay::storage
