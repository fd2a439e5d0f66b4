// Start and stop: edges that attach and detach, the state of the broker, how meshd stops, and Snorky's services, which
// work with or without a broker.

#include <filesystem>
#include <fstream>

#include "tests/unit/meshd/meshd_fixture.hpp"

namespace nuropb::meshd {

using records::Type;
using ::testing::HasSubstr;

class MeshdLifecycle : public MeshdTest {
 protected:
  MeshdLifecycle() { write_policy("default = [\"request\", \"command\", \"event\", \"subscribe\", \"publish\"]\n"); }
};

TEST_F(MeshdLifecycle, EachEdgeHasASlotOfItsOwn) {
  start();
  FakeEdge& one = attach();
  FakeEdge& two = attach();
  ASSERT_TRUE(one.welcome && two.welcome);
  EXPECT_NE(one.welcome->slot, two.welcome->slot);
  EXPECT_EQ(one.broker(), shm::BrokerState::ready);
  one.die();
  settle();
  FakeEdge& three = attach();
  EXPECT_EQ(three.welcome->slot, one.welcome->slot);
  EXPECT_NE(three.welcome->generation, one.welcome->generation);
}

TEST_F(MeshdLifecycle, NoMoreEdgesAttachThanThereAreSlots) {
  config_.gateway.max_workers = 2;
  start();
  FakeEdge& one = attach();
  (void)attach();
  FakeEdge& three = attach();
  EXPECT_FALSE(three.welcome);
  EXPECT_THAT(three.refusal, HasSubstr("gateway.max_workers"));
  one.die();
  settle();
  EXPECT_TRUE(attach().welcome);
}

TEST_F(MeshdLifecycle, AnEdgeOfAnotherVersionIsRefused) {
  start();
  FakeEdge& edge = attach({}, shm::abi + 1);
  EXPECT_FALSE(edge.welcome);
  EXPECT_THAT(edge.refusal, HasSubstr("different versions"));
}

TEST_F(MeshdLifecycle, ATicketThatMeshdDidNotGiveBringsNoSlotBack) {
  start();
  FakeEdge& edge = attach("no ticket");
  ASSERT_TRUE(edge.welcome);
  FakeEdge& thief = attach(edge.welcome->ticket);
  ASSERT_TRUE(thief.welcome);
  EXPECT_NE(thief.welcome->slot, edge.welcome->slot) << "it is in use";
  EXPECT_FALSE(edge.detached());
}

TEST_F(MeshdLifecycle, AConnectionThatSaysNoHelloBecomesNoEdge) {
  start();
  EdgeProcess process(folder_ + "/meshd.sock");
  shm::UniqueFd connection = process.take_connection();
  ASSERT_EQ(::write(connection.get(), "rubbish", 7), 7);
  settle();
  EXPECT_EQ(operate("status")["workers"].size(), 0U);
  EXPECT_TRUE(logged("no hello on the control socket"));
  EXPECT_EQ(process.end(), SIGTERM) << "it is not killed for it";
}

TEST_F(MeshdLifecycle, AnEdgeThatLeavesIsDetachedAndNotKilled) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 1);
  edge.die();
  EXPECT_EQ(operate("sessions")["count"]["sessions"], 0);
  EXPECT_EQ(metric("nuropb_gateway_workers_killed_total"), 0);
  EXPECT_TRUE(logged("its control socket closed"));
}

TEST_F(MeshdLifecycle, TheStateOfTheBrokerIsToldToEachEdge) {
  start(false);
  FakeEdge& edge = attach();
  EXPECT_EQ(edge.broker(), shm::BrokerState::away);
  loop_->connect_broker();
  settle();
  EXPECT_EQ(edge.broker(), shm::BrokerState::ready);
  mesh().say(mesh::State::blocked);
  settle();
  EXPECT_EQ(edge.broker(), shm::BrokerState::blocked);
  EXPECT_EQ(attach().broker(), shm::BrokerState::blocked);
  mesh().say(mesh::State::away);
  settle();
  EXPECT_EQ(edge.broker(), shm::BrokerState::away);
}

