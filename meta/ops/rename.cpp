// rename, with NOREPLACE and EXCHANGE.
#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <random>
#include <thread>

#include "meta/credentials.h"
#include "meta/server.h"

namespace forebay::meta {
namespace {

// Two who are in each other's way do not meet again and again.
std::chrono::microseconds random_pause() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::microseconds(random() % 1000);
}

}  // namespace

Status MetaServer::expect_planned(const Result<consistency::Probe>& found, const OwnedObject& planned) {
  if (!found && !is_gone(found.error())) return Failure(found.error());
  return found && found->identity == planned.identity ? Status{} : Status(fail(EAGAIN));
}

// Where a moved object may be is recorded before it moves, if the database knows the object or is about to, by a write
// that is under way: after a crash the one of both names counts where the identity is found.
Result<InodePtr> MetaServer::prepare_move(const InodePtr& parent, int parent_fd, const std::string& name,
                                          const std::optional<OwnedObject>& planned, const InodePtr& new_parent,
                                          const std::string& new_name) {
  const Result<consistency::Probe> probe = external_.probe_child(parent_fd, name.c_str());
  if (planned) RETURN_IF_ERROR(expect_planned(probe, *planned));
  if (!probe) return InodePtr();
  if (probe->is_mount_root) return fail(EBUSY);
  ASSIGN_OR_RETURN(const InodePtr inode, inodes_.find_by_identity(probe->identity));
  if (inode == nullptr) return inode;
  bool stored = false, written = false;
  {
    const std::lock_guard lock(inode->mutex);
    add_name(*inode, parent, name);
    stored = inode->stored;
    written = inode->writers > 0;
  }
  if (!stored && !written) return inode;
  const uint64_t losses = store_->losses();
  if (!stored) RETURN_IF_ERROR(put_chain(inode, 0));
  RETURN_IF_ERROR(put_chain(new_parent, 1));
  RETURN_IF_ERROR(store_->put_intent(new_parent->id, new_name, inode->id));
  RETURN_IF_ERROR(store_->commit(losses));
  return inode;
}

void MetaServer::move_name(const InodePtr& inode, const InodePtr& parent, std::string_view name,
                           const InodePtr& new_parent, std::string_view new_name) {
  if (inode == nullptr) return;
  const std::lock_guard lock(inode->mutex);
  remove_name(*inode, *parent, name);
  add_name(*inode, new_parent, new_name);
}

// Others ask where it is while it is on its way: at one of both.
void MetaServer::announce_name(const InodePtr& inode, const InodePtr& parent, std::string_view name) {
  if (inode == nullptr) return;
  const std::lock_guard lock(inode->mutex);
  if (!has_name(*inode, *parent, name)) inode->names.push_back({parent, std::string(name)});
}

void MetaServer::take_back_name(const InodePtr& inode, const InodePtr& parent, std::string_view name) {
  if (inode == nullptr) return;
  const std::lock_guard lock(inode->mutex);
  remove_name(*inode, *parent, name);
}

void MetaServer::finish_move(const InodePtr& inode, const InodePtr& parent, std::string_view name,
                             const InodePtr& new_parent, std::string_view new_name, bool moved) {
  if (inode == nullptr) return;
  {
    const std::lock_guard lock(inode->mutex);
    if (!inode->stored) return;
  }
  if (moved) {
    (void)store_->delete_name(parent->id, name, inode->id);
    (void)store_->put_name(new_parent->id, new_name, inode->id);
  }
  (void)store_->delete_intents(inode->id);
}

