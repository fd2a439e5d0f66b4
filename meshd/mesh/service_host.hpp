#pragma once
// Makes a C++ program a service on the mesh: methods by name, answered once each; `nuropb_describe` comes by itself.
//
//   mesh::ServiceHost host("demo", "1.0");
//   host.method("add", {.description = "Adds two numbers",
//                       .parameters = {{"a", "number"}, {"b", "number"}}},
//               [](const mesh::Call& call) { return call.params["a"].get<double>() + call.params["b"].get<double>(); });
//   mesh::Api api(settings);
//   api.serve(host);
//
// Handlers run on the transport's thread and must not block it; a method that takes time uses `async_method` and
// answers later, from any thread.

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/messages.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

struct Parameter {
  std::string name;
  std::string type = "any";           ///< JSON schema's word: string, number, integer, boolean, object, array, any
  bool required = true;
  std::string description{};
  nlohmann::json fallback = nullptr;  ///< shown as "default" where it is not required
};

struct MethodInfo {
  std::string description{};
  std::vector<Parameter> parameters{};
  bool hidden = false;                ///< callable, but not described
  bool any_parameters = false;        ///< takes whatever it is given; `parameters` only describe
};

/// One call, as a handler sees it.
struct Call {
  std::string method;
  nlohmann::json params;
  nlohmann::json context;
  std::string correlation_id;
  std::string trace_id;
  bool is_command = false;            ///< nobody waits for an answer
  bool redelivered = false;
};

/// What a handler throws to end a call with an error of this name (common/error_names.hpp).
class CallError : public std::runtime_error {
 public:
  CallError(std::string_view name, const std::string& description) : std::runtime_error(description), name_(name) {}
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

/// Thrown by a handler: put the message back and try once more later. On a redelivered message it ends the call with
/// NuropbCallAgainReject (protocol.md, "What a participant does with a message").
class CallAgain : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Answers one call, once; a second answer is ignored. Movable, usable from any thread; dropping it unanswered ends
/// the call with NuropbHandlingError.
class Reply {
 public:
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();
  void result(const nlohmann::json& value);
  /// The same with JSON text that is valid already.
  void raw_result(std::string_view json);
  void error(std::string_view name, std::string_view description);
  void call_again(std::string_view description);

 private:
  friend class ServiceHost;
  struct State;
  explicit Reply(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class ServiceHost {
 public:
  using Method = std::function<nlohmann::json(const Call&)>;
  /// Must not throw: an exception drops the Reply, which answers with NuropbHandlingError.
  using AsyncMethod = std::function<void(Call, Reply)>;
  using EventHandler = std::function<void(const std::string& topic, const nlohmann::json& event, const nlohmann::json& context)>;

  ServiceHost(std::string service_name, std::string version, std::string description = {});

  void method(const std::string& name, MethodInfo info, Method handler);
  void async_method(const std::string& name, MethodInfo info, AsyncMethod handler);
  /// For methods that pass JSON on without looking into it: raw params in, raw result out, no tree in between.
  using RawMethod = std::function<std::string(std::string_view params)>;
  void raw_method(const std::string& name, MethodInfo info, RawMethod handler);
  /// Gets events of the transport's event_bindings.
  void on_event(EventHandler handler);

  /// Handles one message of the service queue on the transport's thread: runs the method, answers and acknowledges as
  /// the table in protocol.md says. Never throws.
  void handle(Transport& transport, Incoming&& message);

  /// What `nuropb_describe` answers.
  [[nodiscard]] nlohmann::json describe() const;
  [[nodiscard]] const std::string& service_name() const { return service_name_; }

 private:
  struct Entry {
    MethodInfo info;
    AsyncMethod handler;
    RawMethod raw;
  };
  void call(const Entry& entry, const CallBody& body, Reply reply, bool is_command, bool redelivered);
  void event(Transport& transport, const Incoming& message);
  std::string service_name_, version_, description_;
  std::map<std::string, Entry> methods_;
  EventHandler on_event_;
};

}  // namespace nuropb::mesh
