#pragma once
// Leaves OpenSSL's error queue as it was. The queue belongs to the thread: what one call fails at would be taken by a
// TLS connection of the same thread for a failure of its own.

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
