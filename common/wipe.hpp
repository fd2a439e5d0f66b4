#pragma once
// Secrets that are not needed any more, such as keys of which only a digest is kept.

#include <cstring>
#include <string>

namespace nuropb {

/// Overwrites the text, so that it is not found in freed memory, and empties it.
inline void wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace nuropb
