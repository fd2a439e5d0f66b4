#include "meshd/container_settings.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "meshd/mesh/configure.hpp"
#include "meshd/mesh/secret_file.hpp"

namespace nuropb::meshd {
namespace {

/// Logs only what it created, so that a second leader logs nothing.
Result<void> configure(const mesh::SetUpSettings& settings) {
  const auto done = mesh::set_up(settings);
  if (!done) return tl::unexpected(done.error());
  for (const auto& note : done->notes) log::warning(note, {{"broker", done->broker}});
  for (const auto& item : done->items) {
    if (item.state == mesh::SetUp::Found::made)
      log::info("created on the broker", {{"what", item.what}, {"broker", done->broker}});
  }
  return {};
}

}  // namespace

Result<mesh::ServiceContainer::Settings> container_settings(const Config& config, const std::string& instance_id,
                                                            const mesh::TransportSettings& transport) {
  const Config::Etcd& etcd = config.etcd;
  mesh::ServiceContainer::Settings out;
  out.instance_id = instance_id;
  out.prefix = etcd.prefix + "/" + transport.service_name;
  out.lease = std::chrono::seconds(etcd.lease_s);
  // Short compared with the lease, so that a hanging member of the cluster leaves time to try another.
  out.etcd.timeout = std::clamp<milliseconds>(out.lease / 5, milliseconds(500), milliseconds(3000));
  for (const std::string& text : etcd.urls) {
    auto url = http::parse_base_url(text);
    if (!url) return tl::unexpected(url.error());
    out.etcd.urls.push_back(std::move(*url));
  }
  out.etcd.tls = {etcd.ca_file, etcd.certificate_file, etcd.key_file, etcd.verify_peer};
  if (!etcd.user.empty()) {
    auto password = mesh::SecretFile(etcd.password_file, "etcd.password_file").read();
    if (!password) return tl::unexpected(password.error());
    out.etcd.user = etcd.user;
    out.etcd.password = std::move(*password);
  }
  mesh::SetUpSettings set_up{transport, {}, false, false};
  if (!config.amqp.management_url.empty()) {
    auto url = http::parse_base_url(config.amqp.management_url);
    if (!url) return tl::unexpected(url.error());
    set_up.management = std::move(*url);
  }
  out.configure = [set_up = std::move(set_up)] { return configure(set_up); };
  return out;
}

}  // namespace nuropb::meshd