TEST_F(MeshdLifecycle, ABrokerThatRefusesUsForGoodEndsMeshd) {
  start();
  FakeEdge& edge = attach();
  mesh().say(mesh::State::stopped, "another instance has our queue");
  settle();
  EXPECT_EQ(loop_->run(), 1);
  EXPECT_EQ(edge.broker(), shm::BrokerState::away);
  EXPECT_TRUE(logged("another instance has our queue"));
}

TEST_F(MeshdLifecycle, AMeshdThatStopsReportsTheOutcomeOfEachRequestItTook) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  mesh().holding = true;
  ann.command(1);
  settle();
  mesh().full = true;
  ann.command(2);
  settle();
  ann.command(3);  // not read any more: the next meshd does
  const std::uint64_t taken = edge.taken();
  EXPECT_EQ(stop(), 0);
  EXPECT_EQ(edge.taken(), taken);
  kill();
  EXPECT_EQ(ann.answer(2).outcome, RequestOutcome::refused) << "it was not sent";
  EXPECT_EQ(ann.answer(1).outcome, RequestOutcome::unknown) << "the broker had not confirmed it";
  EXPECT_TRUE(edge.quiet());
  EXPECT_EQ(edge.settled(), taken);
  EXPECT_LT(edge.settled(), edge.written());
}

TEST_F(MeshdLifecycle, AMeshdThatStopsPublishesWhatTheBrokerTakes) {
  config_.request.encryption = true;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  mesh().holding = true;
  ann.request(1);  // waits for the description of its service
  settle();
  EXPECT_EQ(stop(), 0);
  kill();
  const Answered answer = ann.answer(1);
  EXPECT_EQ(answer.outcome, RequestOutcome::refused);
  EXPECT_THAT(answer.error, HasSubstr("stopping"));
  EXPECT_EQ(edge.settled(), edge.written());
}

