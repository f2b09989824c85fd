// Names and directories.
#include "meta/service/dispatch_tools.h"
#include "meta/service/meta_dispatch.h"

namespace forebay::meta {
namespace {

constexpr uint32_t kMostListedEntries = 1000;
constexpr size_t kMostListedBytes = 256 << 10;

void encode_listed(const DirectoryEntry& from, wire::ReaddirEntry& to) {
  to.set_name(from.name.data(), from.name.size());
  to.set_inode_number(from.inode_number);
  to.set_type(from.type);
  to.set_next(from.next);
  if (from.entry != nullptr) wire::encode(*from.entry, *to.mutable_entry());
}

// What the client wants, but no more than is good for us; 0: it does not care.
uint64_t at_most(uint64_t wanted, uint64_t most) { return wanted == 0 ? most : std::min(wanted, most); }

}  // namespace

void MetaDispatch::reply_entry(transport::Serving& serving, const Result<EntryReply>& entry, wire::EntryReply& reply) {
  if (!entry) return serving.fail(entry.error());
  if (entry->id != 0) sessions_.looked_up(session_of(serving), entry->id);
  wire::encode(*entry, reply);
}

// The client's kernel asks for it with the next change of a name there.
void MetaDispatch::add_directory(InodeId id, wire::AttributesReply& reply) {
  if (const Result<AttributesReply> found = service_.getattr(id)) wire::encode(*found, reply);
}

void MetaDispatch::reply_made(transport::Serving& serving, const Result<EntryReply>& entry, InodeId parent,
                              wire::EntryReply& reply) {
  reply_entry(serving, entry, reply);
  if (entry) add_directory(parent, *reply.mutable_directory());
}

void MetaDispatch::Lookup(Controller* controller, const wire::NameRequest* request, wire::EntryReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Caller caller = caller_of(request->caller(), serving);
  reply_entry(serving, service_.lookup(caller, request->parent(), request->name()), *reply);
}

void MetaDispatch::AllNames(Controller* controller, const wire::InodeRequest* request, wire::NamesReply* reply,
                            Closure*) {
  reply_with(serving_of(controller), service_.all_names(request->id()), *reply);
}

void MetaDispatch::Enter(Controller* controller, const wire::EnterRequest* request, wire::EntryReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  reply_entry(serving, service_.enter(request->parent(), request->name(), wire::decode(request->identity())), *reply);
}

void MetaDispatch::ForgetMany(Controller* controller, const wire::ForgetManyRequest* request, wire::Done*, Closure*) {
  const uint64_t session = session_of(serving_of(controller));
  for (const wire::Forgotten& inode : request->inodes()) {
    const uint64_t count = sessions_.forget(session, inode.id(), inode.count());
    if (count > 0) service_.forget(inode.id(), count);
  }
}

void MetaDispatch::Mknod(Controller* controller, const wire::MknodRequest* request, wire::EntryReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Caller caller = caller_of(request->caller(), serving);
  const auto made = service_.mknod(caller, request->parent(), request->name(), request->mode(), request->device());
  reply_made(serving, made, request->parent(), *reply);
}

void MetaDispatch::Mkdir(Controller* controller, const wire::MkdirRequest* request, wire::EntryReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Caller caller = caller_of(request->caller(), serving);
  const auto made = service_.mkdir(caller, request->parent(), request->name(), request->mode());
  reply_made(serving, made, request->parent(), *reply);
}

void MetaDispatch::Symlink(Controller* controller, const wire::SymlinkRequest* request, wire::EntryReply* reply,
                           Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Caller caller = caller_of(request->caller(), serving);
  const auto made = service_.symlink(caller, request->parent(), request->name(), request->target());
  reply_made(serving, made, request->parent(), *reply);
}

void MetaDispatch::Link(Controller* controller, const wire::LinkRequest* request, wire::EntryReply* reply, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->new_name())) return;
  const Caller caller = caller_of(request->caller(), serving);
  const auto made = service_.link(caller, request->id(), request->new_parent(), request->new_name());
  reply_made(serving, made, request->new_parent(), *reply);
}

