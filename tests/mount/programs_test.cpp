// Real programs inside the mount, and what they leave outside.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/mounted_cache.h"

namespace forebay::test {
namespace {

class Programs : public MountTest {
 protected:
  // A script for sh, run in a directory; it ends at the first command that fails.
  static testing::AssertionResult shell(const std::string& directory, const std::string& script) {
    const ProcessResult result =
        run_process({"sh", "-ec", script},
                    {.timeout = std::chrono::seconds(240),
                     .environment = {"HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=t",
                                     "GIT_AUTHOR_EMAIL=t@t", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@t"},
                     .directory = directory,
                     .user = {}});
    if (result.ok()) return testing::AssertionSuccess();
    return testing::AssertionFailure() << describe(result);
  }
  testing::AssertionResult inside(const std::string& script) { return shell(cache_.mountpoint(), script); }
  testing::AssertionResult outside(const std::string& script) { return shell(cache_.external(), script); }

  MountedCache cache_;
};

TEST_F(Programs, GitCommitsClonesPacksAndChecks) {
  cache_.mount({.settings = {"flush.delay=200ms"}});
  constexpr char kInside[] = R"sh(
    git init -q repo
    cp -r /usr/include/linux repo/linux
    git -C repo add -A
    git -C repo commit -qm one
    echo '/* changed */' >> repo/linux/fuse.h
    git -C repo mv linux/fs.h linux/moved.h
    git -C repo commit -qam two
    git clone -q repo clone
    git clone -q --no-local repo packed
    git -C repo gc -q --prune=now
    for tree in repo clone packed; do git -C $tree fsck --strict; test -z "$(git -C $tree status --porcelain)"; done
    diff -r repo/linux clone/linux
    git -C clone checkout -q HEAD~1
    diff -r clone/linux /usr/include/linux
  )sh";
  ASSERT_TRUE(inside(kInside));
  cache_.unmount();
  // The index holds mtimes, sizes and inodes: a status that is clean without being refreshed says that they are right.
  constexpr char kOutside[] = R"sh(
    for tree in repo clone packed; do git -C $tree fsck --strict; test -z "$(git -C $tree status --porcelain)"; done
    diff -r clone/linux /usr/include/linux
  )sh";
  EXPECT_TRUE(outside(kOutside));
}

TEST_F(Programs, TarRoundTrip) {
  cache_.mount();
  constexpr char kInside[] = R"sh(
    tar -C /usr/include -cf first.tar linux
    tar -xf first.tar
    diff -r linux /usr/include/linux
    tar --sort=name -cf second.tar linux
    tar --sort=name -C /usr/include -cf reference.tar linux
    tar -df second.tar
    cmp second.tar reference.tar
  )sh";
  ASSERT_TRUE(inside(kInside));
  cache_.unmount();
  EXPECT_TRUE(outside("tar -df second.tar; diff -r linux /usr/include/linux; cmp second.tar reference.tar"));
}

constexpr char kProject[] = R"sh(
  mkdir project
  cd project
  printf 'int value(int);\n' > value.h
  for i in $(seq 20); do printf '#include "value.h"\nint f%d(void) { return value(%d); }\n' $i $i > f$i.c; done
  { printf '#include <stdio.h>\n#include "value.h"\nint value(int x) { return x; }\n'
    for i in $(seq 20); do printf 'int f%d(void);\n' $i; done
    printf 'int main(void) { int sum = 0;\n'
    for i in $(seq 20); do printf 'sum += f%d();\n' $i; done
    printf 'printf("%%d\\n", sum); return 0; }\n'; } > main.c
  cat > Makefile <<'END'
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(OBJECTS)
	$(CC) -o $@ $^
%.o: %.c value.h
	$(CC) -g -c -o $@ $<
END
)sh";

TEST_F(Programs, MakeBuildsAProject) {
  cache_.mount({.settings = {"flush.delay=100ms"}});
  constexpr char kInside[] = R"sh(
    make -j2
    test "$(./program)" = 210
    make -q
    echo 'int more(int);' >> value.h
    ! make -q
    make -j2
    make -q
  )sh";
  ASSERT_TRUE(inside(std::string(kProject) + kInside));
  cache_.unmount();
  // Times went out as they were: nothing is to be built again, and the program runs.
  EXPECT_TRUE(outside("cd project; make -q; test \"$(./program)\" = 210"));
  cache_.mount();
  EXPECT_TRUE(inside("cd project; make -q; test \"$(./program)\" = 210"));
}

