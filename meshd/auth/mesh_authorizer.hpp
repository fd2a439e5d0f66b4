#pragma once
// The authorizer "mesh": asks a method of a NuroPb service, over the gateway's own connection.
//
//   request  <auth.mesh_service>.<auth.mesh_method>  params {"token": "…"}
//   result   {"user_id":"ann","username":"Ann","roles":[…],"claims":{…},"expires":1763632800}, or null: not known
//
// NuropbAuthenticationError and NuropbAuthorizationError refuse the token; any other error means that it can't be judged
// now. Questions go the way of consumers' requests, so they are encrypted where the method's description requires it;
// their correlation ids are such that no answer to a consumer can be taken for one. Stands behind a CachedAuthorizer.
// The ring loop's thread only; it asks for no thread, since it does not wait.

#include <string>
#include <unordered_map>

#include "common/clock.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::meshd {

/// What a service's answer says; pure. `raw_error` is null or an error object.
Verdict judge_mesh_answer(std::string_view raw_result, std::string_view raw_error);

class MeshAuthorizer final : public Authorizer {
 public:
  struct Settings {
    std::string service, method;
    milliseconds timeout{3000};
    std::size_t asked = 1000;  ///< questions at a time
  };
  explicit MeshAuthorizer(Settings settings) : settings_(std::move(settings)) {}

  /// Puts a question on its way to the method; false if there is no broker now.
  using Send = std::function<bool(mesh::Outgoing&&, const std::string& method)>;
  void connect(Send send) { send_ = std::move(send); }

  [[nodiscard]] std::string_view name() const override { return "mesh"; }
  void judge(const Credential& credential, Answer answer) override;

  /// True if it was about a question of ours.
  bool take(const mesh::Incoming& response);
  bool take(const mesh::Report& report);
  bool refused(const std::string& correlation_id, const std::string& why);
  /// Now and then: questions that nobody answered in time.
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
