#pragma once
// Selects the traffic that taps show (taps.hpp): requests of clients with their responses, messages pushed to them, and
// events. Callers check watching() first, so that it costs one branch while no operator watches.
//
//   asked()  before limits and policy, so that what they refuse is shown, too
//   answered(), pushed(), event()  messages to a client
//
// Owner thread: the ring loop.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/records.hpp"
#include "meshd/admin_socket.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/session_table.hpp"
#include "meshd/taps.hpp"
#include "meshd/translate.hpp"

namespace nuropb::meshd {

class TapRecorder {
 public:
  /// Calls `work` with each table of sessions: those of the workers, and the one of detached sessions.
  using EachTable = std::function<void(const std::function<void(WorkerId, SessionTable&)>& work)>;
  /// `allowed`: admin.tap.
  TapRecorder(bool allowed, const Clock& clock, const Mailboxes& mailboxes, EachTable each_table)
      : allowed_(allowed), clock_(clock), mailboxes_(mailboxes), each_table_(std::move(each_table)) {}

  [[nodiscard]] bool watching() const { return taps_.watching(); }
  /// Starts a tap of the user or the session that the JSON in `body` names. Returns the error if it is refused.
  std::optional<AdminSocket::Answer> start(const std::string& body, std::shared_ptr<Taps::Reader> reader);
  /// To be called regularly: removes the taps whose readers have left.
  void forget_gone();

  /// A client's request; `from` is the address of its response.
  void asked(records::Type type, const records::Request& record, const Session& session, const ReturnAddress& from);
  void asked(records::Type type, const records::Event& record, const Session& session, const ReturnAddress& from);
  void asked(records::Type type, const records::Subscription& record, const Session& session,
             const ReturnAddress& from);
  void asked(records::Type type, const records::Authorize& record, const Session& session, const ReturnAddress& from);
  void answered(const Returned& returned);
  /// A records::Push to a worker, for those of its sessions that it names.
  void pushed(WorkerId worker, const std::string& payload);
  void pushed(const Session& session, std::string_view text);
  /// A records::MeshEvent, for all sessions of the kind that are subscribed to it and that it is addressed to.
  void event(HandlerKind kind, const std::string& topic, const std::string& payload);

 private:
  const bool allowed_;
  const Clock& clock_;
  const Mailboxes& mailboxes_;
  EachTable each_table_;
  Taps taps_;
};

}  // namespace nuropb::meshd
