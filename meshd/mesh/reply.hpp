#pragma once
// How a message of the service queue ends: with at most one answer and one acknowledgement (nuropb-wire.md section 1,
// "What a participant does with a message").
//
//   outcome       request answered with      acknowledgement                events kept by the call
//   success       its result                 ack                            published
//   error         the error                  reject, to the dead letters    dropped
//   call_again    nothing                    requeue; if it was redelivered already, error NuropbCallAgainReject
//
// The answer goes out before the acknowledgement: a service that dies in between gets the message again.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "meshd/mesh/call.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Answers one call, once; a second answer is ignored. Movable, usable from any thread, also when the transport is gone.
/// Dropping it unanswered ends the call with NuropbHandlingError.
class Reply {
 public:
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();
  void result(const nlohmann::json& value);
  /// The same with JSON text that is valid already.
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

/// What has to be known to end one message. Filled in by ServiceHost.
struct Reply::State {
  Transport::Sender sender;
  MessageType type;
  std::string correlation_id, reply_to, trace_id;
  Delivery delivery;
  bool redelivered;
  std::string name{};          ///< the method's, or the event's topic
  std::string context = "{}";  ///< raw JSON
  /// Encrypts an answer for whoever asked; empty for a message that came in the clear.
  std::function<Result<std::string>(std::string_view)> seal{};
  std::shared_ptr<KeptEvents> events{};  ///< made where a handler may use it

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
