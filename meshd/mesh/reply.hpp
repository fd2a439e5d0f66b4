#pragma once
// Ends a message of the service queue with at most one response and one acknowledgement (nuropb-wire.md section 1,
// "What a participant does with a message").
//
//   outcome       request answered with      acknowledgement                events kept by the call
//   success       its result                 ack                            published
//   error         the error                  reject, to the dead letters    dropped
//   call_again    nothing                    requeue; if it was redelivered already, error NuropbCallAgainReject
//
// The response is published before the acknowledgement: if the service dies in between, the message is delivered again.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "meshd/mesh/call.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Answers one call; a second answer is ignored. Movable, usable from any thread, also after the transport has been
/// destroyed. Destroying it unanswered ends the call with NuropbHandlingError.
class Reply {
 public:
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();
  void result(const nlohmann::json& value);
  /// The same with valid JSON text.
  void raw_result(std::string_view json);
  void success(Success success);
  void error(std::string_view name, std::string_view description);
  void call_again(std::string_view why);

 private:
  friend class ServiceHost;
  struct State;
  explicit Reply(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Everything needed to end one message. Filled in by ServiceHost.
struct Reply::State {
  Transport::Sender sender;
  MessageType type;
  std::string correlation_id, reply_to, trace_id;
  Delivery delivery;
  bool redelivered;
  std::string name{};          ///< the method's, or the event's topic
  std::string context = "{}";  ///< raw JSON
  /// Encrypts the response for the requester; empty if the message was not encrypted.
  std::function<Result<std::string>(std::string_view)> seal{};
  /// Created only if the handler may use it.
  std::shared_ptr<KeptEvents> events{};

  void succeed(std::string_view result, std::vector<NewEvent> more);
  void fail(std::string_view error_name, std::string_view description);
  void put_back(std::string_view why);

 private:
  enum class Then { ack, reject };
  void add_answer(std::vector<Outgoing>& out, std::string_view result, std::string_view error) const;
  void add_event(std::vector<Outgoing>& out, const NewEvent& event) const;
  static void send(const Transport::Sender& sender, std::vector<Outgoing>&& messages, Delivery delivery, Then then);
};

}  // namespace nuropb::mesh
