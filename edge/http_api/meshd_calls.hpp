#pragma once
// HTTP requests that meshd answers: of backends, and of the console. Each is sent as one record, and ends once: with meshd's
// answer, with its deadline, or with the loss of meshd. Guesses of keys and tokens are limited here for both.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.hpp"
#include "common/http/server.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/sessions/tick_timer.hpp"

namespace nuropb::edge {

class DrainController;
class GuessGuard;

class MeshdCalls {
 public:
  struct Call {
    milliseconds timeout;
    HttpServer::Respond respond;
    std::string host, secret;             ///< the address that has presented this key or token
    std::optional<HttpAnswer> mistake{};  ///< the answer, if meshd accepts the key: what else is wrong
  };

  MeshdCalls(RecordSender& sender, GuessGuard& guesses, const DrainController& drain, const Clock& clock,
             TickTimer& timer)
      : sender_(sender), guesses_(guesses), drain_(drain), clock_(clock), timer_(timer) {}

  /// The answer while the edge is stopping, or meshd takes no records. Nothing: a call can be sent. `not_ready`: the text for
  /// the second case.
  [[nodiscard]] std::optional<HttpAnswer> unavailable(std::string_view not_ready) const;
  /// The answer, if the key or token of the request may not be checked. `what` names it.
  [[nodiscard]] std::optional<HttpAnswer> refused_as_guess(const HttpServer::Request& request, std::string_view what);

  /// Moves from `call`, unless the ring has no room: then it returns false.
  template <class Record>
  [[nodiscard]] bool send(records::Type type, const Record& record, Call& call) {
    const auto sequence = sender_.send_new(type, record);
    if (!sequence) return false;
    const SteadyTime deadline = clock_.now() + call.timeout;
    calls_.emplace(*sequence, Pending{deadline, std::move(call)});
    timer_.arm();
    return true;
  }
  void on_answer(const shm::RecordHeader& header, const records::BackendAnswer& record);

  /// Ends all with this answer.
  void fail_all(int status, std::string_view raw_error);
  void expire(SteadyTime now);
  [[nodiscard]] bool empty() const { return calls_.empty(); }

 private:
  struct Pending {
    SteadyTime deadline;
    Call call;
  };

  RecordSender& sender_;
  GuessGuard& guesses_;
  const DrainController& drain_;
  const Clock& clock_;
  TickTimer& timer_;
  std::map<std::uint64_t, Pending> calls_;  // by sequence: in the order of their deadlines
};

}  // namespace nuropb::edge
