#pragma once
// Which of the traffic operators who watch are shown (taps.hpp): requests of clients and their answers, messages pushed to
// them, and events. Everything else asks watching() first, so that it costs one branch where no operator watches.
//
//   asked()  before limits and policy, so that what they refuse is shown, too
//   answered(), pushed(), event()  what a client is told
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
  /// Calls `work` with each table of sessions: those of the workers, and the one of the sessions that wait for their clients.
  using EachTable = std::function<void(const std::function<void(WorkerId, SessionTable&)>& work)>;
  /// `allowed`: admin.tap.
  TapRecorder(bool allowed, const Clock& clock, const Mailboxes& mailboxes, EachTable each_table)
      : allowed_(allowed), clock_(clock), mailboxes_(mailboxes), each_table_(std::move(each_table)) {}

  [[nodiscard]] bool watching() const { return taps_.watching(); }
  /// A tap from now on, of the user or the session that the JSON in `body` names. Returns the refusal, if it is refused.
  std::optional<AdminSocket::Answer> start(const std::string& body, std::shared_ptr<Taps::Reader> reader);
  /// Ends the taps whose readers have left. Now and then.
  void forget_gone();

  /// What a client asks; `from` is where its answer goes.
  void asked(records::Type type, const records::Request& record, const Session& session, const ReturnAddress& from);
  void asked(records::Type type, const records::Event& record, const Session& session, const ReturnAddress& from);
  void asked(records::Type type, const records::Subscription& record, const Session& session,
             const ReturnAddress& from);
  void asked(records::Type type, const records::Authorize& record, const Session& session, const ReturnAddress& from);
  void answered(const Returned& returned);
  /// A records::Push for a worker, as it is sent: for those of its sessions that it names.
  void pushed(WorkerId worker, const std::string& payload);
  void pushed(const Session& session, std::string_view text);
  /// A records::MeshEvent, for all sessions of the kind that have subscribed to it and that it is for.
  void event(HandlerKind kind, const std::string& topic, const std::string& payload);

 private:
  const bool allowed_;
  const Clock& clock_;
  const Mailboxes& mailboxes_;
  EachTable each_table_;
  Taps taps_;
};

}  // namespace nuropb::meshd