// The index of the log is a shared mapping, which all the processes must see alike; locks keep them apart.
TEST_F(Programs, SqliteInWalModeWithConcurrentReaders) {
  cache_.mount({.settings = {"flush.delay=50ms"}});
  constexpr char kInside[] = R"sh(
    sqlite3 t.db 'pragma journal_mode=wal; create table t(x integer primary key, y text);'
    reader() {
      last=0
      while [ ! -e finished ]; do
        now=$(sqlite3 -cmd '.timeout 30000' t.db 'select count(*) from t;')
        [ "$now" -ge "$last" ]
        [ $((now % 100)) = 0 ]
        last=$now
      done
    }
    reader & one=$!
    reader & two=$!
    for i in $(seq 60); do
      echo '.timeout 30000
        begin; with recursive n(i) as (select 1 union all select i + 1 from n where i < 100)
        insert into t(y) select hex(randomblob(50)) from n; commit;' | sqlite3 t.db || break
    done
    touch finished
    wait $one
    wait $two
    test "$(sqlite3 t.db 'pragma integrity_check; select count(*) from t;')" = "$(printf 'ok\n6000')"
  )sh";
  ASSERT_TRUE(inside(kInside));
  cache_.unmount();
  EXPECT_TRUE(outside(
      "test \"$(sqlite3 t.db 'pragma integrity_check; select count(*) from t;')\" = \"$(printf 'ok\\n6000')\""));
}

class Fio : public Programs, public testing::WithParamInterface<const char*> {};

TEST_P(Fio, VerifiesWhatItWroteAtRandom) {
  cache_.mount({.settings = {"flush.delay=100ms"}});
  const std::string job = std::string(
                              "fio --name=v --minimal --filename=data --size=24m --rw=randrw --bsrange=4k-64k "
                              "--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 ") +
                          GetParam();
  ASSERT_TRUE(inside(job));
  cache_.unmount();
  // The same blocks, found in the external file.
  EXPECT_TRUE(outside(job + " --verify_only"));
}

INSTANTIATE_TEST_SUITE_P(, Fio,
                         testing::Values("--ioengine=psync --randseed=1", "--ioengine=mmap --randseed=2",
                                         "--ioengine=psync --fsync=16 --randseed=3",
                                         "--ioengine=psync --direct=1 --randseed=4"));

TEST_F(Programs, FioVerifiesInACacheThatIsTooSmall) {
  cache_.mount({.settings = {"cache.capacity=8MiB", "cache.chunk_size=64KiB", "flush.delay=20ms"}});
  EXPECT_TRUE(
      inside("fio --name=v --minimal --filename=data --size=32m --rw=randwrite --bs=16k --ioengine=psync "
             "--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0"));
  cache_.unmount();
}

// Each group at once, so that the stressors disturb one another; --verify makes them look at what they get back.
class StressNg : public Programs, public testing::WithParamInterface<const char*> {};

TEST_P(StressNg, FindsNothingWrong) {
  cache_.mount({.settings = {"flush.delay=50ms"}});
  EXPECT_TRUE(inside(std::string("stress-ng --temp-path . --verify --timeout 4 --oomable ") + GetParam()));
  cache_.unmount();
  EXPECT_EQ(names_in(cache_.external()), std::set<std::string>{}) << "stress-ng removes what it has made";
}

INSTANTIATE_TEST_SUITE_P(
    , StressNg,
    testing::Values(
        "--hdd 1 --hdd-bytes 16m --seek 1 --seek-size 8m --fallocate 1 --fallocate-bytes 16m --iomix 1 "
        "--iomix-bytes 16m --readahead 1 --readahead-bytes 8m",
        "--rename 1 --link 1 --symlink 1 --dentry 1 --dentries 256 --dir 1 --dirdeep 1 --dirdeep-inodes 200 "
        "--filename 1 --getdent 1 --chmod 1 --chown 1",
        "--utime 1 --flock 1 --lockf 1 --locka 1 --xattr 1 --open 1 --fstat 1 --touch 1 "
        "--sync-file 1 --sync-file-bytes 4m --mknod 1 --fcntl 1 --file-ioctl 1"));

// Nor does the kernel go on with what it knew.
TEST_F(Programs, WhatAnotherUserHasChangedDoesNotRunSetuid) {
  constexpr uid_t kNobody = 65534;
  for (const std::string passthrough : {"on", "off"}) {
    cache_.mount({.settings = {"fuse.passthrough=" + passthrough, "consistency.attr_ttl=1h"}});
    const std::string program = cache_.inside("id-" + passthrough);
    ASSERT_TRUE(inside("cp /usr/bin/id id-" + passthrough + "; chmod 4777 id-" + passthrough));
    const auto as_nobody = [](const std::vector<std::string>& words) {
      return run_process(words,
                         {.timeout = std::chrono::seconds(10), .environment = {}, .directory = {}, .user = kNobody});
    };
    EXPECT_EQ(as_nobody({program, "-u"}).out, "0\n");
    EXPECT_TRUE(as_nobody({"sh", "-c", "echo >> " + program}).ok());
    EXPECT_EQ(as_nobody({program, "-u"}).out, fmt::format("{}\n", kNobody)) << "passthrough " << passthrough;
    cache_.unmount();
  }
}

}  // namespace
}  // namespace forebay::test
