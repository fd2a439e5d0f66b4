#pragma once
// Reads an edge's certificates and keys after the edge itself can no longer read files (common/sandbox.hpp); and if
// root has started it, its user may not be allowed to read a key. So a child process is created earlier that can only
// read these files and return their content:
//
//   edge ── number of a file ──►  reader     (a pair of sockets; closed by the edge's end, which is the reader's too)
//        ◄── length, bytes ────
//
// The edge may be compromised, so the child serves only the files listed at start-up and exits on any other request. It
// has none of our sockets, and keeps nothing of what it has read in memory.

#include <string>
#include <vector>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::edge {

class CertificateFiles {
 public:
  /// Starts the child. `files` may be empty. The process must have one thread; nothing is read yet.
  static Result<CertificateFiles> start(std::vector<std::string> files, bool seccomp);

  /// The current content of one of the files. Blocks for at most two seconds.
  Result<std::string> read(const std::string& file);

 private:
  std::vector<std::string> files_;
  shm::UniqueFd socket_;
};

}  // namespace nuropb::edge
