// Three metadata servers of one tree in one process, each with a storage server of its own: what they do for each
// other, with threads that get in each other's way.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include "core/cluster/routed_meta.h"
#include "meta/server.h"
#include "storage/server.h"
#include "tests/support/temp_dir.h"

namespace forebay::meta {
namespace {

constexpr uint32_t kServers = 3;

class SeveralServers : public testing::Test {
 protected:
  explicit SeveralServers(uint32_t servers = kServers) : servers_(servers) {
    dir_.make("outside");
    config_.flush.policy = FlushPolicy::kManual;
    config_.consistency.validate = Validate::kAlways;
    config_.fetch.streams = 0;
    tree_ = consistency::ExternalTree::open(dir_ / "outside").value();
    for (uint32_t i = 0; i < servers_; ++i) add_server(i);
    for (uint32_t i = 0; i < servers_; ++i) {
      storages_[i]->start(*metas_[i]);
      EXPECT_TRUE(metas_[i]->start());
    }
    std::vector<std::shared_ptr<MetaService>> services;
    for (const auto& meta : metas_) services.emplace_back(std::shared_ptr<void>(), meta.get());
    all_ = std::make_unique<RoutedMeta>(services);
  }
  ~SeveralServers() override {
    for (const auto& meta : metas_) (void)meta->stop(MetaServer::End::kKeep);
    for (const auto& storage : storages_) storage->stop();
  }

  void add_server(uint32_t number) {
    const std::string cache = dir_.make("cache" + std::to_string(number));
    storage::StorageServer::Options options;
    options.target_directory = cache + "/target";
    options.capacity_bytes = options.high_watermark_bytes = 256 << 20;
    options.chunk_size_bytes = config_.cache.chunk_size_bytes;
    options.fetch = config_.fetch;
    storages_.push_back(std::make_unique<storage::StorageServer>(options, *tree_));
    EXPECT_TRUE(storages_.back()->open());
    const auto reach = [this](uint32_t other) -> Result<std::shared_ptr<MetaPeerService>> {
      return std::shared_ptr<MetaPeerService>(std::shared_ptr<void>(), metas_[other].get());
    };
    metas_.push_back(std::make_unique<MetaServer>(config_, Store::open(cache + "/meta.db", number).value(), *tree_,
                                                  *storages_.back(), std::function<TargetList()>(),
                                                  Ownership(number, servers_, reach)));
    EXPECT_TRUE(metas_.back()->open_tree());
  }

  InodeId make_directory(InodeId parent, const std::string& name) {
    const Result<EntryReply> made = all_->mkdir(root_, parent, name, 0755);
    EXPECT_TRUE(made) << made.error().message();
    return made ? made->id : 0;
  }
  InodeId make_file(InodeId parent, const std::string& name, const std::string& content) {
    const Result<CreateReply> made = all_->create(root_, parent, name, 0644, O_WRONLY);
    EXPECT_TRUE(made) << made.error().message();
    if (!made) return 0;
    EXPECT_TRUE(storages_[owner_of(made->id)]->write(made->id, 0, content));
    all_->release(made->id, O_WRONLY);
    return made->id;
  }
  // The first of names with that beginning whose directory is another server's than `than`.
  InodeId directory_of_another(uint32_t than, const std::string& beginning) {
    for (int i = 0; i < 100; ++i) {
      const InodeId made = make_directory(kRootInode, beginning + std::to_string(i));
      if (owner_of(made) != than) return made;
    }
    ADD_FAILURE() << "all directories are one server's";
    return 0;
  }
  Status rename(InodeId from, const std::string& name, InodeId to, const std::string& new_name, unsigned flags = 0) {
    return all_->rename(root_, from, name, to, new_name, flags);
  }
  void expect_clean_flush() {
    const Result<WorkProgress> progress = all_->flush(kRootInode, true, std::chrono::minutes(1));
    ASSERT_TRUE(progress) << progress.error().message();
    EXPECT_EQ(progress->remaining_files + progress->failed_files + progress->conflicts, 0u)
        << progress->last_error.message();
  }

