// Files on several targets: the same to applications and to the outside as files on one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "core/stripe/striped_storage.h"
#include "meta/server.h"
#include "storage/server.h"
#include "tests/support/files.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace forebay::meta {
namespace {

constexpr uint64_t kChunk = 64 << 10;
constexpr TargetId kTargets = 3;

// A metadata server and several targets of as many nodes, in one process.
class StripedFiles : public testing::Test {
 protected:
  void SetUp() override {
    config_.flush.policy = FlushPolicy::kManual;
    config_.consistency.validate = Validate::kAlways;
    config_.fetch.streams = 0;
    config_.cache.chunk_size_bytes = kChunk;
    config_.stripe.count = kTargets;
    dir_.make("outside");
    cache_ = dir_.make("cache0");
    tree_ = consistency::ExternalTree::open(dir_ / "outside").value();
    start();
  }
  void TearDown() override { stop(); }

  void start() {
    for (TargetId id = 1; id <= kTargets; ++id) {
      storage::StorageServer::Options options;
      options.target = id;
      options.target_directory = fmt::format("{}/target{}", cache_, id);
      options.capacity_bytes = options.high_watermark_bytes = 256 << 20;
      options.chunk_size_bytes = kChunk;
      options.fetch = config_.fetch;
      targets_[id] = std::make_shared<storage::StorageServer>(options, *tree_);
      ASSERT_TRUE(targets_[id]->open());
    }
    storage_ = std::make_unique<StripedStorage>(
        StripedStorage::Directory{[this](InodeId id) { return routes_->find_layout(id); },
                                  [this](TargetId id) -> Result<StripedStorage::ServicePtr> { return targets_.at(id); },
                                  [] {
                                    return std::vector<TargetId>{1, 2, 3};
                                  },
                                  [this](InodeId id) -> Status {
                                    ASSIGN_OR_RETURN([[maybe_unused]] const Layout layout, meta_->reopen({}, id, {}));
                                    return {};
                                  }});
    const auto known = [] {
      std::vector<TargetInfo> all(kTargets);
      for (TargetId id = 1; id <= kTargets; ++id) all[id - 1].id = id;
      return std::make_shared<const std::vector<TargetInfo>>(std::move(all));
    };
    meta_ = std::make_unique<MetaServer>(config_, Store::open(cache_ + "/meta.db").value(), *tree_, *storage_, known);
    routes_ = meta_.get();
    ASSERT_TRUE(meta_->open_tree());
    for (auto& [id, target] : targets_) target->start(*meta_);
    const Status started = meta_->start();
    ASSERT_TRUE(started) << started.error().message();
  }
  void stop() {
    if (meta_ == nullptr) return;
    (void)meta_->stop(MetaServer::End::kKeep);
    for (auto& [id, target] : targets_) target->stop();
    meta_.reset();
    targets_.clear();
  }
  // As MetaHarness::kill().
  void kill() {
    const std::string copy = dir_ / ("cache" + std::to_string(++kills_));
    ASSERT_EQ(std::system(fmt::format("cp -a '{}' '{}'", cache_, copy).c_str()), 0);
    stop();
    cache_ = copy;
    start();
  }

  std::string outside(const std::string& name) const { return dir_ / "outside/" + name; }
  InodeId lookup(const std::string& name) { return meta_->lookup(root_, kRootInode, name)->id; }
  InodeId create(const std::string& name) {
    const Result<CreateReply> made = meta_->create(root_, kRootInode, name, 0644, O_RDWR);
    EXPECT_TRUE(made) << made.error().message();
    return made ? made->id : 0;
  }
  std::string read(InodeId id, uint64_t offset = 0, size_t bytes = 8 << 20) {
    std::string buffer(bytes, '?');
    const Result<size_t> got = storage_->read(id, offset, buffer);
    EXPECT_TRUE(got) << got.error().message();
    buffer.resize(got.value_or(0));
    return buffer;
  }
  std::string read_closed(const std::string& name) {
    const InodeId id = lookup(name);
    EXPECT_TRUE(meta_->open(root_, id, O_RDONLY));
    std::string content = read(id);
    meta_->release(id, O_RDONLY);
    return content;
  }
  uint64_t size_of(InodeId id) { return meta_->getattr(id)->attributes.size; }
  WorkProgress flush() { return meta_->flush(kRootInode, true, std::chrono::minutes(1)).value(); }
  std::vector<TargetId> targets_of(InodeId id) { return meta_->cache_state(id)->layout.targets; }

