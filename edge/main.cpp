// nuropb-edge: one of the processes that serve clients.

#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "common/exposed_secrets.hpp"
#include "common/log.hpp"
#include "common/program.hpp"
#include "common/service_notice.hpp"
#include "common/standard_streams.hpp"
#include "edge/process/certificate_files.hpp"
#include "edge/process/control_dialer.hpp"
#include "edge/edge.hpp"
#include "edge/process/own_settings.hpp"

namespace {

using namespace nuropb;
using program::fail;

/// Drops everything that an edge does not need once it listens.
Result<void> give_up(const Config::Hardening& settings, const std::optional<sandbox::Identity>& user) {
  if (user) {
    if (const auto become = sandbox::become(*user); !become) return become;
    log::info("runs as", {{"user", user->name}});
    if (user->name == "nobody")
      log::warning("edges share their user with every other program that runs as nobody",
                   {{"hint", "adduser --system --group nuropb-edge"}});
    if (user->uid == 0) log::warning("edges run as root", {{"hint", "hardening.edge_user"}});
  }
  return program::give_up(settings, sandbox::Role::edge);
}

/// An edge that can no longer connect to a new meshd is useless once the current one ends, so it exits to make room for
/// another.
Result<shm::ControlChannel> connection(edge::ControlDialer& dialer) {
  auto channel = dialer.connect();
  if (!channel && dialer.gone()) {
    log::error("can't connect to meshd any more: this edge exits, so that another one can replace it",
               {{"reason", channel.error().text()}});
    ::raise(SIGTERM);
  }
  return channel;
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  const auto settings = edge::own_settings(argc, argv);
  if (!settings) return settings.error();
  const Config& config = settings->config;
  if (!program::begin("edge", config)) return program::permanent_fault;
  ::signal(SIGCHLD, SIG_IGN);

  std::optional<sandbox::Identity> user;
  if (::geteuid() == 0) {
    auto found = sandbox::edge_identity(config.hardening.edge_user);
    if (!found) return fail(found.error());
    user = std::move(*found);
  }
  warn_of_exposed_secrets(config, secret_files_of_edges(config));
  std::vector<std::string> files = config.tls.certificate_files;
  files.insert(files.end(), config.tls.key_files.begin(), config.tls.key_files.end());
  files.push_back(config.tls.client_ca_file);
  files.push_back(config.tls.client_crl_file);
  auto certificates = edge::CertificateFiles::start(std::move(files), config.hardening.seccomp && sandbox::available());
  if (!certificates) return fail(certificates.error());

  auto dialer =
      edge::ControlDialer::start({config.gateway.runtime_dir, user, config.hardening.seccomp && sandbox::available()});
  if (!dialer) return fail(dialer.error());

  edge::Edge edge(
      config, [&] { return connection(*dialer); }, [&](const std::string& file) { return certificates->read(file); });
  if (const auto started = edge.start(); !started) return fail(started.error());
  program::allow_requests();
  log::info("listening", {{"address", config.listen.address}, {"port", edge.port()}, {"path", config.listen.path}});
  if (edge.backend_port() != 0)
    log::info("listening for backends", {{"address", config.backend.address}, {"port", edge.backend_port()}});
  if (edge.lines_port() != 0)
    log::info("listening for lines",
              {{"address", config.lines.address}, {"port", edge.lines_port()}, {"tls", config.lines.tls}});
  if (edge.console_port() != 0)
    log::info("listening for the console", {{"address", config.console.address}, {"port", edge.console_port()}});
  std::vector<std::pair<std::ofstream, std::uint16_t>> ports;
  for (const auto& [file, port] :
       {std::pair(settings->port_file, edge.port()), std::pair(settings->backend_port_file, edge.backend_port()),
        std::pair(settings->lines_port_file, edge.lines_port()),
        std::pair(settings->console_port_file, edge.console_port())}) {
    if (file.empty()) continue;
    ports.emplace_back(file, port);
    if (!ports.back().first)
      return fail({"can't be written", file, "the process that started this edge reads its port there"});
  }
  if (const auto given = give_up(config.hardening, user); !given) return fail(given.error());
  // Written last, because readers of these files assume that the edge is ready.
  for (auto& [file, port] : ports) file << port << '\n';
  ports.clear();
  ServiceNotice::ours().ready();
  const int code = edge.run();
  program::ask_no_more();
  log::info("stopped", {{"code", code}});
  return code;
}
