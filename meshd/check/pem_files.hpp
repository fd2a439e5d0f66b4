#pragma once
// Files for TLS as a client, which libraries read only when they connect. Pure but for reading; an empty name is right.

#include <string>

#include "common/result.hpp"

namespace nuropb::meshd {

/// At least one certificate in PEM.
Result<void> check_authorities(const std::string& ca_file);
/// A certificate with its chain, and a key without a password that belongs to it.
Result<void> check_pair(const std::string& certificate_file, const std::string& key_file);

}  // namespace nuropb::meshd