  test::TempDir dir_;
  std::string cache_;
  int kills_ = 0;
  Config config_;
  const Caller root_;
  std::unique_ptr<consistency::ExternalTree> tree_;
  std::map<TargetId, std::shared_ptr<storage::StorageServer>> targets_;
  std::unique_ptr<StripedStorage> storage_;
  std::unique_ptr<MetaServer> meta_;
  MetaServer* routes_ = nullptr;  // the same, also while it ends
};

TEST_F(StripedFiles, EachTargetHasItsChunksAlone) {
  const InodeId id = create("a");
  const std::string content = test::noise(7 * kChunk + 100);
  ASSERT_TRUE(storage_->write(id, 0, content));
  EXPECT_EQ(targets_of(id).size(), kTargets);
  EXPECT_EQ(read(id), content);
  EXPECT_EQ(size_of(id), content.size());
  uint64_t sum = 0;
  for (auto& [number, target] : targets_) {
    const uint64_t bytes = target->stat_file(id)->present_bytes;
    EXPECT_GE(bytes, 2 * kChunk);
    EXPECT_LE(bytes, 3 * kChunk);
    sum += bytes;
  }
  EXPECT_EQ(sum, content.size());
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(test::read_file(outside("a")), content);
}

TEST_F(StripedFiles, AreFetchedByAllTargets) {
  const std::string content = test::noise(20 * kChunk + 5);
  test::write_file(outside("a"), content);
  const InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDONLY));
  EXPECT_EQ(read(id, 3 * kChunk - 10, 2 * kChunk), content.substr(3 * kChunk - 10, 2 * kChunk));
  EXPECT_EQ(read(id), content);
  const CacheState state = meta_->cache_state(id).value();
  EXPECT_TRUE(state.cached);
  EXPECT_EQ(state.present_bytes, content.size());
  EXPECT_EQ(storage_->space().fetched_bytes, content.size()) << "each byte once";
  meta_->release(id, O_RDONLY);
}

TEST_F(StripedFiles, HolesBetweenPartsReadAsZeros) {
  const InodeId id = create("a");
  ASSERT_TRUE(storage_->write(id, 4 * kChunk + 1, std::string("end")));
  EXPECT_EQ(size_of(id), 4 * kChunk + 4);
  EXPECT_EQ(read(id), std::string(4 * kChunk + 1, '\0') + "end");
  EXPECT_EQ(read(id, 4 * kChunk + 4, 10), "");
  EXPECT_EQ(storage_->seek({id, 0, SEEK_DATA}).value_or(0) / kChunk, 4u);
  EXPECT_EQ(storage_->seek({id, 0, SEEK_HOLE}).value_or(99), 0u);
  EXPECT_EQ(storage_->seek({id, 4 * kChunk + 4, SEEK_DATA}).error().code, ENXIO);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(test::read_file(outside("a")), std::string(4 * kChunk + 1, '\0') + "end");
  EXPECT_EQ(meta_->status().dirty_files, 0u) << "parts that end in the hole are as outside, too";
  EXPECT_FALSE(storage_->stat_file(id)->dirty);
  kill();
  EXPECT_FALSE(meta_->cache_state(lookup("a"))->dirty);
  EXPECT_TRUE(meta_->cache_state(lookup("a"))->cached);
}

TEST_F(StripedFiles, ATruncatedFileNeverShowsOldBytesAgain) {
  test::write_file(outside("a"), test::noise(9 * kChunk));
  const InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  const std::string kept = read(id, 0, kChunk + 7);
  SetAttributes change;
  change.set_size = true;
  change.size = kChunk + 7;
  ASSERT_TRUE(meta_->setattr(root_, id, change));
  change.size = 8 * kChunk;
  ASSERT_TRUE(meta_->setattr(root_, id, change));
  const std::string expected = kept + std::string(7 * kChunk - 7, '\0');
  EXPECT_EQ(read(id), expected);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(test::read_file(outside("a")), expected);
  EXPECT_EQ(read(id), expected);
  meta_->release(id, O_RDWR);
}

