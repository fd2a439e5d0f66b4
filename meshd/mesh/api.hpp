#pragma once
// The mesh as a program uses it: ask services, send commands, publish events, and serve.
//
//   mesh::Api api(settings);
//   if (auto ok = api.start(); !ok) ...                          // connected, or the reason why not
//   auto sum = api.request("demo", "add", {{"a", 1}, {"b", 2}}); // std::future<mesh::Answer>
//   if (auto answer = sum.get(); answer) std::cout << *answer;
//
// Usable from any thread. The future of a request always becomes ready: with the service's answer, a definite
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
  milliseconds ttl{60'000};  ///< requests and commands: when the sender gives up
  nlohmann::json context = nlohmann::json::object();
  std::string trace_id{};  ///< empty: made up
  std::optional<std::uint8_t> priority{};
  /// Requests and commands: by default they are encrypted where the service's description requires it. For that the
  /// description is asked for, once in a while (discovery.hpp); the time it takes is part of `ttl`.
  Encryption encryption = Encryption::automatic;
  /// Events: for whom it is, a list of users, or null for all who listen.
  nlohmann::json target = nullptr;
};

class Api {
 public:
  /// `keys`: of encrypted requests. The default is of use to this process alone; with a secret that is kept, a successor
  /// under the same instance id can read answers to what this one asked.
  explicit Api(TransportSettings settings, RequestKeys keys = RequestKeys::random());
  ~Api();

  /// Serves `host` from now on; before start(). The host must outlive the Api.
  void serve(ServiceHost& host);
  /// Connects and waits for it. Reconnects by itself ever after.
  Result<void> start(milliseconds timeout = milliseconds{10'000});
  void stop();

  using OnAnswer = std::function<void(Answer)>;
  std::future<Answer> request(const std::string& service, const std::string& method, const nlohmann::json& params,
                              CallOptions options = {});
  /// `on_answer` runs once, on the transport's thread.
  void request(const std::string& service, const std::string& method, const nlohmann::json& params, CallOptions options,
               OnAnswer on_answer);
  /// True once it is queued, or waits for the service's description; a command has no answer, and one that can't be sent
  /// after all is logged.
  Result<void> command(const std::string& service, const std::string& method, const nlohmann::json& params,
                       CallOptions options = {});
  Result<void> publish_event(const std::string& topic, const nlohmann::json& event, CallOptions options = {});

  /// `nuropb_describe` of a service, from the cache if it is not older than a minute. `refresh`: asks in any case.
  std::future<Answer> describe(const std::string& service, bool refresh = false);
  using YesOrNo = tl::expected<bool, ServiceError>;
  /// NuropbHandlingError, if the service does not describe the method.
  std::future<YesOrNo> requires_encryption(const std::string& service, const std::string& method);
  std::future<YesOrNo> has_public_key(const std::string& service);

  [[nodiscard]] Transport& transport();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::mesh