void MetaDispatch::Unlink(Controller* controller, const wire::NameRequest* request, wire::RemovedReply* reply,
                          Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Status removed = service_.unlink(caller_of(request->caller(), serving), request->parent(), request->name());
  if (removed) add_directory(request->parent(), *reply->mutable_directory());
  serving.take(removed);
}

void MetaDispatch::Rmdir(Controller* controller, const wire::NameRequest* request, wire::RemovedReply* reply,
                         Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name())) return;
  const Status removed = service_.rmdir(caller_of(request->caller(), serving), request->parent(), request->name());
  if (removed) add_directory(request->parent(), *reply->mutable_directory());
  serving.take(removed);
}

void MetaDispatch::Rename(Controller* controller, const wire::RenameRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!is_name(serving, request->name()) || !is_name(serving, request->new_name())) return;
  serving.take(service_.rename(caller_of(request->caller(), serving), request->parent(), request->name(),
                               request->new_parent(), request->new_name(), request->flags()));
}

void MetaDispatch::Readlink(Controller* controller, const wire::InodeOfCallerRequest* request, wire::BytesReply* reply,
                            Closure*) {
  transport::Serving& serving = serving_of(controller);
  Result<std::string> target = service_.readlink(caller_of(request->caller(), serving), request->id());
  if (!target) return serving.fail(target.error());
  reply->set_value(*std::move(target));
}

void MetaDispatch::Opendir(Controller* controller, const wire::InodeOfCallerRequest* request, wire::OpendirReply* reply,
                           Closure*) {
  transport::Serving& serving = serving_of(controller);
  const auto opened = service_.opendir(caller_of(request->caller(), serving), request->id());
  if (!opened) return serving.fail(opened.error());
  sessions_.opened_directory(session_of(serving), opened->handle);
  reply->set_handle(opened->handle);
  reply->set_keep_listing(opened->keep_listing);
}

void MetaDispatch::Readdir(Controller* controller, const wire::ReaddirRequest* request, wire::ReaddirReply* reply,
                           Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!sessions_.has_directory(session_of(serving), request->handle())) return serving.fail({EBADF, {}});
  const uint64_t most_entries = at_most(request->most_entries(), kMostListedEntries);
  const uint64_t most_bytes = at_most(request->most_bytes(), kMostListedBytes);
  uint64_t bytes = 0;
  bool full = false;
  const Status read = service_.readdir(
      request->handle(), request->cookie(), request->with_attributes(), [&](const DirectoryEntry& entry) {
        full = static_cast<uint64_t>(reply->entries_size()) >= most_entries || bytes >= most_bytes;
        if (full) return false;
        wire::ReaddirEntry& listed = *reply->add_entries();
        encode_listed(entry, listed);
        bytes += listed.ByteSizeLong();
        if (entry.entry != nullptr) sessions_.looked_up(session_of(serving), entry.entry->id);
        return true;
      });
  // What was read before an error has been counted: it goes to the client, who meets the error when it goes on.
  if (!read && reply->entries().empty()) return serving.fail(read.error());
  reply->set_end(read && !full);
}

void MetaDispatch::Fsyncdir(Controller* controller, const wire::DirectoryRequest* request, wire::Done*, Closure*) {
  transport::Serving& serving = serving_of(controller);
  if (!sessions_.has_directory(session_of(serving), request->handle())) return serving.fail({EBADF, {}});
  serving.take(service_.fsyncdir(request->handle()));
}

void MetaDispatch::Releasedir(Controller* controller, const wire::DirectoryRequest* request, wire::Done*, Closure*) {
  if (!sessions_.released_directory(session_of(serving_of(controller)), request->handle())) return;
  service_.releasedir(request->handle());
}

}  // namespace forebay::meta
