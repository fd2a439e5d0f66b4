#include "meshd/container_settings.hpp"

#include <algorithm>
#include <fstream>

#include "common/log.hpp"
#include "meshd/mesh/configure.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t longest_password = 4096;

Result<std::string> first_line(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(longest_password + 1, '\0');
  if (!in || !(in.read(text.data(), static_cast<std::streamsize>(text.size())) || in.eof())) return failure("can't be read", path, "etcd.password_file names it");
  text.resize(static_cast<std::size_t>(in.gcount()));
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  if (text.empty() || text.size() > longest_password) return failure("has no password in its first line", path, "etcd.password_file names it");
  return text;
}

/// Logged when it made something, so that a second leader is silent.
Result<void> configure(const mesh::SetUpSettings& settings) {
  const auto done = mesh::set_up(settings);
  if (!done) return tl::unexpected(done.error());
  for (const auto& item : done->items) {
    if (item.state == mesh::SetUp::Found::made) log::info("made on the broker", {{"what", item.what}, {"broker", done->broker}});
  }
  return {};
}

}  // namespace

Result<mesh::ServiceContainer::Settings> container_settings(const Config& config, const std::string& instance_id,
                                                            const mesh::TransportSettings& transport) {
  const Config::Etcd& etcd = config.etcd;
  mesh::ServiceContainer::Settings out;
  out.instance_id = instance_id;
  out.prefix = etcd.prefix + "/" + config.gateway.service;
  out.lease = std::chrono::seconds(etcd.lease_s);
  // Short beside the lease, so that a member of the cluster that hangs leaves time to ask another.
  out.etcd.timeout = std::clamp<milliseconds>(out.lease / 5, milliseconds(500), milliseconds(3000));
  for (const std::string& text : etcd.urls) {
    auto url = http::parse_url(text);
    if (!url) return tl::unexpected(url.error());
    out.etcd.urls.push_back(std::move(*url));
  }
  out.etcd.tls = {etcd.ca_file, etcd.certificate_file, etcd.key_file, etcd.verify_peer};
  if (!etcd.user.empty()) {
    auto password = first_line(etcd.password_file);
    if (!password) return tl::unexpected(password.error());
    out.etcd.user = etcd.user;
    out.etcd.password = std::move(*password);
  }
  mesh::SetUpSettings set_up{transport, {}, false, false};
  if (!config.amqp.management_url.empty()) {
    auto url = http::parse_url(config.amqp.management_url);
    if (!url) return tl::unexpected(url.error());
    set_up.management = std::move(*url);
  }
  out.configure = [set_up = std::move(set_up)] { return configure(set_up); };
  return out;
}

}  // namespace nuropb::meshd
