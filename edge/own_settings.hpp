#pragma once
// An edge's settings, and nothing of anybody else's.
//
// The config file, the environment and the command line may hold the broker's password, which no edge may know. Reading
// them and forgetting it would leave it in freed memory. So an edge has two lives under one process id: the first reads
// the settings, writes those that concern edges into sealed memory, and becomes the second by exec, with a clean
// environment, without a descriptor of whoever started it, and with an address space in which the rest never was.

#include <string>

#include "common/config.hpp"

namespace nuropb::edge {

struct OwnSettings {
  Config config;
  std::string port_file, backend_port_file, lines_port_file,
      console_port_file;  ///< from the command line: where the ports are written to
};

/// In the first life it does not return, unless with the exit code with which the process should end at once.
tl::expected<OwnSettings, int> own_settings(int argc, char** argv);

}  // namespace nuropb::edge
