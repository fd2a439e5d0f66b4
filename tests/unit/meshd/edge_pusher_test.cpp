#include "meshd/push/edge_pusher.hpp"

#include "common/close_codes.hpp"
#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

using records::Type;

class EdgePusherTest : public SessionsInMemory {
 protected:
  static std::string push(bool all, const std::vector<records::SessionRef>& sessions = {}) {
    std::string refs, out;
    for (const records::SessionRef& ref : sessions) records::SessionRefs::append(refs, ref);
    records::encode(records::Push{0, all, false, records::SessionRefs(refs), R"({"n":1})", HandlerKind::web_socket},
                    out);
    return out;
  }
  boost::asio::io_context io_;
  Timers timers_{io_, clock_};
  TapRecorder taps_{false, clock_, mailboxes_,
                    [this](const std::function<void(WorkerId, SessionTable&)>& work) { all_.each_table(work); }};
  EdgePusher pusher_{{io_, timers_, workers_, all_, sessions_, keeper_, mailboxes_, delivery_, taps_, faces_.all}};
};

TEST_F(EdgePusherTest, AnEdgeIsSentTheRecordAsItIs) {
  const std::string payload = push(true);
  pusher_.send(one, Type::push, payload);
  ASSERT_EQ(sent(), (std::vector{Type::push}));
  EXPECT_EQ(got_[0].payload, payload);
  EXPECT_EQ(workers_.turns, 1) << "or nothing would show it";
}

TEST_F(EdgePusherTest, AnEdgeThatIsGoneIsSentNothing) {
  pusher_.send({9, 9}, Type::push, push(true));
  EXPECT_EQ(workers_.turns, 0);
}

TEST_F(EdgePusherTest, ASessionWithAMailboxGetsItsMessageThere) {
  open(0);
  open(1);
  number_messages(1);
  (void)workers_.read(one);
  pusher_.send(numbered_worker, Type::push, push(true));
  ASSERT_EQ(sent(), (std::vector{Type::numbered}));
  EXPECT_EQ(session(1).mailbox->last(), 1u);
}

TEST_F(EdgePusherTest, TheTablesThatAreVisitedNameMailboxesOnlyIfThereAreAny) {
  std::vector<WorkerId> seen;
  const auto visit = [&](WorkerId worker, SessionTable&) { seen.push_back(worker); };
  pusher_.each(visit);
  EXPECT_EQ(seen, (std::vector{one}));
  open(0);
  number_messages(0);
  seen.clear();
  pusher_.each(visit);
  EXPECT_EQ(seen, (std::vector{one, numbered_worker}));
}

TEST_F(EdgePusherTest, ACountForAnOperationOfNoKindIsNotAccepted) {
  EXPECT_FALSE(pusher_.on_pushed(worker(), {12345, 1}));
}

}  // namespace
}  // namespace nuropb::meshd
