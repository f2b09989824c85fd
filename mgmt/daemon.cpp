#include "mgmt/daemon.h"

#include "core/cluster/identity_file.h"
#include "core/cluster/node.h"
#include "core/descriptor_limit.h"
#include "core/end_signal.h"
#include "core/log.h"
#include "core/protocol/wire/services.h"
#include "core/transport/server.h"
#include "mgmt/server.h"
#include "mgmt/service/mgmt_dispatch.h"

namespace forebay::mgmt {
namespace {

// The cluster's id is mgmtd's own. The external directory is kept, because the copies of another one are worth nothing.
Status check_external(Store& store, const std::string& external) {
  ASSIGN_OR_RETURN(const std::string known, store.setting("external"));
  if (known.empty()) return store.put_setting("external", external);
  if (known == external) return {};
  return fail(EINVAL, "cluster.external: is {}, but this cluster caches {}; use another mgmtd.data", external, known);
}

// Which of them has a directory follows from their number.
Status check_metads(Store& store, uint32_t metads) {
  ASSIGN_OR_RETURN(const std::string known, store.setting("metads"));
  const std::string now = std::to_string(metads);
  if (known.empty()) return store.put_setting("metads", now);
  if (known == now) return {};
  return fail(EINVAL, "mgmtd.metads: is {}, but this cluster was made with {} (--metad {}); use another mgmtd.data",
              now, known, known);
}

}  // namespace

Status run_daemon(const Config& config, const std::function<void()>& ready) {
  EndSignal end;
  raise_descriptor_limit();
  ASSIGN_OR_RETURN(const transport::Credentials credentials, read_credentials(config));
  if (config.cluster.external == "none") return fail(EINVAL, "cluster.external: is not set");
  RETURN_IF_ERROR(transport::check_listen(credentials, config.mgmtd.listen));
  ASSIGN_OR_RETURN(IdentityFile identity, IdentityFile::take(config.mgmtd.data));
  RETURN_IF_ERROR(identity.join(identity.identity(), 0));
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::open(config.mgmtd.data + "/mgmt.db"));
  RETURN_IF_ERROR(check_external(*store, config.cluster.external));
  RETURN_IF_ERROR(check_metads(*store, config.mgmtd.metads));
  MgmtServer::Options options;
  options.metads = config.mgmtd.metads;
  options.cluster = identity.identity();
  options.external = config.cluster.external;
  ASSIGN_OR_RETURN(options.links, links_of(config));
  MgmtServer service(std::move(options), std::move(store));
  RETURN_IF_ERROR(service.load());
  MgmtDispatch dispatch(service);
  transport::Server server({transport::Role::kManagement, node_name_of(config), identity.identity(), 0}, credentials);
  server.add(wire::kManagementServiceNumber, dispatch);
  RETURN_IF_ERROR(transport::listen_on_all(server, config.mgmtd.listen));
  RETURN_IF_ERROR(server.start());
  log(Module::kMgmt).info("mgmtd of cluster {} listens on {}", identity.identity(), config.mgmtd.listen);
  ready();
  end.wait();
  server.stop();
  log(Module::kMgmt).info("mgmtd ended");
  return {};
}

}  // namespace forebay::mgmt
