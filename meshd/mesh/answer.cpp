#include "meshd/mesh/answer.hpp"

#include <algorithm>

#include "common/error_names.hpp"
#include "common/messages.hpp"

namespace nuropb::mesh {
namespace {

using nlohmann::json;

tl::unexpected<ServiceError> refused(std::string why) {
  return tl::unexpected(ServiceError{std::string(error_name::message), std::move(why), false});
}

ServiceError read_error(const json& error) {
  const auto member = [&](const char* name) {
    return error.contains(name) && error[name].is_string() ? error[name].get<std::string>() : std::string();
  };
  ServiceError out{member("error"), member("description"), member("outcome") == "unknown"};
  if (std::find(error_name::all.begin(), error_name::all.end(), out.name) == error_name::all.end()) {
    if (!out.name.empty()) out.description = out.name + ": " + out.description;
    out.name = error_name::exception;
  }
  return out;
}

}  // namespace

Answer read_answer(const Incoming& message, bool request_encrypted, const RequestKeys& keys) {
  std::string opened;
  if (message.encrypted) {
    if (!request_encrypted) return refused("the response is encrypted, but the request was not");
    const auto key = keys.of(message.correlation_id);
    auto json = key ? decrypt_response(message.body, *key) : tl::unexpected(key.error());
    if (!json) return refused("the response could not be decrypted: " + json.error().text());
    opened = std::move(*json);
  }
  const auto body = decode_response(message.encrypted ? opened : message.body);
  if (!body) return refused(body.error().text());
  if (body->error != "null") {
    const json error = json::parse(body->error, nullptr, false);
    if (error.is_object()) return tl::unexpected(read_error(error));
  }
  if (request_encrypted && !message.encrypted) return refused("the response is not encrypted, but the request was");
  json result = json::parse(body->result, nullptr, false);
  if (result.is_discarded()) return refused("the result can't be represented here");
  return result;
}

bool description_may_be_old(const Answer& answer) {
  // A C++ service answers in plain text that it could not decrypt the request, or that it should have been encrypted.
  // The Python peer encrypts such an answer with a random key (nuropb 0.1.8, Encryptor), so it cannot be decrypted.
  return !answer && answer.error().name == error_name::message;
}

}  // namespace nuropb::mesh
