#pragma once
// Makes a C++ program a service on the mesh: methods by name, each call answered once. `nuropb_describe` is built in.
//
//   mesh::ServiceHost host("demo", "1.0");
//   host.method("add", {.description = "Adds two numbers",
//                       .parameters = {{"a", "number"}, {"b", "number"}}},
//               [](const mesh::Call& call) { return call.params["a"].get<double>() + call.params["b"].get<double>(); });
//   mesh::Api api(settings);
//   api.serve(host);
//
// Handlers run on the transport's thread and must not block it; a slow method uses `async_method` and answers later,
// from any thread. TransportSettings::prefetch limits the number of concurrent calls.
//
// Before a handler runs, the call is checked against its declaration (method.hpp), in this order:
//
//   requires_encryption   is not encrypted                     NuropbMessageError
//   needs_context         the message has none                 NuropbValidationError
//   authorize             no token in the context              NuropbAuthenticationError
//                         the function refuses                 what it throws; null claims: NuropbAuthorizationError
//   parameters            missing, unknown, of another type    NuropbValidationError
//
// The Python peer answers wrong arguments with NuropbException and the text of a TypeError; NuropbValidationError is
// its name for that case. Its callers see the description only, whatever the name.

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/messages.hpp"
#include "meshd/mesh/call.hpp"
#include "meshd/mesh/encryption.hpp"
#include "meshd/mesh/method.hpp"
#include "meshd/mesh/refusals.hpp"
#include "meshd/mesh/reply.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class ServiceHost {
 public:
  using Method = std::function<Success(const Call&)>;
  using AsyncMethod = std::function<void(Call, Reply)>;
  using RawMethod = std::function<std::string(std::string_view params)>;
  using EventHandler = std::function<void(const Event&)>;

  ServiceHost(std::string service_name, std::string version, std::string description = {});

  // To be called before the transport starts. Throws std::invalid_argument for an invalid declaration.
  void method(const std::string& name, MethodInfo info, Method handler);
  /// Must not throw: an exception drops the Reply, which then answers with NuropbHandlingError.
  void async_method(const std::string& name, MethodInfo info, AsyncMethod handler);
  /// For methods that forward JSON without inspecting it: raw params in, raw result out, without parsing. Parameters
  /// are described, but not checked.
  void raw_method(const std::string& name, MethodInfo info, RawMethod handler);
  /// Handles events of the transport's event_bindings. Without a handler they are rejected.
  void on_event(EventHandler handler);

  /// Enables encryption: `nuropb_describe` contains the public key as soon as a method requires encryption, requests
  /// and commands may be encrypted, and encrypted ones get encrypted responses. All instances of a service need the
  /// same key: PrivateKey::load_or_create.
  void use_key(PrivateKey key);

  /// Handles one message of the service queue on the transport's thread: runs the method, responds and acknowledges
  /// according to the table in nuropb-wire.md. Never throws.
  void handle(const Transport::Sender& sender, Incoming&& message);
  void handle(Transport& transport, Incoming&& message) { handle(transport.sender(), std::move(message)); }

  /// The response to `nuropb_describe`.
  [[nodiscard]] nlohmann::json describe() const;
  [[nodiscard]] const std::string& service_name() const { return service_name_; }
  /// Messages refused before a handler was called; the transport counts those that it refuses itself.
  [[nodiscard]] const Refusals& refusals() const { return refusals_; }

 private:
  struct Entry {  // exactly one of the three handlers is set
    MethodInfo info;
    Method plain{};
    AsyncMethod async{};
    RawMethod raw{};
  };
  struct Refused;
  void add(const std::string& name, Entry entry);
  [[nodiscard]] Reply reply_to(const Transport::Sender& sender, const Incoming& message) const;
  void refuse(Reply& reply, const Incoming& message, const Refused& why);
  bool decrypt(Incoming& message, Reply& reply);
  void call(const Incoming& message, Reply reply);
  void run(const Entry& entry, const CallBody& body, bool has_context, const Incoming& message, Reply& reply);
  void event(const Incoming& message, Reply reply);
  std::string service_name_, version_, description_;
  std::map<std::string, Entry, std::less<>> methods_;
  EventHandler on_event_;
  std::optional<PrivateKey> key_;
  Refusals refusals_;
};

}  // namespace nuropb::mesh
