// nuropb-edge: one of the processes that face the consumers.

#include <signal.h>

#include <fstream>
#include <iostream>

#include "common/config.hpp"
#include "common/log.hpp"
#include "edge/edge.hpp"
#include "shm/layout.hpp"

int main(int argc, char** argv) {
  using namespace nuropb;
  constexpr int permanent_fault = 78;  // sysexits.h EX_CONFIG: starting again would end the same way
  std::string port_file, backend_port_file, lines_port_file;
  const auto config = config_from_command_line(argc, argv, "nuropb-edge", "WebSocket edge of the NuroPb gateway",
                                               {{"--port-file", "Writes the port that it listens on to this file", &port_file},
                                                {"--backend-port-file", "The same for the port of backends", &backend_port_file},
                                                {"--lines-port-file", "The same for the port of JSON lines", &lines_port_file}},
                                                " (ABI " + std::to_string(shm::abi) + ")");
  if (!config) return config.error();
  if (const auto ok = log::configure({"edge", config->log.level, config->log.format, config->log.file}); !ok) {
    std::cerr << ok.error().text() << '\n';
    return permanent_fault;
  }
  ::signal(SIGPIPE, SIG_IGN);

  edge::Edge edge(*config, config->gateway.runtime_dir + "/meshd.sock");
  if (const auto started = edge.start(); !started) {
    log::error("can't start", {{"reason", started.error().text()}});
    return permanent_fault;
  }
  log::info("listening", {{"address", config->listen.address}, {"port", edge.port()}, {"path", config->listen.path}});
  if (!port_file.empty()) std::ofstream(port_file) << edge.port() << std::endl;
  if (edge.backend_port() != 0) log::info("listening for backends", {{"address", config->backend.address}, {"port", edge.backend_port()}});
  if (!backend_port_file.empty()) std::ofstream(backend_port_file) << edge.backend_port() << std::endl;
  if (edge.lines_port() != 0) log::info("listening for lines", {{"address", config->lines.address}, {"port", edge.lines_port()}, {"tls", config->lines.tls}});
  if (!lines_port_file.empty()) std::ofstream(lines_port_file) << edge.lines_port() << std::endl;
  const int code = edge.run();
  log::info("stopped", {{"code", code}});
  return code;
}
