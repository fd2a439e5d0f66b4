#pragma once
// Interprets a response for the requester: a result, or an error under a NuroPb name. Pure.

#include <nlohmann/json.hpp>
#include <string>

#include "meshd/mesh/encryption.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct ServiceError {
  std::string name;  ///< one of common/error_names.hpp
  std::string description;
  bool outcome_unknown = false;  ///< the request may have been executed
  bool operator==(const ServiceError&) const = default;
};
using Answer = tl::expected<nlohmann::json, ServiceError>;

/// `request_encrypted`: how the request was sent. An encrypted response is decrypted with the key of its correlation
/// id.
///
/// For an encrypted request, an unencrypted *error* is accepted: a service that cannot decrypt a request cannot encrypt
/// its response either, and the reason is useful. An unencrypted *result* is not: its sender cannot have read the
/// request. An error name that NuroPb does not define becomes NuropbException, with the name in front of its
/// description.
Answer read_answer(const Incoming& message, bool request_encrypted, const RequestKeys& keys);

/// True if the request may have failed because the cached description is outdated: the service may have another key by
/// now, or require encryption where it did not before.
bool description_may_be_old(const Answer& answer);

}  // namespace nuropb::mesh