// The owner of the old directory has the request. What he does is around what the owner of the new directory does, and
// that around what the owners of the objects do (RenameStep); where one server has everything, that is all here.
Status MetaServer::rename(const Caller& caller, InodeId parent_id, std::string_view name, InodeId new_parent_id,
                          std::string_view new_name, unsigned flags) {
  ASSIGN_OR_RETURN(const InodePtr parent, inodes_.get(parent_id));
  const AnswerLeases::Change answers(answers_, listing_answers(parent));
  RenameStep step;
  step.by = {caller, AnswerLeases::requester()};
  step.parent = parent_id;
  step.name = name;
  step.new_parent = new_parent_id;
  step.new_name = new_name;
  step.flags = flags;
  Status done = fail(EAGAIN);
  for (int tries = 0; tries < kMostPlans && !done && done.error().code == EAGAIN; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(random_pause());
    const NameLocks::Hold held = hold_names(step);
    RETURN_IF_ERROR(plan_rename(parent, step));
    done = go_on(step);
  }
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  if (exchange && !ownership_.is_own(new_parent_id)) answers_.name_arrived(parent_id);
  if (may_have_changed(done)) touched(parent, exchange ? step.name : std::string());
  return done;
}

NameLocks::Hold MetaServer::hold_names(const RenameStep& step) {
  std::vector<NameLocks::Name> names{{step.parent, step.name}};
  if (ownership_.is_own(step.new_parent)) names.emplace_back(step.new_parent, step.new_name);
  return name_locks_.hold(std::move(names));
}

// Another server may have done it, and not be able to say so.
bool MetaServer::may_have_changed(const Status& done) const { return done || !ownership_.alone(); }

// Who has what the names lead to. Nobody else changes that: who does a part compares the identity again.
Status MetaServer::plan_rename(const InodePtr& parent, RenameStep& step) {
  step.moved.reset();
  step.other.reset();
  step.route.clear();
  if (ownership_.alone()) return {};
  ASSIGN_OR_RETURN(const InodePtr new_parent, directory(step.new_parent));
  if (parent->transient != new_parent->transient) return fail(EXDEV);
  const auto find = [&](InodeId directory, const std::string& name, std::optional<OwnedObject>& object) -> Status {
    Result<OwnedObject> found = fail(ENXIO);
    if (ownership_.is_own(directory)) {
      found = named(directory, name);
    } else {
      ASSIGN_OR_RETURN(const auto peer, ownership_.peer(owner_of(directory)));
      found = peer->named(directory, name);
    }
    if (found) object = *found;
    return found || found.error().code == ENOENT ? Status{} : Status(Failure(found.error()));
  };
  RETURN_IF_ERROR(find(step.parent, step.name, step.moved));
  RETURN_IF_ERROR(find(step.new_parent, step.new_name, step.other));
  const bool exchange = (step.flags & RENAME_EXCHANGE) != 0;
  if (exchange) RETURN_IF_ERROR(expect_foreign(step.other));
  if (step.moved) step.route.push_back(step.moved->owner);
  if (step.other && step.moved && (step.flags & RENAME_NOREPLACE) == 0) step.route.push_back(step.other->owner);
  std::sort(step.route.begin(), step.route.end());
  step.route.erase(std::unique(step.route.begin(), step.route.end()), step.route.end());
  return {};
}

// Before it is in a directory of ours: it would be taken for one that was never seen.
Status MetaServer::expect_foreign(const std::optional<OwnedObject>& object) {
  if (!object || S_ISDIR(object->type) || object->owner == ownership_.self()) return {};
  return note_foreign(object->identity, object->owner);
}

Status MetaServer::go_on(const RenameStep& step) {
  const uint32_t self = ownership_.self();
  const bool here = !step.at_objects ? ownership_.is_own(step.new_parent) : step.route.empty() || step.route[0] == self;
  if (here) return rename_step(step);
  const uint32_t next = step.at_objects ? step.route[0] : owner_of(step.new_parent);
  ASSIGN_OR_RETURN(const auto peer, ownership_.peer(next));
  return peer->rename_step(step);
}