  // Files are made, moved, exchanged, replaced and removed at the same few names by all threads, as clients of several
  // mounts do. No data of a file that is gone comes back as a conflict, and the others keep theirs.
  void shuffle(const std::vector<InodeId>& directories) {
    constexpr int kThreads = 4, kRounds = 300, kAllNames = 2;
    const uint64_t seed = std::random_device()();
    std::cout << "seed " << seed << "\n";
    const auto is_fair = [](const Error& error) { return error.code == ENOENT || error.code == EEXIST; };
    std::vector<std::thread> threads;
    for (int number = 0; number < kThreads; ++number) {
      threads.emplace_back([&, number] {
        std::mt19937_64 random(seed + number);
        const auto place = [&] { return directories[random() % directories.size()]; };
        const auto name = [&] { return "f" + std::to_string(random() % kAllNames); };
        for (int round = 0; round < kRounds; ++round) {
          Status done;
          switch (random() % 4) {
            case 0:
              done = make_exclusively(place(), name());
              break;
            case 1:
              done = rename(place(), name(), place(), name());
              break;
            case 2:
              done = rename(place(), name(), place(), name(), RENAME_EXCHANGE);
              break;
            default:
              done = all_->unlink(root_, place(), name());
          }
          EXPECT_TRUE(done || is_fair(done.error())) << done.error().message();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    expect_clean_flush();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "outside")) {
      if (!entry.is_regular_file()) continue;
      EXPECT_EQ(test::read_file(entry.path()), "content") << entry.path();
    }
  }
  Status make_exclusively(InodeId parent, const std::string& name) {
    ASSIGN_OR_RETURN(const CreateReply made, all_->create(root_, parent, name, 0644, O_WRONLY | O_EXCL));
    EXPECT_TRUE(storages_[owner_of(made.id)]->write(made.id, 0, std::string_view("content")));
    all_->release(made.id, O_WRONLY);
    all_->forget(made.id, 1);
    return {};
  }

  const uint32_t servers_;
  test::TempDir dir_;
  Config config_;
  const Caller root_;
  std::unique_ptr<consistency::ExternalTree> tree_;
  std::vector<std::unique_ptr<storage::StorageServer>> storages_;
  std::vector<std::unique_ptr<MetaServer>> metas_;
  std::unique_ptr<RoutedMeta> all_;
};

TEST_F(SeveralServers, AMovedFileStaysWithItsServerAndIsFoundByItsNumber) {
  const InodeId from = directory_of_another(kServers, "a"), to = directory_of_another(owner_of(from), "b");
  const InodeId file = make_file(from, "file", "content");
  EXPECT_EQ(owner_of(file), owner_of(from));
  ASSERT_TRUE(rename(from, "file", to, "moved"));
  const Result<EntryReply> found = all_->lookup(root_, to, "moved");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, file);
  EXPECT_EQ(all_->lookup(root_, from, "file")->id, 0u);
  ASSERT_TRUE(all_->unlink(root_, to, "moved"));
  EXPECT_EQ(all_->lookup(root_, to, "moved")->id, 0u);
}

TEST_F(SeveralServers, APartOfARenameThatCannotBeIsRefused) {
  const InodeId directory = directory_of_another(kServers, "a");
  RenameStep step;
  step.parent = step.new_parent = directory;
  step.name = "x";
  step.new_name = "y";
  const auto refused = [&](const RenameStep& wrong) {
    const Status done = metas_[owner_of(directory)]->rename_step(wrong);
    return !done && done.error().code == EINVAL;
  };
  RenameStep twice = step;
  twice.at_objects = true;
  twice.route = {owner_of(directory), owner_of(directory)};
  EXPECT_TRUE(refused(twice));
  RenameStep of_another = step;
  of_another.at_objects = true;
  of_another.route = {(owner_of(directory) + 1) % kServers};
  EXPECT_TRUE(refused(of_another));
  RenameStep with_flags = step;
  with_flags.flags = 1 << 7;
  EXPECT_TRUE(refused(with_flags));
}

TEST_F(SeveralServers, WhatWasPlannedForSomethingElseIsNotDone) {
  const InodeId from = directory_of_another(kServers, "a"), to = directory_of_another(owner_of(from), "b");
  make_file(from, "file", "content");
  const Result<OwnedObject> file = metas_[owner_of(from)]->named(from, "file");
  ASSERT_TRUE(file);
  make_file(from, "another", "another");
  ASSERT_TRUE(rename(from, "another", from, "file"));
  MetaServer& owner = *metas_[file->owner];
  const Status removed = owner.remove_object({{root_, 0}, from, "file", file->identity, false});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, EAGAIN);
  RenameStep step;
  step.parent = from;
  step.name = "file";
  step.new_parent = to;
  step.new_name = "file";
  step.moved = *file;
  step.at_objects = true;
  step.route = {file->owner};
  const Status moved = owner.rename_step(step);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, EAGAIN);
  EXPECT_EQ(test::read_file(dir_ / "outside/a0/file").empty(), true) << "it is here, and not yet outside";
}

// In opposite order: each would wait for what the other holds.
TEST_F(SeveralServers, ExchangesInBothDirectionsDoNotWaitForEachOther) {
  constexpr int kRounds = 150;
  const InodeId one = directory_of_another(kServers, "a"), two = directory_of_another(owner_of(one), "b");
  make_file(one, "file", "one");
  make_file(two, "file", "two");
  std::vector<std::thread> threads;
  for (const auto& [from, to] : {std::pair(one, two), std::pair(two, one), std::pair(one, two)}) {
    threads.emplace_back([this, a = from, b = to] {
      for (int i = 0; i < kRounds; ++i) {
        const Status done = rename(a, "file", b, "file", RENAME_EXCHANGE);
        EXPECT_TRUE(done) << done.error().message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect_clean_flush();
}

// Files and the directories that they are in are moved at once, while they are flushed and looked for.
TEST_F(SeveralServers, WhatThreadsMoveAtOnceIsAllThereInTheEnd) {
  constexpr int kDirectories = 6, kFilesOfEach = 4, kRounds = 120, kMovers = 3;
  const uint64_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::vector<InodeId> tops = {make_directory(kRootInode, "p0"), make_directory(kRootInode, "p1")};
  std::vector<InodeId> directories;
  for (int i = 0; i < kDirectories; ++i) directories.push_back(make_directory(tops[0], "d" + std::to_string(i)));
  std::atomic<bool> stopping{false};
  std::vector<std::thread> others;
  others.emplace_back([&] {  // moves directories
    std::vector<int> at(kDirectories, 0);
    for (int i = 0; !stopping; i = (i + 1) % kDirectories) {
      const std::string name = "d" + std::to_string(i);
      const Status moved = rename(tops[at[i]], name, tops[1 - at[i]], name);
      EXPECT_TRUE(moved) << moved.error().message();
      at[i] = 1 - at[i];
    }
  });
  others.emplace_back([&] {
    while (!stopping) (void)all_->flush(kRootInode, true, std::chrono::milliseconds(10));
  });
  std::vector<std::vector<int>> places(kMovers);
  std::vector<std::thread> movers;
  for (int mover = 0; mover < kMovers; ++mover) {
    movers.emplace_back([&, mover] {
      std::mt19937_64 random(seed + mover);
      std::vector<int>& place = places[mover];
      const auto name = [&](int file) { return "f" + std::to_string(mover) + "-" + std::to_string(file); };
      for (int file = 0; file < kFilesOfEach; ++file) {
        place.push_back(static_cast<int>(random() % kDirectories));
        make_file(directories[place[file]], name(file), "content of " + name(file));
      }
      for (int round = 0; round < kRounds; ++round) {
        const int file = static_cast<int>(random() % kFilesOfEach), to = static_cast<int>(random() % kDirectories);
        const Status moved = rename(directories[place[file]], name(file), directories[to], name(file));
        EXPECT_TRUE(moved) << moved.error().message();
        place[file] = to;
        const Result<EntryReply> found = all_->lookup(root_, directories[to], name(file));
        ASSERT_TRUE(found) << found.error().message();
        EXPECT_NE(found->id, 0u);
        all_->forget(found->id, 1);
      }
    });
  }
  for (std::thread& thread : movers) thread.join();
  stopping = true;
  for (std::thread& thread : others) thread.join();
  expect_clean_flush();
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_ / "outside")) {
    if (!entry.is_regular_file()) continue;
    ++found;
    EXPECT_EQ(test::read_file(entry.path()), "content of " + entry.path().filename().string());
  }
  EXPECT_EQ(found, kMovers * kFilesOfEach) << "conflicts, or files that are lost";
}

TEST_F(SeveralServers, WhatThreadsDoAtTheSameNamesHitsWhatIsThere) {
  const InodeId one = directory_of_another(kServers, "a"), two = directory_of_another(owner_of(one), "b");
  shuffle({one, two});
}

class OneServer : public SeveralServers {
 protected:
  OneServer() : SeveralServers(1) {}
};

TEST_F(OneServer, WhatThreadsDoAtTheSameNamesHitsWhatIsThere) {
  shuffle({kRootInode, make_directory(kRootInode, "a")});
}

}  // namespace
}  // namespace forebay::meta