TEST_F(StripedFiles, KeepTheApplicationsTimes) {
  const InodeId id = create("a");
  ASSERT_TRUE(storage_->write(id, 0, test::noise(5 * kChunk)));
  SetAttributes change;
  change.set_mtime = true;
  change.mtime = {1'000'000'000, 123'456'789};
  ASSERT_TRUE(meta_->setattr(root_, id, change));
  EXPECT_EQ(flush().failed_files, 0u);
  struct stat found;
  ASSERT_EQ(::stat(outside("a").c_str(), &found), 0);
  EXPECT_EQ(FileTime::of(found.st_mtim), change.mtime);
  EXPECT_EQ(meta_->getattr(id)->attributes.mtime, change.mtime);
  // One part is changed; the others' chunk files were touched later than the file.
  ASSERT_TRUE(storage_->write(id, 0, std::string("x")));
  const FileTime written = meta_->getattr(id)->attributes.mtime;
  EXPECT_GT(written, change.mtime);
  EXPECT_EQ(flush().failed_files, 0u);
  ASSERT_EQ(::stat(outside("a").c_str(), &found), 0);
  EXPECT_EQ(FileTime::of(found.st_mtim), written);
}

TEST_F(StripedFiles, AChangeOutsideIsAConflictOfTheWholeFile) {
  test::write_file(outside("a"), test::noise(6 * kChunk, 1));
  const InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  std::string ours = read(id);
  ASSERT_TRUE(storage_->write(id, 2 * kChunk, std::string("ours")));
  ours.replace(2 * kChunk, 4, "ours");
  meta_->release(id, O_RDWR);
  const std::string theirs = test::noise(3 * kChunk, 2);
  test::write_file(outside("a"), theirs);
  EXPECT_EQ(flush().conflicts, 1u);
  EXPECT_EQ(test::read_file(outside("a")), theirs);
  EXPECT_EQ(read_closed("a"), theirs);
  int beside = 0;
  for (const auto& entry : std::filesystem::directory_iterator(outside(""))) {
    if (entry.path().filename() == "a") continue;
    ++beside;
    EXPECT_EQ(test::read_file(entry.path()), ours);
  }
  EXPECT_EQ(beside, 1);
}

// As above, with the file opened and looked at in between: what was not changed here stays as it was then.
TEST_F(StripedFiles, WhatIsKeptOfAConflictIsOneVersion) {
  std::string ours = test::noise(6 * kChunk, 1);
  test::write_file(outside("a"), ours);
  const InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  EXPECT_EQ(read(id).size(), ours.size());
  ASSERT_TRUE(storage_->write(id, 2 * kChunk, std::string("ours")));
  ours.replace(2 * kChunk, 4, "ours");
  test::write_file(outside("a"), test::noise(6 * kChunk, 2));
  EXPECT_EQ(size_of(id), ours.size());  // looks outside
  EXPECT_EQ(test::content_difference(ours, read(id)), "");
  meta_->release(id, O_RDWR);
  EXPECT_EQ(test::content_difference(ours, read_closed("a")), "");
  EXPECT_EQ(flush().conflicts, 1u);
  for (const auto& entry : std::filesystem::directory_iterator(outside(""))) {
    if (entry.path().filename() == "a") continue;
    EXPECT_EQ(test::content_difference(ours, test::read_file(entry.path())), "");
  }
}

// Parts without a chunk file know nothing of the file once it is closed.
TEST_F(StripedFiles, PartsThatHaveNothingAreNoConflict) {
  const InodeId id = create("a");
  ASSERT_TRUE(storage_->write(id, 0, std::string("short")));
  meta_->release(id, O_RDWR);
  kill();  // and the targets have forgotten what they were told
  EXPECT_EQ(flush().conflicts, 0u);
  EXPECT_EQ(test::read_file(outside("a")), "short");
  EXPECT_EQ(meta_->status().dirty_files, 0u);
  ASSERT_TRUE(meta_->open(root_, lookup("a"), O_RDWR));
  ASSERT_TRUE(storage_->write(lookup("a"), 5 * kChunk, std::string("longer")));
  EXPECT_EQ(flush().conflicts, 0u);
  EXPECT_EQ(test::read_file(outside("a")).size(), 5 * kChunk + 6);
}

// The targets know what they were told when the file was opened, and nothing has been made of it yet.
TEST_F(StripedFiles, AnOwnChangeBeforeAnythingIsHereIsNoConflict) {
  std::string content = test::noise(6 * kChunk);
  test::write_file(outside("a"), content);
  const InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  ASSERT_TRUE(meta_->setxattr(root_, id, "user.of_ours", "changes the ctime", 0));
  ASSERT_TRUE(storage_->write(id, kChunk, std::string("ours")));
  content.replace(kChunk, 4, "ours");
  meta_->release(id, O_RDWR);
  EXPECT_EQ(flush().conflicts, 0u);
  EXPECT_EQ(test::content_difference(content, test::read_file(outside("a"))), "");
}

// What explains the change is the part that is newer; the others hold nothing that could be lost.
TEST_F(StripedFiles, PartsThatHaveNothingNewerHaveNoSayInAConflict) {
  const InodeId id = create("a");
  ASSERT_TRUE(storage_->write(id, 0, std::string("ours")));
  ASSERT_TRUE(storage_->write(id, kChunk, std::string("ours")));
  const timespec later[2] = {{2'000'000'000, 0}, {2'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, outside("a").c_str(), later, 0), 0) << "as if the times had been read too early";
  EXPECT_EQ(flush().conflicts, 0u);
  EXPECT_EQ(test::read_file(outside("a")), "ours" + std::string(kChunk - 4, '\0') + "ours");
  EXPECT_EQ(meta_->status().dirty_files, 0u);
}

TEST_F(StripedFiles, TimesBefore1970AreTimes) {
  const InodeId id = create("a");
  ASSERT_TRUE(storage_->write(id, 0, test::noise(3 * kChunk)));
  SetAttributes change;
  change.set_mtime = true;
  change.mtime = {-1'000'000'000, 5};
  ASSERT_TRUE(meta_->setattr(root_, id, change));
  EXPECT_EQ(meta_->getattr(id)->attributes.mtime, change.mtime);
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(meta_->getattr(id)->attributes.mtime, change.mtime);
}

// Of its parts some are cut off before the flush begins, and some after: they would not agree how long the file is.
TEST_F(StripedFiles, ATruncationWhileAFlushBeginsIsNotUndone) {
  const InodeId id = create("a");
  for (int round = 0; round < 300 && !testing::Test::HasFailure(); ++round) {
    const uint64_t size = 1 + static_cast<uint64_t>(round) * 997 % (4 * kChunk);
    ASSERT_TRUE(storage_->write(id, 5 * kChunk, std::string("end")));
    std::thread flusher([this] { flush(); });
    SetAttributes change;
    change.set_size = true;
    change.size = size;
    EXPECT_TRUE(meta_->setattr(root_, id, change));
    flusher.join();
    EXPECT_EQ(size_of(id), size) << "round " << round;
  }
}

TEST_F(StripedFiles, AreDroppedWholeAndFetchedAgain) {
  const std::string content = test::noise(6 * kChunk);
  test::write_file(outside("a"), content);
  EXPECT_EQ(read_closed("a"), content);
  ASSERT_TRUE(meta_->evict(lookup("a"), true, std::chrono::seconds(10)));
  for (auto& [number, target] : targets_) EXPECT_EQ(target->space().used_bytes, 0u) << number;
  EXPECT_EQ(read_closed("a"), content);
}

TEST_F(StripedFiles, AppendsOfSeveralDoNotOverlap) {
  const InodeId id = create("a");
  constexpr int kThreads = 4, kEach = 50;
  std::vector<std::thread> threads;
  for (int who = 0; who < kThreads; ++who) {
    threads.emplace_back([&, who] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_TRUE(storage_->write(id, kAtEnd, std::string(1000, static_cast<char>('a' + who))));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string content = read(id);
  ASSERT_EQ(content.size(), size_t{1000} * kThreads * kEach);
  for (size_t at = 0; at < content.size(); at += 1000) {
    EXPECT_EQ(content.substr(at, 1000), std::string(1000, content[at])) << at;
  }
}

// One who was given his place has not written yet, and another opens the file.
TEST_F(StripedFiles, APlaceAtTheEndIsGivenOnce) {
  const InodeId id = create("a");
  EXPECT_EQ(storage_->reserve_end(id, 0, 1000).value_or(1), 0u);
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  EXPECT_EQ(storage_->reserve_end(id, 0, 1000).value_or(0), 1000u);
  meta_->release(id, O_RDWR);
}

TEST_F(StripedFiles, ATargetThatWasStartedAnewIsToldAgain) {
  const std::string content = test::noise(6 * kChunk);
  test::write_file(outside("a"), content);
  const InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  storage::StorageServer::Options options;
  options.target = 2;
  options.target_directory = cache_ + "/target2";
  options.capacity_bytes = options.high_watermark_bytes = 256 << 20;
  options.chunk_size_bytes = kChunk;
  options.fetch = config_.fetch;
  targets_[2]->stop();
  targets_[2] = std::make_shared<storage::StorageServer>(options, *tree_);
  ASSERT_TRUE(targets_[2]->open());
  targets_[2]->start(*meta_);
  EXPECT_EQ(read(id), content) << "nothing of it was on that target";
  meta_->release(id, O_RDWR);
}

TEST_F(StripedFiles, ADirectorySaysHowItsFilesAre) {
  const InodeId directory = meta_->mkdir(root_, kRootInode, "d", 0755)->id;
  const InodeId below = meta_->mkdir(root_, directory, "below", 0755)->id;
  ASSERT_TRUE(meta_->set_layout_rule(directory, LayoutRule{2, 256 << 10}));
  const auto made = meta_->create(root_, below, "a", 0644, O_RDWR);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->layout.targets.size(), 2u);
  EXPECT_EQ(made->layout.chunk_size_bytes, 256u << 10);
  ASSERT_TRUE(storage_->write(made->id, 0, std::string("data")));
  ASSERT_TRUE(meta_->set_layout_rule(below, LayoutRule{1, 0}));
  EXPECT_EQ(meta_->create(root_, below, "b", 0644, O_RDWR)->layout.targets.size(), 1u);
  ASSERT_TRUE(meta_->set_layout_rule(below, {}));
  kill();
  EXPECT_EQ(meta_->layout_rule(meta_->lookup(root_, lookup("d"), "below")->id).value(), (LayoutRule{2, 256 << 10}));
  EXPECT_EQ(meta_->set_layout_rule(made->id, LayoutRule{2, 0}).error().code, ENOTDIR);
  EXPECT_EQ(meta_->set_layout_rule(kRootInode, LayoutRule{2, 1000}).error().code, EINVAL);
}

// Random work on one file, beside a string that has the same done to it.
TEST_F(StripedFiles, AreWhatAModelSays) {
  std::mt19937_64 random(test::test_seed());
  std::string model = test::noise(10 * kChunk + 321);
  test::write_file(outside("a"), model);
  InodeId id = lookup("a");
  ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
  for (int step = 0; step < 600 && !testing::Test::HasFailure(); ++step) {
    const uint64_t offset = random() % (12 * kChunk), bytes = 1 + random() % (3 * kChunk);
    const int what = static_cast<int>(random() % 100);
    SCOPED_TRACE(testing::Message() << "step " << step << ", kind " << what << ", " << bytes << " at " << offset);
    if (what < 30) {
      const std::string data(bytes, static_cast<char>('a' + random() % 26));
      ASSERT_TRUE(storage_->write(id, offset, data));
      model.resize(std::max<size_t>(model.size(), offset + bytes));
      model.replace(offset, bytes, data);
    } else if (what < 60) {
      const std::string expected = offset < model.size() ? model.substr(offset, bytes) : std::string();
      EXPECT_EQ(test::content_difference(expected, read(id, offset, bytes)), "");
    } else if (what < 68) {
      SetAttributes change;
      change.set_size = true;
      change.size = offset;
      ASSERT_TRUE(meta_->setattr(root_, id, change));
      model.resize(offset);
    } else if (what < 74) {
      const bool zero = random() % 2 == 0;
      ASSERT_TRUE(storage_->allocate(id, (zero ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE) | FALLOC_FL_KEEP_SIZE,
                                     offset, bytes));
      for (uint64_t at = offset; at < std::min<uint64_t>(offset + bytes, model.size()); ++at) model[at] = '\0';
    } else if (what < 78) {
      ASSERT_TRUE(storage_->allocate(id, 0, offset, bytes));
      model.resize(std::max<size_t>(model.size(), offset + bytes));
    } else if (what < 82) {
      const std::string data(bytes, 'E');
      ASSERT_TRUE(storage_->write(id, kAtEnd, data));
      model += data;
    } else if (what < 86) {
      // Data is never before what a hole-less file would say, and no byte that is not zero is in a hole.
      const Result<uint64_t> data = storage_->seek({id, offset, SEEK_DATA});
      const size_t first = model.find_first_not_of('\0', offset);
      if (first != std::string::npos) {
        ASSERT_TRUE(data) << data.error().message();
        EXPECT_LE(*data, first);
        EXPECT_GE(*data, offset);
      }
    } else if (what < 92) {
      EXPECT_EQ(flush().failed_files, 0u);
      EXPECT_FALSE(storage_->stat_file(id)->dirty);
      EXPECT_EQ(test::content_difference(model, test::read_file(outside("a"))), "");
    } else if (what < 95) {
      EXPECT_EQ(flush().failed_files, 0u);
      EXPECT_TRUE(storage_->drop(id, bytes));
    } else if (what < 98) {
      meta_->release(id, O_RDWR);
      if (random() % 2 == 0) (void)meta_->evict(id, true, std::chrono::seconds(10));
      ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
    } else {
      kill();
      id = lookup("a");
      ASSERT_TRUE(meta_->open(root_, id, O_RDWR));
    }
    EXPECT_EQ(size_of(id), model.size());
  }
  EXPECT_EQ(test::content_difference(model, read(id)), "");
  EXPECT_EQ(flush().failed_files, 0u);
  EXPECT_EQ(test::content_difference(model, test::read_file(outside("a"))), "");
}

}  // namespace
}  // namespace forebay::meta
