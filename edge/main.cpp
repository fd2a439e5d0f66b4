// nuropb-edge: one of the processes that face the consumers.

#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "common/log.hpp"
#include "common/program.hpp"
#include "edge/certificate_files.hpp"
#include "edge/edge.hpp"
#include "edge/own_settings.hpp"

namespace {

using namespace nuropb;
using program::fail;

/// Everything that an edge has no more use for once it listens.
Result<void> give_up(const Config::Hardening& settings, const std::optional<sandbox::Identity>& user) {
  if (user) {
    if (const auto become = sandbox::become(*user); !become) return become;
    log::info("runs as", {{"user", user->name}});
    if (user->name == "nobody")
      log::warning("edges share their user with whatever else runs as nobody",
                   {{"hint", "adduser --system --group nuropb-edge"}});
    if (user->uid == 0) log::warning("edges run as root", {{"hint", "hardening.edge_user"}});
  }
  return program::give_up(settings, sandbox::Role::edge);
}

}  // namespace

int main(int argc, char** argv) {
  const auto settings = edge::own_settings(argc, argv);
  if (!settings) return settings.error();
  const Config& config = settings->config;
  if (!program::begin("edge", config.log)) return program::permanent_fault;
  ::signal(SIGCHLD, SIG_IGN);

  std::optional<sandbox::Identity> user;
  if (::geteuid() == 0) {
    auto found = sandbox::edge_identity(config.hardening.edge_user);
    if (!found) return fail(found.error());
    user = std::move(*found);
  }
  std::vector<std::string> files = config.tls.certificate_files;
  files.insert(files.end(), config.tls.key_files.begin(), config.tls.key_files.end());
  files.push_back(config.tls.client_ca_file);
  auto certificates = edge::CertificateFiles::start(std::move(files), config.hardening.seccomp && sandbox::available());
  if (!certificates) return fail(certificates.error());

  edge::Edge edge(config, config.gateway.runtime_dir + "/meshd.sock",
                  [&](const std::string& file) { return certificates->read(file); });
  if (const auto started = edge.start(); !started) return fail(started.error());
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
    if (!file.empty()) ports.emplace_back(file, port);
  }
  // A folder above the runtime folder may be root's alone: then meshd is reached from within.
  if (user && user->uid != 0 && ::chdir(config.gateway.runtime_dir.c_str()) == 0) edge.reach_meshd_at("meshd.sock");
  if (const auto given = give_up(config.hardening, user); !given) return fail(given.error());
  // Only now: whoever waits for these takes it that the edge is all set.
  for (auto& [file, port] : ports) file << port << '\n';
  ports.clear();
  const int code = edge.run();
  program::ask_no_more();
  log::info("stopped", {{"code", code}});
  return code;
}
