#pragma once
// The authorizer "mesh": calls a method of a NuroPb service over the gateway's own connection.
//
//   request  <auth.mesh_service>.<auth.mesh_method>  params {"token": "…"}
//   result   {"user_id":"ann","username":"Ann","roles":[…],"claims":{…},"expires":1763632800}, or null: unknown token
//
// NuropbAuthenticationError and NuropbAuthorizationError refuse the token; any other error means unavailable. Queries
// are sent like clients' requests, so they are encrypted if the method's description requires it; their correlation ids
// cannot be confused with those of clients' requests. Used behind a CachedAuthorizer. The ring loop's thread only; it
// never blocks, so it needs no thread.

#include <string>
#include <unordered_map>

#include "common/clock.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::meshd {

/// Interprets a service's response; pure. `raw_error` is null or an error object.
Verdict judge_mesh_answer(std::string_view raw_result, std::string_view raw_error);

class MeshAuthorizer final : public Authorizer {
 public:
  struct Settings {
    std::string service, method;
    milliseconds timeout{3000};
    std::size_t asked = 1000;  ///< concurrent queries
  };
  explicit MeshAuthorizer(Settings settings) : settings_(std::move(settings)) {}

  /// Sends a query to the method; returns false if the broker is unavailable.
  using Send = std::function<bool(mesh::Outgoing&&, const std::string& method)>;
  void connect(Send send) { send_ = std::move(send); }

  [[nodiscard]] std::string_view name() const override { return "mesh"; }
  void judge(const Credential& credential, Answer answer) override;

  /// Each returns true if it referred to one of our queries.
  bool take(const mesh::Incoming& response);
  bool take(const mesh::Report& report);
  bool refused(const std::string& correlation_id, const std::string& why);
  /// To be called regularly: ends queries that were not answered in time.
  void tick(SteadyTime now);

 private:
  struct Question {
    Answer answer;
    std::string token;
    SteadyTime deadline;
  };
  bool end(const std::string& correlation_id, Verdict verdict);
  Settings settings_;
  Send send_;
  SystemClock clock_;
  std::unordered_map<std::string, Question> questions_;  // by correlation id
};

}  // namespace nuropb::meshd
