#pragma once
// How server-initiated operations (pushes.hpp) reach the sessions of this gateway: as records to edges, and for sessions whose
// messages are numbered by what edges do for the others. Owner thread: the event loop.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "meshd/faces.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/pushes.hpp"
#include "meshd/resume/mailbox_delivery.hpp"
#include "meshd/sessions/all_sessions.hpp"
#include "meshd/sessions/session_keeper.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/tap_recorder.hpp"
#include "meshd/timers.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class EdgePusher final : public Pushes::Edges {
 public:
  struct Parts {
    boost::asio::io_context& io;
    Timers& timers;
    WorkerPort& workers;
    const AllSessions& all;
    SessionManager& sessions;
    SessionKeeper& keeper;
    Mailboxes& mailboxes;
    MailboxDelivery& delivery;
    TapRecorder& taps;
    const Faces& faces;
  };
  explicit EdgePusher(const Parts& parts);

  void each(const std::function<void(WorkerId, SessionTable&)>& work) override { all_.each_table(work); }
  void send(WorkerId worker, records::Type type, std::string payload) override;
  void tick_soon() override;

  /// What an edge says it did. False: it was not asked for that.
  [[nodiscard]] bool on_pushed(Worker& worker, const records::Pushed& record);

 private:
  struct Done {
    HandlerKind kind{};
    std::uint64_t op = 0;
    std::uint32_t taken = 0;
  };
  void to_mailboxes(records::Type type, const std::string& payload);
  Done push(const records::Push& record);
  Done close(const records::CloseSessions& record);
  template <class Record, class Work>
  void each_named(const Record& record, Work&& work);

  boost::asio::io_context& io_;
  Timers::Timer timer_;
  WorkerPort& workers_;
  const AllSessions& all_;
  SessionManager& sessions_;
  SessionKeeper& keeper_;
  Mailboxes& mailboxes_;
  MailboxDelivery& delivery_;
  TapRecorder& taps_;
  const Faces& faces_;
};

}  // namespace nuropb::meshd
