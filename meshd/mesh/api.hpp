#pragma once
// The mesh for application programs: send requests and commands, publish events, and serve.
//
//   mesh::Api api(settings);
//   if (auto ok = api.start(); !ok) ...                          // connected, or the reason why not
//   auto sum = api.request("demo", "add", {{"a", 1}, {"b", 2}}); // std::future<mesh::Answer>
//   if (auto answer = sum.get(); answer) std::cout << *answer;
//
// Usable from any thread. The future of a request always becomes ready: with the service's response, a definite
// refusal, NuropbTimeoutError, or NuropbTransportError with outcome unknown (design.md, rule 1), under NuroPb's names.

#include <future>
#include <nlohmann/json.hpp>
#include <string>

#include "meshd/mesh/answer.hpp"
#include "meshd/mesh/discovery.hpp"
#include "meshd/mesh/service_host.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct CallOptions {
  milliseconds ttl{60'000};  ///< requests and commands: how long the sender waits
  nlohmann::json context = nlohmann::json::object();
  std::string trace_id{};  ///< empty: generated
  std::optional<std::uint8_t> priority{};
  /// Requests and commands: by default they are encrypted if the service's description requires it. The description is
  /// requested from time to time (discovery.hpp); that time is part of `ttl`.
  Encryption encryption = Encryption::automatic;
  /// Events: a list of users that the event is addressed to, or null for all subscribers.
  nlohmann::json target = nullptr;
};

class Api {
 public:
  /// `keys`: of encrypted requests. The default is random, so only this process can decrypt responses; with a stored
  /// secret, a restarted process under the same instance id can decrypt responses to its predecessor's requests.
  explicit Api(TransportSettings settings, RequestKeys keys = RequestKeys::random());
  ~Api();

  /// Serves `host` from now on. Call it before start(). The host must outlive the Api.
  void serve(ServiceHost& host);
  /// Connects and waits until the connection is ready. After that it reconnects by itself.
  Result<void> start(milliseconds timeout = milliseconds{10'000});
  void stop();

  using OnAnswer = std::function<void(Answer)>;
  std::future<Answer> request(const std::string& service, const std::string& method, const nlohmann::json& params,
                              CallOptions options = {});
  /// `on_answer` runs once, on the transport's thread.
  void request(const std::string& service, const std::string& method, const nlohmann::json& params, CallOptions options,
               OnAnswer on_answer);
  /// Returns success once the command is queued, or waits for the service's description. A command has no response; one
  /// that cannot be sent after all is logged.
  Result<void> command(const std::string& service, const std::string& method, const nlohmann::json& params,
                       CallOptions options = {});
  Result<void> publish_event(const std::string& topic, const nlohmann::json& event, CallOptions options = {});

  /// The service's `nuropb_describe` response, from the cache if it is not older than a minute. `refresh` skips the
  /// cache.
  std::future<Answer> describe(const std::string& service, bool refresh = false);
  using YesOrNo = tl::expected<bool, ServiceError>;
  /// Fails with NuropbHandlingError if the service does not describe the method.
  std::future<YesOrNo> requires_encryption(const std::string& service, const std::string& method);
  std::future<YesOrNo> has_public_key(const std::string& service);

  [[nodiscard]] Transport& transport();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::mesh
