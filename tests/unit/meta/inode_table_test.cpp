#include "meta/inode_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace forebay::meta {
namespace {

class InodeTableTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    table_.reset();
    store_.reset();
    store_ = Store::open(dir_ / "meta.db").value();
    table_ = std::make_unique<InodeTable>(*store_, *tree_);
    ASSERT_TRUE(table_->open_root());
  }
  InodePtr root() { return table_->find(kRootInode); }
  std::string outside(const std::string& path) { return dir_ / "tree/" + path; }
  // As a lookup does it.
  InodePtr see(const InodePtr& parent, const std::string& path, uint64_t lookups = 1) {
    const size_t slash = path.rfind('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const consistency::Probe probe = tree_->probe_child(tree_->root_fd(), path.c_str()).value();
    return table_->intern(parent, name, probe, lookups).value();
  }
  InodeRow row_of(const Inode& inode) {
    InodeRow row;
    row.id = inode.id;
    row.identity = inode.identity;
    row.mode = inode.attributes.mode;
    return row;
  }

  test::TempDir dir_;
  const std::string made_ = dir_.make("tree");
  std::unique_ptr<consistency::ExternalTree> tree_ = consistency::ExternalTree::open(dir_ / "tree").value();
  std::unique_ptr<Store> store_;
  std::unique_ptr<InodeTable> table_;
};

TEST_F(InodeTableTest, HoldsTheRootAndNothingElseAtFirst) {
  EXPECT_EQ(table_->size(), 1u);
  ASSERT_NE(root(), nullptr);
  EXPECT_TRUE(root()->is_directory());
  EXPECT_EQ(table_->get(77).error().code, ESTALE);
  EXPECT_EQ(table_->find(77), nullptr);
}

TEST_F(InodeTableTest, AnObjectHasOneInodeHoweverOftenItIsSeen) {
  test::write_file(outside("a"), "x");
  const InodePtr inode = see(root(), "a");
  EXPECT_EQ(see(root(), "a"), inode);
  EXPECT_EQ(inode->lookups, 2u);
  EXPECT_EQ(inode->names.size(), 1u);
  EXPECT_EQ(table_->get(inode->id).value(), inode);
  EXPECT_EQ(table_->find_by_identity(inode->identity).value(), inode);
}

TEST_F(InodeTableTest, HardLinksShareTheirInode) {
  test::write_file(outside("a"), "x");
  ASSERT_EQ(::link(outside("a").c_str(), outside("b").c_str()), 0);
  const InodePtr inode = see(root(), "a");
  EXPECT_EQ(see(root(), "b"), inode);
  ASSERT_EQ(inode->names.size(), 2u);
  EXPECT_EQ(inode->names[0].name, "b") << "the latest first";
}

TEST_F(InodeTableTest, ARenameOutsideKeepsTheInode) {
  test::write_file(outside("a"), "x");
  const InodePtr inode = see(root(), "a");
  ASSERT_EQ(::rename(outside("a").c_str(), outside("b").c_str()), 0);
  EXPECT_EQ(see(root(), "b"), inode);
  EXPECT_EQ(inode->names.front().name, "b");
}

TEST_F(InodeTableTest, ARenamedDirectoryHasItsNewNameAlone) {
  ASSERT_EQ(::mkdir(outside("a").c_str(), 0755), 0);
  const InodePtr inode = see(root(), "a");
  ASSERT_EQ(::rename(outside("a").c_str(), outside("b").c_str()), 0);
  EXPECT_EQ(see(root(), "b"), inode);
  ASSERT_EQ(inode->names.size(), 1u);
  EXPECT_EQ(inode->names[0].name, "b");
}

TEST_F(InodeTableTest, AnotherObjectOfTheSameNameIsAnotherInode) {
  test::write_file(outside("a"), "x");
  const InodePtr first = see(root(), "a");
  test::write_file(outside("new"), "y");
  ASSERT_EQ(::rename(outside("new").c_str(), outside("a").c_str()), 0);
  EXPECT_NE(see(root(), "a")->id, first->id);
}

TEST_F(InodeTableTest, OnlySomeOfVeryManyNamesAreKept) {
  test::write_file(outside("0"), "x");
  InodePtr inode = see(root(), "0");
  for (int i = 1; i < 100; ++i) {
    ASSERT_EQ(::link(outside("0").c_str(), outside(std::to_string(i)).c_str()), 0);
    see(root(), std::to_string(i));
  }
  EXPECT_LE(inode->names.size(), 16u);
  EXPECT_EQ(inode->names.front().name, "99");
}

