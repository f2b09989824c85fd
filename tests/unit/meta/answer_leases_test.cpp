#include "meta/answer_leases.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

namespace forebay::meta {
namespace {

using std::chrono::milliseconds;
using Kind = AnswerLeases::Kind;

constexpr uint64_t kOne = 1, kTwo = 2;
constexpr AnswerLeases::Answer kNames{7, Kind::kNames}, kAttributes{8, Kind::kAttributes};
constexpr milliseconds kWhile{8000}, kNothing{0};

class AnswerLeasesTest : public testing::Test {
 protected:
  // What one client's question has been answered with.
  struct Client {
    std::mutex mutex;
    std::condition_variable told;
    std::vector<AnswerNews> news;

    AnswerNews wait() {
      std::unique_lock lock(mutex);
      told.wait(lock, [this] { return !news.empty(); });
      const AnswerNews first = news.front();
      news.erase(news.begin());
      return first;
    }
    bool has_news() {
      const std::lock_guard lock(mutex);
      return !news.empty();
    }
  };

  void ask(uint64_t session, uint64_t heeded = 0) {
    Client& client = clients_[session];
    leases_.await_news(session, {heeded, true}, [&client](const AnswerNews& news) {
      const std::lock_guard lock(client.mutex);
      client.news.push_back(news);
      client.told.notify_all();
    });
  }
  milliseconds grant(uint64_t session, AnswerLeases::Answer answer, milliseconds wanted = kWhile) {
    const AnswerLeases::Requester requester(session);
    return leases_.grant(answer, wanted);
  }
  std::future<void> change(uint64_t session, AnswerLeases::Answer answer) {
    return std::async(std::launch::async, [this, session, answer] {
      const AnswerLeases::Requester requester(session);
      leases_.changed(answer);
    });
  }
  static bool is_done(const std::future<void>& change) {
    return change.wait_for(milliseconds(50)) == std::future_status::ready;
  }
  static bool ends(const std::future<void>& change) {
    return change.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  }

  AnswerLeases leases_{true};
  std::map<uint64_t, Client> clients_;
};

TEST_F(AnswerLeasesTest, AChangeIsOverWhenTheOthersHaveHeededIt) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
  std::future<void> changed = change(kTwo, kAttributes);
  const AnswerNews news = clients_[kOne].wait();
  EXPECT_EQ(news.inodes, std::vector<InodeId>{kAttributes.id});
  EXPECT_FALSE(news.names);
  EXPECT_FALSE(is_done(changed));
  ask(kOne, news.number);
  changed.get();
  EXPECT_FALSE(clients_[kOne].has_news());
  EXPECT_TRUE(ends(change(kTwo, kAttributes))) << "he was told once; he has nothing any more";
}

TEST_F(AnswerLeasesTest, NamesAreOneNewsWhateverTheirDirectory) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kNames), kWhile);
  std::future<void> changed = change(kTwo, kNames);
  const AnswerNews news = clients_[kOne].wait();
  EXPECT_TRUE(news.names);
  EXPECT_TRUE(news.inodes.empty());
  ask(kOne, news.number);
  changed.get();
}

TEST_F(AnswerLeasesTest, WhoChangesKnowsItHimself) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kNames), kWhile);
  EXPECT_TRUE(ends(change(kOne, kNames)));
  EXPECT_FALSE(clients_[kOne].has_news());
}

TEST_F(AnswerLeasesTest, NothingIsGivenWhileAnotherChanges) {
  ask(kOne);
  ask(kTwo);
  {
    const AnswerLeases::Requester requester(kTwo);
    const AnswerLeases::Change changing(leases_, {kNames, kAttributes});
    EXPECT_EQ(grant(kOne, kNames), kNothing);
    EXPECT_EQ(grant(kOne, kAttributes), kNothing);
    EXPECT_EQ(grant(kTwo, kNames), kWhile) << "what he makes he may go on using";
  }
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
}

TEST_F(AnswerLeasesTest, WhoDoesNotListenIsGivenNothing) {
  EXPECT_EQ(grant(kOne, kAttributes), kNothing);
  leases_.await_news(kOne, {0, false}, [](const AnswerNews&) {});
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
  EXPECT_EQ(grant(kOne, kNames), kNothing) << "his kernel cannot forget names";
  EXPECT_EQ(grant(0, kAttributes), kNothing);
}

