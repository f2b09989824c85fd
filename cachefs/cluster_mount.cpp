// run_cluster_mount: a client of a cluster. The tree, the data and who is where are asked from its servers; what lies
// on a target of this node the kernel reads and writes itself.
#include <sys/stat.h>

#include "cachefs/answer_news.h"
#include "cachefs/fuse_session.h"
#include "cachefs/mount.h"
#include "core/cluster/node.h"
#include "core/cluster/routed_meta.h"
#include "core/descriptor_limit.h"
#include "core/log.h"
#include "core/stripe/striped_storage.h"

namespace forebay::cachefs {
namespace {

// By their numbers. ENXIO: one of them was never there.
Result<std::vector<std::shared_ptr<MetaService>>> all_metads(Node& node) {
  std::vector<std::shared_ptr<MetaService>> metads;
  for (uint32_t number = 0; number < node.membership().cluster()->metads; ++number) {
    ASSIGN_OR_RETURN(metads.emplace_back(), node.peers().meta(number));
  }
  return metads;
}

}  // namespace

Status run_cluster_mount(const MountOptions& options, const std::function<void()>& ready) {
  raise_descriptor_limit();
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> node, Node::join(options.config, transport::Role::kClient, {}));
  const std::string external = node->membership().cluster()->external;
  if (external != options.external) {
    return fail(EINVAL, "external directory {}: the cluster of {} caches {}", options.external,
                options.config.cluster.mgmtd, external);
  }
  ASSIGN_OR_RETURN(const std::vector<std::shared_ptr<MetaService>> metads, all_metads(*node));
  const std::shared_ptr<MetaService> meta = metads.size() == 1 ? metads.front() : std::make_shared<RoutedMeta>(metads);
  LayoutTable layouts;
  StripedStorage storage({[&layouts](InodeId id) -> Result<StripedStorage::LayoutPtr> { return layouts.find(id); },
                          [&node](TargetId id) { return node->peers().storage(id); },
                          [&node] { return node->membership().online_targets(); },
                          [&](InodeId id) { return tell_handles(*meta, layouts, id); }});
  Session session{*meta, storage, node->mgmt(), options, &layouts};
  ASSIGN_OR_RETURN(const std::unique_ptr<FuseSession> fuse, FuseSession::mount(session));
  log(Module::kCachefs).info("{} is mounted on {}, node {}", options.external, options.mountpoint, node->name());
  std::vector<std::unique_ptr<AnswerNewsReader>> news;
  for (const auto& metad : metads) news.push_back(std::make_unique<AnswerNewsReader>(session, *metad, fuse->handle()));
  const Status served = fuse->serve(options.config.fuse.threads, ready);
  for (const auto& reader : news) reader->stop();
  node->peers().shut_down();
  news.clear();
  log(Module::kCachefs).info("{} is unmounted from {}", options.external, options.mountpoint);
  return served;
}

}  // namespace forebay::cachefs