/// All state that lives longer than a turn of the loop exists when meshd is destroyed: sessions, resumable and detached
/// ones, pending requests, pushes, taps, connections to the admin socket, an edge that does not read. The sanitizers
/// check that.
TEST_F(MeshdLifecycle, MeshdCanEndAtAnyTime) {
  config_.admin.tap = true;
  config_.lines.enabled = true;
  config_.request.encryption = true;
  start();
  FakeEdge& edge = attach();
  FakeEdge& deaf = attach();
  std::vector<Client> clients;
  for (std::uint32_t i = 0; i < 4; ++i)
    clients.push_back(
        open(edge, i, "user " + std::to_string(i), i == 3 ? HandlerKind::lines : HandlerKind::web_socket));
  for (const std::size_t i : {0U, 1U}) {
    auto keep = clients[i].resume_record(records::Resume::What::keep);
    keep.trace_id = "\"k\"";
    keep.deadline_ms = deadline_ms();
    clients[i].resume(keep, 1);
    clients[i].subscribe(2, "a.b");
  }
  settle();
  clients[1].close(true);
  mesh().holding = true;
  clients[0].request(3);
  clients[2].request(3);
  clients[3].request(3);
  const auto tap = ask_admin("/tap", R"({"user_id":"user 2"})");
  const auto operation = ask_admin("/operations/send_to_all", R"({"message":1})");
  Client loud = present(deaf, 0, "loud");
  settle();
  mesh().holding = false;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    loud.request(i, params_of(15'000));
    settle();
  }
  EXPECT_EQ(operate("status")["sessions_waiting"], 1);
  authorizer_.waits = true;
  (void)present(edge, 9, "late");
  settle();
  clients[0].request(4);              // unread
  mesh().respond("no request", "1");  // not looked at yet
  kill();
  EXPECT_TRUE(edge.detached());
  ASSERT_EQ(authorizer_.waiting.size(), 1U);
}

TEST_F(MeshdLifecycle, FilesThatWereRemovedFromTheRuntimeFolderAreMadeAgain) {
  start();
  std::filesystem::remove(folder_ + "/secret");
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/secret"));
  EXPECT_TRUE(logged("they are recreated"));
}

TEST_F(MeshdLifecycle, SocketsThatWereRemovedAreMadeAgain) {
  makes_sockets_ = true;
  start();
  FakeEdge& before = attach();
  std::filesystem::remove(folder_ + "/meshd.sock");
  std::filesystem::remove(folder_ + "/admin.sock");
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(attach().welcome);
  EXPECT_FALSE(before.detached());
  EXPECT_EQ(operate("status")["workers"].size(), 2U);
}

TEST_F(MeshdLifecycle, AnEdgeThatConnectsWithoutEndIsKilled) {
  start();
  FakeEdge& edge = attach();
  FakeEdge& other = attach();
  edge.process().connect_again();
  EXPECT_TRUE(eventually([&] {
    pass(milliseconds(20));  // meshd pauses after some
    return logged("its process comes too often");
  }));
  EXPECT_TRUE(edge.killed());
  EXPECT_FALSE(other.detached());
  EXPECT_TRUE(attach().welcome);
}

TEST_F(MeshdLifecycle, TheLogFollowsARequestWhereItIsToSayAll) {
  log_level_ = log::Level::debug;
  config_.snorky.path = "/ws";
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  ann.request(1);
  EXPECT_EQ(ann.answer(1).error, "null");
  EXPECT_TRUE(logged("trace_id=t1"));
  ann.event(2, "a.b");
  EXPECT_EQ(ann.answer(2).error, "null");
  ann.subscribe(3, "a.b");
  EXPECT_EQ(ann.answer(3).error, "null");
  EXPECT_TRUE(logged("method=echo"));
  EXPECT_FALSE(logged("Authorisation"));
  edge.write(Type::snorky_call, records::SnorkyCall{0, ann.serial, false, "pubsub", "subscribe", "77", "{}", {}}, 4);
  (void)edge.next<records::SnorkyAnswer>(Type::snorky_answer);
  EXPECT_TRUE(logged("trace_id=77"));
}

TEST_F(MeshdLifecycle, AUserWhoIsIdleIsForgotten) {
  config_.limits.user.messages_per_s = 1;
  start();
  Client ann = open(attach(), 0);
  ann.request(1);
  (void)ann.answer(1);
  ann.close();
  pass(std::chrono::seconds(10));
  Client again = open(edges_.front(), 0);
  again.request(2);
  EXPECT_EQ(again.answer(2).error, "null") << "the limit is as if nothing had been";
}

// Snorky.

class MeshdSnorky : public MeshdLifecycle {
 protected:
  MeshdSnorky() {
    config_.snorky.path = "/ws";
    config_.snorky.anonymous = true;
    config_.backend.key_file = folder_ + "/keys.toml";
    write_keys("a-long-random-key");
  }
  void write_keys(const std::string& key) const {
    std::ofstream(config_.backend.key_file) << "[keys]\nshop = \"" << key << "\"\n";
    std::filesystem::permissions(config_.backend.key_file, std::filesystem::perms(0600));
  }
  static void call(Client& client, std::uint64_t sequence, std::string_view command, std::string_view params,
                   bool restoring = false) {
    client.edge.write(Type::snorky_call,
                      records::SnorkyCall{client.slot, client.serial, restoring, "pubsub", command, "1", params, {}},
                      sequence);
  }
  static std::string answered(Client& client, std::uint64_t sequence) {
    const auto got = client.edge.next<records::SnorkyAnswer>(Type::snorky_answer);
    EXPECT_EQ(got.header.sequence, sequence);
    EXPECT_EQ(got->session, client.slot);
    return std::string(got->text);
  }
  static std::pair<int, std::string> backend(FakeEdge& edge, std::string_view key, std::string_view params) {
    edge.write(Type::backend_call, records::BackendCall{key, "pubsub_backend", "publish", "7", params}, 90);
    const auto got = edge.next<records::BackendAnswer>(Type::backend_answer);
    EXPECT_EQ(got.header.sequence, 90U);
    return {got->status, std::string(got->text)};
  }
};

TEST_F(MeshdSnorky, ClientsSubscribeToChannelsAndBackendsPublishToThem) {
  start(false);
  FakeEdge& edge = attach();
  Client anonymous = present(edge, 0, "", records::CredentialKind::none);
  accepted(anonymous);
  EXPECT_EQ(anonymous.user, "");
  call(anonymous, 1, "subscribe", R"({"channel":"news"})");
  EXPECT_THAT(answered(anonymous, 1), HasSubstr(R"("response")"));
  FakeEdge& other = attach();
  const auto [status, text] = backend(other, "a-long-random-key", R"({"channel":"news","message":42})");
  EXPECT_EQ(status, 200) << text;
}

TEST_F(MeshdSnorky, AMessageOnAChannelIsPushedToItsSubscribers) {
  start();
  FakeEdge& edge = attach();
  FakeEdge& other = attach();
  Client ann = open(edge, 0);
  call(ann, 1, "subscribe", R"({"channel":"news"})");
  (void)answered(ann, 1);
  EXPECT_EQ(backend(other, "a-long-random-key", R"({"channel":"news","message":42})").first, 200);
  const auto push = edge.next<records::Push>(Type::push);
  EXPECT_TRUE(push->whole_frame);
  EXPECT_EQ(push->op, 0U) << "the edge has to report no count";
  EXPECT_THAT(std::string(push->text), HasSubstr("42"));
  ann.close();
  settle();
  EXPECT_EQ(backend(other, "a-long-random-key", R"({"channel":"news","message":43})").first, 200);
  EXPECT_TRUE(edge.quiet());
}

TEST_F(MeshdSnorky, ABackendWithAnotherKeyIsRefusedUntilItIsLoaded) {
  start();
  FakeEdge& edge = attach();
  EXPECT_EQ(backend(edge, "another-random-key", R"({"channel":"news","message":1})").first, 401);
  write_keys("another-random-key");
  (void)operate("reload");
  EXPECT_EQ(backend(edge, "another-random-key", R"({"channel":"news","message":1})").first, 200);
  EXPECT_EQ(backend(edge, "a-long-random-key", R"({"channel":"news","message":1})").first, 401);
}

TEST_F(MeshdSnorky, CallsCountForTheUsersRate) {
  config_.limits.user.messages_per_s = 1;
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  call(ann, 1, "subscribe", R"({"channel":"a"})");
  EXPECT_THAT(answered(ann, 1), HasSubstr(R"("response")"));
  call(ann, 2, "subscribe", R"({"channel":"b"})");
  EXPECT_THAT(answered(ann, 2), HasSubstr("limits.user_messages_per_s"));
}

TEST_F(MeshdSnorky, AnonymousClientsMayUseNothingOfTheMesh) {
  start();
  Client anonymous = present(attach(), 0, "", records::CredentialKind::none);
  accepted(anonymous);
  anonymous.request(1);
  EXPECT_EQ(anonymous.answer(1).name(), error_name::authorization);
  EXPECT_TRUE(mesh().published.empty());
}

TEST_F(MeshdSnorky, TextsThatAreNotJsonKillTheEdge) {
  start();
  FakeEdge& edge = attach();
  Client ann = open(edge, 0);
  call(ann, 1, "subscribe", "{");
  EXPECT_TRUE(edge.killed());
  FakeEdge& other = attach();
  other.write(Type::backend_call, records::BackendCall{"a-long-random-key", "pubsub_backend", "publish", "7", "{"}, 1);
  EXPECT_TRUE(other.killed());
}

}  // namespace nuropb::meshd
