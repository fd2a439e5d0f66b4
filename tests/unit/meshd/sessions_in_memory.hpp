#pragma once
// Sessions of one worker with everything below them, for tests of the classes that use sessions: no rings are read, no mesh answers
// unless the test says so.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "meshd/resume/mailbox_delivery.hpp"
#include "meshd/sessions/all_sessions.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/sessions/subscription_manager.hpp"
#include "meshd/sessions/user_quotas.hpp"
#include "tests/unit/meshd/faces_in_memory.hpp"
#include "tests/unit/meshd/fake_workers.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {

/// Keeps no session, or all that it is asked about.
class FakeKeeper final : public SessionKeeper {
 public:
  explicit FakeKeeper(SessionTable& detached) : detached_(detached) {}
  bool keep(WorkerId, SessionTable& table, std::uint32_t slot, std::uint16_t code) override {
    asked.push_back(code);
    if (!keeps) return false;
    auto session = table.release(slot);
    session->indexed.slot = 0;
    detached_.adopt(0, std::move(session));
    return true;
  }
  void drop(Session& session, std::string_view reason) override {
    dropped.emplace_back(reason);
    detached_.close(session);
  }
  bool keeps = false;
  std::vector<std::uint16_t> asked;
  std::vector<std::string> dropped;

 private:
  SessionTable& detached_;
};

class SessionsInMemory : public ::testing::Test {
 protected:
  SessionsInMemory() {
    authorizer_.at_once = Verdict::accept(user("ann"));
    workers_.add(one);
  }
  static Identity user(const std::string& name) {
    Identity out;
    out.user_id = name;
    out.token = name;
    return out;
  }
  Worker& worker() { return *workers_.find(one); }
  Session& session(std::uint32_t slot = 0) { return *worker().sessions().find(slot); }
  /// Presents a session with a token.
  Session& present(std::uint32_t slot = 0, HandlerKind kind = HandlerKind::web_socket) {
    id_ = SessionId::random();
    sessions_.open(worker(), {slot, ++serial_, id_, records::CredentialKind::header, "a token", "203.0.113.9", kind},
                   session(slot));
    return session(slot);
  }
  /// The same, and it is accepted.
  Session& open(std::uint32_t slot = 0) {
    Session& out = present(slot);
    if (out.state != SessionState::open) throw std::runtime_error("the session is not open");
    (void)workers_.read(one);
    return out;
  }
  ReturnAddress from(std::uint64_t sequence, std::uint32_t slot = 0) {
    return faces_.all.of(session(slot)).address(one, slot, sequence);
  }
  /// Types of the records that the edge is sent.
  std::vector<records::Type> sent() {
    got_ = workers_.read(one);
    std::vector<records::Type> out;
    for (const auto& got : got_) out.push_back(got.type);
    return out;
  }
  void subscribe(std::string_view topic, std::uint64_t sequence, std::uint32_t slot = 0) {
    subscriptions_.subscribe({slot, session(slot).serial, topic, 0, "\"t\"", {}}, session(slot), from(sequence, slot));
  }
  void number_messages(std::uint32_t slot = 0) {
    session(slot).mailbox = std::make_unique<Mailbox>(mailboxes_, session(slot), 0);
    mailboxes_.move(*session(slot).mailbox, Mailbox::Place{one, slot});
  }

  static constexpr WorkerId one{1, 7};
  static Config plain() {
    Config out;
    out.request.encryption = false;
    return out;
  }
  static Policy allows_all() {
    auto made = Policy::parse("default = [\"request\", \"command\", \"event\", \"subscribe\"]", "test");
    if (!made) throw std::runtime_error(made.error().text());
    return std::move(*made);
  }
  Config config_ = plain();
  ManualClock clock_;
  UserQuotas quotas_{config_, clock_};
  Mailboxes mailboxes_{{1U << 20, 1U << 20}};
  SessionTable detached_{UINT32_MAX};
  FakeWorkers workers_;
  FacesInMemory faces_{config_, clock_};
  AllSessions all_{workers_, detached_, mailboxes_};
  KeptResponses responses_;
  FakeKeeper keeper_{detached_};
  FakeAuthorizer authorizer_{"fake"};
  SealedTickets tickets_{SealedTickets::Secret{}};
  MailboxDelivery delivery_{mailboxes_, workers_, faces_.all, [] {}};
  SubscriptionManager subscriptions_{config_.events, clock_, faces_.all, quotas_, all_, delivery_, responses_};
  std::vector<std::uint32_t> sockets_gone_;  // serials
  SessionManager sessions_{
      {config_, clock_, workers_, faces_.all, all_, quotas_, subscriptions_, delivery_, keeper_, responses_,
       authorizer_, tickets_, allows_all(), false,
       [this](WorkerId, std::uint32_t, std::uint32_t serial) { sockets_gone_.push_back(serial); }}};
  std::vector<FakeWorker::Got> got_;
  SessionId id_{};

 private:
  std::uint32_t serial_ = 0;
};

}  // namespace nuropb::meshd
