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
// answers later, from any thread. How many calls are on their way at a time is TransportSettings::prefetch.
//
// Before a handler runs, its declaration (method.hpp) is checked, in this order:
//
//   requires_encryption   came in the clear                    NuropbMessageError
//   needs_context         the message has none                 NuropbValidationError
//   authorize             no token in the context              NuropbAuthenticationError
//                         the function refuses                 what it throws; null claims: NuropbAuthorizationError
//   parameters            missing, unknown, of another type    NuropbValidationError
//
// The Python peer answers wrong arguments with NuropbException and the text of a TypeError; NuropbValidationError is the
// name that it has for the case. Its callers see the description only, whatever the name.

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

  // Declared before the transport starts. std::invalid_argument for a declaration that can't be meant.
  void method(const std::string& name, MethodInfo info, Method handler);
  /// Must not throw: an exception drops the Reply, which then answers with NuropbHandlingError.
  void async_method(const std::string& name, MethodInfo info, AsyncMethod handler);
  /// For methods that pass JSON on without looking into it: raw params in, raw result out, no tree in between.
  /// Parameters are described, not checked.
  void raw_method(const std::string& name, MethodInfo info, RawMethod handler);
  /// Gets events of the transport's event_bindings. Without it they are rejected.
  void on_event(EventHandler handler);

  /// With a key the service can be asked in secret: `nuropb_describe` shows its public part as soon as a method requires
  /// encryption, requests and commands may come encrypted, and what came so is answered so. All instances of a service
  /// need the same key: PrivateKey::load_or_create.
  void use_key(PrivateKey key);

  /// Handles one message of the service queue on the transport's thread: runs the method, answers and acknowledges as
  /// the table in nuropb-wire.md says. Never throws.
  void handle(const Transport::Sender& sender, Incoming&& message);
  void handle(Transport& transport, Incoming&& message) { handle(transport.sender(), std::move(message)); }

  /// What `nuropb_describe` answers.
  [[nodiscard]] nlohmann::json describe() const;
  [[nodiscard]] const std::string& service_name() const { return service_name_; }
  /// What was refused before a handler saw it; the transport has counts of its own for what never got here.
  [[nodiscard]] const Refusals& refusals() const { return refusals_; }

 private:
  struct Entry {  // one of the three is set
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
