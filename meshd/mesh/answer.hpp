#pragma once
// What a response means to the one who asked: a result, or an error under a NuroPb name. Pure.

#include <nlohmann/json.hpp>
#include <string>

#include "meshd/mesh/encryption.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct ServiceError {
  std::string name;  ///< one of common/error_names.hpp
  std::string description;
  bool outcome_unknown = false;  ///< it may have run
  bool operator==(const ServiceError&) const = default;
};
using Answer = tl::expected<nlohmann::json, ServiceError>;

/// `request_encrypted`: how the request went out. An encrypted answer is opened with the key of its correlation id.
///
/// To an encrypted request an unencrypted *error* counts: a service that can't open a request can't encrypt its answer
/// either, and the reason is worth knowing. An unencrypted *result* does not: whoever made it had not read the request.
/// An error name that is none of NuroPb's becomes NuropbException, with the name in front of its description.
Answer read_answer(const Incoming& message, bool request_encrypted, const RequestKeys& keys);

/// True if the request may have failed because the service's description is old: it has another key by now, or wants
/// encrypted what it took in plain before.
bool description_may_be_old(const Answer& answer);

}  // namespace nuropb::mesh