// What a server could have planned, and this one's turn.
bool MetaServer::is_sound(const RenameStep& step) const {
  const bool ours =
      step.at_objects ? step.route.empty() || step.route[0] == ownership_.self() : ownership_.is_own(step.new_parent);
  const bool ascends =
      std::adjacent_find(step.route.begin(), step.route.end(), std::greater_equal<>()) == step.route.end();
  return ours && ascends && (step.flags == 0 || step.flags == RENAME_NOREPLACE || step.flags == RENAME_EXCHANGE);
}

Status MetaServer::rename_step(const RenameStep& step) {
  if (!is_sound(step)) return fail(EINVAL, "a part of a rename that cannot be");
  const AnswerLeases::Requester requester(step.by.session);
  return step.at_objects ? rename_objects(step) : rename_into(step);
}

Status MetaServer::rename_into(const RenameStep& step) {
  ASSIGN_OR_RETURN(const InodePtr new_parent, inodes_.get(step.new_parent));
  const AnswerLeases::Change answers(answers_, listing_answers(new_parent));
  RETURN_IF_ERROR(expect_foreign(step.moved));
  RenameStep next = step;
  next.at_objects = true;
  const auto hold_and_go_on = [&]() -> Status {
    if (ownership_.is_own(step.parent)) return go_on(next);  // both names are held
    const NameLocks::Hold held = name_locks_.try_hold({{step.new_parent, step.new_name}});
    return held ? go_on(next) : Status(fail(EAGAIN));
  };
  const Status done = hold_and_go_on();
  if (!may_have_changed(done)) return done;
  if (!ownership_.is_own(step.parent)) {
    answers_.name_arrived(step.new_parent);
  } else {
    answers_.name_moved(step.parent, step.new_parent);
    if ((step.flags & RENAME_EXCHANGE) != 0) answers_.name_moved(step.new_parent, step.parent);
  }
  touched(new_parent, step.new_name);
  return done;
}

// False: what was planned for is not there (any more).
bool MetaServer::is_as_planned(const FdPtr& directory, const std::string& name,
                               const std::optional<OwnedObject>& object) {
  const Result<consistency::Probe> probe = external_.probe_child(directory->get(), name.c_str());
  if (!probe) return !object && probe.error().code == ENOENT;
  return object && probe->identity == object->identity;
}

Result<MetaServer::Renamed> MetaServer::prepare_rename(const RenameStep& step) {
  Renamed objects;
  ASSIGN_OR_RETURN(objects.parent, directory(step.parent));
  ASSIGN_OR_RETURN(objects.new_parent, directory(step.new_parent));
  ASSIGN_OR_RETURN(objects.from, directory_fd(objects.parent));
  ASSIGN_OR_RETURN(objects.to, directory_fd(objects.new_parent));
  const bool alone = ownership_.alone();
  const auto is_ours = [&](const std::optional<OwnedObject>& object) {
    return alone || (object && object->owner == ownership_.self());
  };
  const int from = objects.from->get(), to = objects.to->get();
  if (is_ours(step.moved)) {
    ASSIGN_OR_RETURN(objects.moved,
                     prepare_move(objects.parent, from, step.name, step.moved, objects.new_parent, step.new_name));
  }
  if ((step.flags & RENAME_EXCHANGE) != 0 && is_ours(step.other)) {
    ASSIGN_OR_RETURN(objects.swapped,
                     prepare_move(objects.new_parent, to, step.new_name, step.other, objects.parent, step.name));
  } else if (step.flags == 0 && is_ours(step.other)) {
    ASSIGN_OR_RETURN(objects.victim, prepare_victim(objects.new_parent, to, step.new_name, step.other));
  }
  // Two names of one object: POSIX says that nothing happens.
  const InodePtr& moved = objects.moved;
  objects.same = moved != nullptr && (moved == objects.victim.inode || moved == objects.swapped);
  if (!alone) {
    announce_name(objects.moved, objects.new_parent, step.new_name);
    announce_name(objects.swapped, objects.parent, step.name);
  }
  return objects;
}

