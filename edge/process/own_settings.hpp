#pragma once
// An edge's settings, without those of other processes.
//
// The config file, the environment and the command line may contain the broker's password, which no edge may know.
// Parsing them and discarding the password would leave it in freed memory. So an edge re-executes itself: the first
// image reads the settings, writes those for edges into sealed memory, and starts the second image by exec with a clean
// environment, without inherited descriptors, and with an address space that never contained the rest.

#include <string>

#include "common/config.hpp"

namespace nuropb::edge {

struct OwnSettings {
  Config config;
  /// From the command line: files to which the ports are written.
  std::string port_file, backend_port_file, lines_port_file, console_port_file;
};

/// In the first image it does not return, unless with an exit code with which the process must exit at once.
tl::expected<OwnSettings, int> own_settings(int argc, char** argv);

}  // namespace nuropb::edge
