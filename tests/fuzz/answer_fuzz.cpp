// A response as a requester parses it, and the description that it may contain. The first byte determines whether
// request and response are encrypted (then we encrypt the response, to get past the signature).

#include <algorithm>

#include "common/base64.hpp"
#include "common/error_names.hpp"
#include "meshd/mesh/discovery.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto keys = mesh::RequestKeys::random();
  if (size == 0) return 0;
  const bool asked_encrypted = data[0] & 1;
  mesh::Incoming message;
  message.correlation_id = "c";
  message.encrypted = data[0] & 2;
  message.body = fuzz::text(data + 1, size - 1);
  if (message.encrypted && (data[0] & 4)) {
    const auto token = fernet::encrypt(*keys.of("c"), message.body);
    message.body = "." + base64::encode(*token);
  }
  const auto answer = mesh::read_answer(message, asked_encrypted, keys);
  if (!answer)
    fuzz::must(std::find(error_name::all.begin(), error_name::all.end(), answer.error().name) != error_name::all.end(),
               "an error has a name of NuroPb's");
  fuzz::must(!answer || message.encrypted == asked_encrypted, "a result comes as it was asked for");
  if (const auto described = mesh::read_description("s", answer)) {
    for (const auto wanted : {mesh::Encryption::automatic, mesh::Encryption::always, mesh::Encryption::never}) {
      const auto key = mesh::encryption_key(**described, "s", "secret", wanted);
      fuzz::must(key.has_value() || !key.error().description.empty(), "a refusal says why");
      if (wanted == mesh::Encryption::never) fuzz::must(key && !*key, "never is never");
    }
  }
  return 0;
}
