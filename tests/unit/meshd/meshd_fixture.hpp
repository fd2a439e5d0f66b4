#pragma once
// meshd's loop in memory: a whole Meshd with edges, a mesh and a clock that are in the test's hands. No broker, no ports,
// no sleeping: everything happens in the test's own thread, when the test says so.
//
//   FakeEdge ══ rings ══► Meshd ──► SteppedLoopback            settle(): Meshd does all that it can do now
//            ◄══ rings ══          ◄──                            pass(): time goes by, and its timers with it
//
// Tests speak of records and outcomes: what an edge sends and is sent, what the mesh is sent and answers. Nothing here knows
// how Meshd does it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/close_codes.hpp"
#include "common/config.hpp"
#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/records.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/mesh_authorizer.hpp"
#include "meshd/meshd.hpp"
#include "tests/unit/meshd/fake_edge.hpp"
#include "tests/unit/meshd/stepped_loopback.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {

/// Accepts every token as the name of its user: "ann" is ann. A test may set another result for a token.
class NameAuthorizer final : public Authorizer {
 public:
  [[nodiscard]] std::string_view name() const override { return "names"; }
  void judge(const Credential& credential, Answer answer) override {
    if (waits) return waiting.push_back(std::move(answer));
    answer(verdict_on(credential.token));
  }
  [[nodiscard]] bool still_good(const Identity& identity) const override { return !revoked.contains(identity.user_id); }
  Result<void> reload() override {
    if (!reload_error.empty()) return failure(reload_error);
    return {};
  }
  [[nodiscard]] Verdict verdict_on(const std::string& token) const;

  std::map<std::string, Verdict> verdicts;  ///< by token
  bool waits = false;                       ///< the test answers, through `waiting`
  std::deque<Answer> waiting;
  std::set<std::string> revoked;
  std::string reload_error;
};

/// The outcome of a request.
struct Answered {
  std::string result, error;
  RequestOutcome outcome = RequestOutcome::ok;
  /// The name of the error; empty: there is none.
  [[nodiscard]] std::string name() const;
};

class MeshdTest;

/// Parameters of a request, about this many bytes long.
inline std::string params_of(std::size_t bytes) { return R"({"x":")" + std::string(bytes, 'x') + "\"}"; }

/// One client's session, as its edge sees it.
class Client {
 public:
  Client(MeshdTest& test, FakeEdge& edge, std::uint32_t slot, std::uint32_t serial, const SessionId& id)
      : edge(edge), slot(slot), serial(serial), id(id), test_(test) {}

  void request(std::uint64_t sequence, std::string_view params = R"({"x":1})", std::string_view method = "echo",
               std::string_view service = "demo", records::Type type = records::Type::request);
  void command(std::uint64_t sequence) { request(sequence, R"({"x":1})", "note", "demo", records::Type::command); }
  void describe(std::uint64_t sequence) { request(sequence, "", "", "demo", records::Type::describe); }
  void event(std::uint64_t sequence, std::string_view topic, std::string_view event = "1",
             std::string_view target = "null");
  void subscribe(std::uint64_t sequence, std::string_view topic, records::Type type = records::Type::subscribe);
  void unsubscribe(std::uint64_t sequence, std::string_view topic) {
    subscribe(sequence, topic, records::Type::unsubscribe);
  }
  void authorize(std::uint64_t sequence, std::string_view token);
  void close(bool lost = false) { edge.write(records::Type::close_session, records::CloseSession{slot, serial, lost}); }
  void resume(const records::Resume& record, std::uint64_t sequence = 0) {
    edge.write(records::Type::resume, record, sequence);
  }
  [[nodiscard]] records::Resume resume_record(records::Resume::What what) const {
    records::Resume out;
    out.what = what;
    out.session = slot;
    out.serial = serial;
    return out;
  }

  /// The next record, which must answer this request.
  Answered answer(std::uint64_t sequence);
  /// The next record, which must end this session; returns its close code.
  std::uint16_t ended();

  FakeEdge& edge;
  std::uint32_t slot, serial;
  SessionId id;
  std::string user, ticket, token;  ///< token: what it can be resumed with

 private:
  MeshdTest& test_;
};

class MeshdTest : public ::testing::Test {
 public:
  /// Runs meshd's loop until it is idle.
  void settle();
  /// The same, one handler at a time, with a check after each.
  void settle_with(const std::function<void()>& look);
  /// Advances the clock; each timer that expires meanwhile runs at its time. Live edges send their heartbeats.
  void pass(std::chrono::steady_clock::duration time);
  [[nodiscard]] std::uint64_t deadline_ms(milliseconds from_now = std::chrono::seconds(30)) const {
    return to_ring_ms(clock_.now() + from_now);
  }

 protected:
  MeshdTest();
  ~MeshdTest() override;

  /// Starts meshd with `config_` and `policy_`. Its broker is ready unless the test has decided otherwise.
  void start(bool with_broker = true);
  /// Destroys meshd without any farewell, as if it had been killed.
  void kill() { loop_.reset(); }
  /// Stops meshd in order; returns its exit code.
  int stop();
  /// Starts another meshd with the same secret in its place.
  void restart() {
    kill();
    start();
  }

  FakeEdge& attach(const std::string& ticket = {}, std::uint32_t abi = shm::abi);
  /// Presents a session, whatever the result.
  Client present(FakeEdge& edge, std::uint32_t slot, std::string_view credential,
                 records::CredentialKind kind = records::CredentialKind::header,
                 HandlerKind handler = HandlerKind::web_socket, std::optional<SessionId> id = {});
  /// Presents a session that must be accepted.
  Client open(FakeEdge& edge, std::uint32_t slot, std::string_view user = "ann",
              HandlerKind handler = HandlerKind::web_socket);
  /// The next record, which must accept this session.
  void accepted(Client& client);
  /// The next record, which must refuse this session; returns its close code.
  std::uint16_t refused(Client& client);

  void write_policy(const std::string& toml);
  /// A request to the admin socket: GET without a body, otherwise POST. Returns status and body.
  std::pair<int, std::string> admin(const std::string& path, const std::string& body = {});
  nlohmann::json operate(const std::string& name, const nlohmann::json& params = nlohmann::json::object());
  /// A connection to the admin socket on which this was sent, for answers that come later or never end.
  shm::UniqueFd ask_admin(const std::string& path, const std::string& body);
  /// What was received on it so far.
  std::string heard(const shm::UniqueFd& connection);
  /// The value of one line of the metrics page: its name with labels.
  double metric(const std::string& name);
  /// Runs meshd until a condition holds that another process brings about; false if it does not hold within a minute.
  bool eventually(const std::function<bool()>& condition);
  /// Whether a line of meshd's log contains the text.
  [[nodiscard]] bool logged(std::string_view text) const;

  SteppedLoopback& mesh(HandlerKind kind = HandlerKind::web_socket) { return *meshes_.at(index_of(kind)); }

  Config config_;
  ManualClock clock_;
  NameAuthorizer authorizer_;
  std::optional<MeshAuthorizer> mesh_authorizer_;  ///< in the place of authorizer_
  bool makes_sockets_ = false;                     ///< whether sockets that are removed can be made again
  log::Level log_level_ = log::Level::info;
  std::string folder_, admin_key_;
  std::unique_ptr<Meshd> loop_;
  std::deque<FakeEdge> edges_;

 private:
  std::vector<SteppedLoopback*> meshes_;
  std::shared_ptr<std::vector<std::string>> log_ = std::make_shared<std::vector<std::string>>();
  std::uint32_t last_serial_ = 0;
};

}  // namespace nuropb::meshd