TEST_F(AnswerLeasesTest, AClientThatIsGoneIsNotWaitedFor) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
  std::future<void> changed = change(kTwo, kAttributes);
  (void)clients_[kOne].wait();
  EXPECT_FALSE(is_done(changed));
  leases_.end_session(kOne);
  changed.get();
}

TEST_F(AnswerLeasesTest, AClientThatIsSilentIsWaitedForAsLongAsHisLease) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kAttributes, milliseconds(1)), milliseconds(1));
  const auto began = std::chrono::steady_clock::now();
  change(kTwo, kAttributes).get();
  EXPECT_GT(std::chrono::steady_clock::now() - began, milliseconds(500)) << "an answer may be on its way to him";
}

TEST_F(AnswerLeasesTest, NewsThatWereLostAreToldOnceMore) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
  EXPECT_EQ(grant(kOne, kNames), kWhile);
  std::future<void> changed = change(kTwo, kAttributes);
  const AnswerNews lost = clients_[kOne].wait();
  std::future<void> renamed = change(kTwo, kNames);
  ask(kOne, lost.number - 1);
  const AnswerNews again = clients_[kOne].wait();
  EXPECT_EQ(again.inodes, lost.inodes);
  EXPECT_FALSE(is_done(changed));
  ask(kOne, again.number);
  changed.get();
  if (!again.names) ask(kOne, clients_[kOne].wait().number);
  renamed.get();
}

TEST_F(AnswerLeasesTest, WhatAClientHeededOfAnEarlierServerIsNotOurs) {
  ask(kOne, 57);
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
  std::future<void> changed = change(kTwo, kAttributes);
  const AnswerNews news = clients_[kOne].wait();
  EXPECT_GT(news.number, 57u);
  EXPECT_FALSE(is_done(changed));
  ask(kOne, news.number);
  changed.get();
}

TEST_F(AnswerLeasesTest, NamesThatSeveralChangeAreGivenToNobody) {
  ask(kOne);
  ask(kTwo);
  change(kOne, kNames).get();
  EXPECT_EQ(grant(kOne, kNames), kWhile);
  std::future<void> changed = change(kTwo, kNames);
  ask(kOne, clients_[kOne].wait().number);
  changed.get();
  EXPECT_EQ(grant(kOne, kNames), kNothing);
  EXPECT_EQ(grant(kTwo, kNames), kNothing);
  EXPECT_EQ(grant(kOne, {kNames.id + 1, Kind::kNames}), kWhile) << "of another directory";
  EXPECT_TRUE(ends(change(kOne, kNames))) << "nobody knows any";
}

// The kernel moves what it knows of a name with it.
TEST_F(AnswerLeasesTest, ANameThatWasMovedIsKnownThere) {
  constexpr InodeId kElsewhere = 70;
  ask(kOne);
  EXPECT_EQ(grant(kOne, kNames), kWhile);
  {
    const AnswerLeases::Requester requester(kOne);
    leases_.name_moved(kNames.id, kElsewhere);
  }
  std::future<void> changed = change(kTwo, {kElsewhere, Kind::kNames});
  const AnswerNews news = clients_[kOne].wait();
  EXPECT_TRUE(news.names);
  ask(kOne, news.number);
  changed.get();
}

TEST_F(AnswerLeasesTest, TheEndLetsEverybodyGo) {
  ask(kOne);
  EXPECT_EQ(grant(kOne, kAttributes), kWhile);
  std::future<void> changed = change(kTwo, kAttributes);
  (void)clients_[kOne].wait();
  ask(kTwo);
  leases_.stop();
  changed.get();
  (void)clients_[kTwo].wait();
}

TEST(AnswerLeasesAlone, InOneProcessNothingIsGivenAndNothingCosts) {
  AnswerLeases leases(false);
  const AnswerLeases::Requester requester(kOne);
  leases.await_news(kOne, {0, true}, [](const AnswerNews&) {});
  EXPECT_EQ(leases.grant(kAttributes, kWhile), kNothing);
  leases.changed(kAttributes);
}

}  // namespace
}  // namespace forebay::meta