// The objects that are ours, around the rest of the route, or around the change itself.
Status MetaServer::rename_objects(const RenameStep& step) {
  ASSIGN_OR_RETURN(Renamed objects, prepare_rename(step));
  Moved outcome = Moved::kNo;
  const auto move = [&]() -> Status {
    const std::shared_lock names_lock(names_mutex_);
    const bool leads_on = step.route.size() > 1;
    Status renamed = leads_on ? rename_at_next(step) : rename_outside(step, objects);
    outcome = renamed ? Moved::kYes : leads_on ? find_out(step, objects) : Moved::kNo;
    if (outcome != Moved::kYes || objects.same) return renamed;
    take_name(objects.victim, objects.new_parent, step.new_name);
    move_name(objects.moved, objects.parent, step.name, objects.new_parent, step.new_name);
    move_name(objects.swapped, objects.new_parent, step.new_name, objects.parent, step.name);
    return renamed;
  };
  // Each object whose ctime changes keeps its copy: the moved one, and the swapped or replaced one. Both are locked at
  // once, in the order of their numbers, so that two renames can't wait for each other.
  InodePtr first = objects.moved;
  InodePtr second = objects.same ? nullptr : objects.swapped != nullptr ? objects.swapped : objects.victim.inode;
  if (first != nullptr && second != nullptr && second->id < first->id) std::swap(first, second);
  const Status done =
      own_change(first, Change::kAttributes, [&] { return own_change(second, Change::kAttributes, move); });
  // Otherwise they are at one of both names: the next start settles which.
  if (outcome != Moved::kUnknown) finish_rename(step, objects, outcome == Moved::kYes && !objects.same);
  return done;
}

void MetaServer::finish_rename(const RenameStep& step, const Renamed& objects, bool happened) {
  if (!ownership_.alone() && !happened && !objects.same) {
    take_back_name(objects.moved, objects.new_parent, step.new_name);
    take_back_name(objects.swapped, objects.parent, step.name);
  }
  if (!objects.same) finish_victim(objects.victim, objects.new_parent, step.new_name);
  finish_move(objects.moved, objects.parent, step.name, objects.new_parent, step.new_name, happened);
  finish_move(objects.swapped, objects.new_parent, step.new_name, objects.parent, step.name, happened);
}

// All objects of the plan are locked by now: those that are there must be they.
Status MetaServer::rename_outside(const RenameStep& step, const Renamed& objects) {
  if (!ownership_.alone() &&
      !(is_as_planned(objects.from, step.name, step.moved) && is_as_planned(objects.to, step.new_name, step.other))) {
    return fail(EAGAIN, "names that change all the time");
  }
  const ActAs caller_rights(step.by.caller);
  const int renamed =
      ::renameat2(objects.from->get(), step.name.c_str(), objects.to->get(), step.new_name.c_str(), step.flags);
  return renamed == 0 ? Status{} : Status(fail_errno());
}

Status MetaServer::rename_at_next(const RenameStep& step) {
  RenameStep next = step;
  next.route.erase(next.route.begin());
  return go_on(next);
}

// A server that was killed in the middle cannot say whether it has done its part; the outside can.
MetaServer::Moved MetaServer::find_out(const RenameStep& step, const Renamed& objects) {
  const auto at = [&](const FdPtr& directory, const std::string& name, const std::optional<OwnedObject>& object) {
    const Result<consistency::Probe> probe = external_.probe_child(directory->get(), name.c_str());
    if (!probe && probe.error().code != ENOENT) return Moved::kUnknown;
    return probe && object && probe->identity == object->identity ? Moved::kYes : Moved::kNo;
  };
  const Moved is_new = at(objects.to, step.new_name, step.moved), is_old = at(objects.from, step.name, step.moved);
  if (is_new == Moved::kUnknown || is_old == Moved::kUnknown) return Moved::kUnknown;
  return is_new == Moved::kYes && is_old == Moved::kNo ? Moved::kYes : Moved::kNo;
}

}  // namespace forebay::meta