TEST_F(InodeTableTest, AForgottenInodeLeavesMemory) {
  test::write_file(outside("a"), "x");
  InodePtr inode = see(root(), "a");
  table_->release(inode);
  EXPECT_EQ(table_->size(), 2u) << "the client still knows it";
  inode->lookups = 0;
  table_->release(inode);
  EXPECT_EQ(table_->size(), 1u);
  const std::weak_ptr<Inode> gone = inode;
  inode.reset();
  EXPECT_TRUE(gone.expired());
}

TEST_F(InodeTableTest, DirtyAndOpenInodesStay) {
  test::write_file(outside("a"), "x");
  const InodePtr inode = see(root(), "a", 0);
  inode->dirty = true;
  table_->release(inode);
  EXPECT_EQ(table_->find(inode->id), inode);
  inode->dirty = false;
  inode->opens = 1;
  table_->release(inode);
  EXPECT_EQ(table_->find(inode->id), inode);
}

TEST_F(InodeTableTest, AnInodeInUseStays) {
  test::write_file(outside("a"), "x");
  const InodePtr inode = see(root(), "a", 0);
  const InodePtr in_use = inode;
  table_->release(inode);
  EXPECT_EQ(table_->find(inode->id), inode);
}

TEST_F(InodeTableTest, ChildrenHoldTheirParentsAndLetThemGoTogether) {
  ASSERT_EQ(::mkdir(outside("d").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(outside("d/e").c_str(), 0755), 0);
  test::write_file(outside("d/e/f"), "x");
  InodeId file = 0;
  {
    const InodePtr d = see(root(), "d", 0), e = see(d, "d/e", 0), f = see(e, "d/e/f", 1);
    file = f->id;
    table_->release(d);
    table_->release(e);
    EXPECT_EQ(table_->size(), 4u) << "the file needs both";
    f->lookups = 0;
  }
  table_->release(table_->find(file));
  EXPECT_EQ(table_->size(), 1u);
}

TEST_F(InodeTableTest, WhatTheDatabaseKnowsComesBackWithTheDirectoriesAbove) {
  ASSERT_EQ(::mkdir(outside("d").c_str(), 0755), 0);
  test::write_file(outside("d/f"), "x");
  InodeId id = 0;
  {
    const InodePtr d = see(root(), "d"), f = see(d, "d/f");
    id = f->id;
    InodeRow file = row_of(*f);
    file.dirty = file.has_data = true;
    file.shown_ctime = {1, 2};
    ASSERT_TRUE(store_->put_inode(row_of(*root())));
    ASSERT_TRUE(store_->put_inode(row_of(*d)));
    ASSERT_TRUE(store_->put_inode(file));
    ASSERT_TRUE(store_->put_name(kRootInode, "d", d->id));
    ASSERT_TRUE(store_->put_name(d->id, "f", f->id));
    ASSERT_TRUE(store_->commit());
  }
  reopen();
  const InodePtr f = table_->get(id).value();
  EXPECT_TRUE(f->dirty);
  EXPECT_TRUE(f->stored);
  EXPECT_EQ(f->shown_ctime, (FileTime{1, 2}));
  ASSERT_EQ(f->names.size(), 1u);
  EXPECT_EQ(f->names[0].name, "f");
  ASSERT_EQ(f->names[0].parent->names.size(), 1u);
  EXPECT_EQ(f->names[0].parent->names[0].parent, root());
  EXPECT_EQ(see(f->names[0].parent, "d/f"), f) << "and is the same when it is seen";
}

TEST_F(InodeTableTest, ANameThatMakesADirectoryItsOwnAncestorIsLeftOut) {
  InodeRow a, b;
  a.id = 100;
  a.identity = {0, 1, {1, 1}};
  b.id = 101;
  b.identity = {0, 2, {1, 1}};
  a.mode = b.mode = S_IFDIR;
  ASSERT_TRUE(store_->put_inode(a));
  ASSERT_TRUE(store_->put_inode(b));
  ASSERT_TRUE(store_->put_name(100, "b", 101));
  ASSERT_TRUE(store_->put_name(101, "a", 100));
  const InodePtr found = table_->get(100).value();
  ASSERT_EQ(found->names.size(), 1u);
  EXPECT_EQ(found->names[0].parent->id, 101u);
  EXPECT_TRUE(found->names[0].parent->names.empty());
}

}  // namespace
}  // namespace forebay::meta
