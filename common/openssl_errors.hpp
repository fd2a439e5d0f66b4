#pragma once
// Scope guard that leaves OpenSSL's error queue as it was. The queue is per thread: an error left behind by one call
// would be attributed to a TLS connection of the same thread.

#include <openssl/err.h>

namespace nuropb {

class OpensslErrors {
 public:
  OpensslErrors() { ERR_set_mark(); }
  OpensslErrors(const OpensslErrors&) = delete;
  OpensslErrors& operator=(const OpensslErrors&) = delete;
  ~OpensslErrors() { ERR_pop_to_mark(); }
};

}  // namespace nuropb
