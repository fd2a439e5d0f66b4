#pragma once
// The mesh as a program uses it: ask services, send commands, publish events, and serve.
//
//   mesh::Api api(settings);
//   if (auto ok = api.start(); !ok) ...                          // connected, or the reason why not
//   auto sum = api.request("demo", "add", {{"a", 1}, {"b", 2}}); // std::future<mesh::Answer>
//   if (auto answer = sum.get(); answer) std::cout << *answer;
//
// Usable from any thread. The future of a request always becomes ready: with the service's answer, a definite
// refusal, NuropbTimeoutError, or NuropbTransportError with outcome unknown (design rule 1).

#include <future>
#include <nlohmann/json.hpp>
#include <string>

#include "meshd/mesh/service_host.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct ServiceError {
  std::string name;              ///< common/error_names.hpp
  std::string description;
  bool outcome_unknown = false;  ///< it may have run
  bool operator==(const ServiceError&) const = default;
};
using Answer = tl::expected<nlohmann::json, ServiceError>;

struct CallOptions {
  milliseconds ttl{60'000};
  nlohmann::json context = nlohmann::json::object();
  std::string trace_id;                  ///< empty: made up
  std::optional<std::uint8_t> priority;
};

class Api {
 public:
  explicit Api(TransportSettings settings);
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
  /// True once it is queued; a command has no answer.
  Result<void> command(const std::string& service, const std::string& method, const nlohmann::json& params,
                       CallOptions options = {});
  Result<void> publish_event(const std::string& topic, const nlohmann::json& event, CallOptions options = {});
  /// `nuropb_describe` of a service.
  std::future<Answer> describe(const std::string& service);

  [[nodiscard]] Transport& transport();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::mesh
