#pragma once
// Reads an edge's certificates and keys when it can't any more: an edge has no files once it runs (common/sandbox.hpp),
// and where root has started it, its user may not read a key either. So before that a child is made that can do nothing
// but read these files, whole, in the order of the list, and hand over what is in them:
//
//   edge ── number of a file ──►  reader     (a pair of sockets; closed by the edge's end, which is the reader's too)
//        ◄── length, bytes ────
//
// The child answers one who may have been taken over: it knows its files from before the first consumer, and a number
// that is none of them ends it. It has no sockets of ours, and no memory of what it has read.

#include <string>
#include <vector>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::edge {

class CertificateFiles {
 public:
  /// Makes the child. `files` empty: none is needed. One thread at that time; nothing is read yet.
  static Result<CertificateFiles> start(std::vector<std::string> files, bool seccomp);

  /// What is in one of the files now. Waits for the child, two seconds at most.
  Result<std::string> read(const std::string& file);

 private:
  std::vector<std::string> files_;
  shm::UniqueFd socket_;
};

}  // namespace nuropb::edge
