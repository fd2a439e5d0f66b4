#include "meshd/routing/response_router.hpp"

#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

using records::Type;

class ResponseRouterTest : public SessionsInMemory {
 protected:
  static Returned response(const ReturnAddress& to) { return done(to, "7"); }
  mesh::Report report(mesh::Outcome outcome, const ReturnAddress& to) {
    mesh::Report out{};
    out.outcome = outcome;
    out.type = MessageType::command;
    out.correlation_id = faces_.all.web().addresses.seal(to);
    return out;
  }
  BatchTimes times_;
  RequestTracing tracing_{config_.tracing, nullptr, times_, RequestDeadline(clock_, milliseconds(1000))};
  TapRecorder taps_{false, clock_, mailboxes_,
                    [this](const std::function<void(WorkerId, SessionTable&)>& work) { all_.each_table(work); }};
  EarlyResponses early_{clock_};
  ResponseRouter router_{{faces_.all, workers_, quotas_, tracing_, taps_, delivery_, early_, nullptr}};
};

TEST_F(ResponseRouterTest, AResponseGoesToTheWorkerThatAsked) {
  open();
  router_.respond(response(from(5)));
  ASSERT_EQ(sent(), (std::vector{Type::response}));
  EXPECT_EQ(got_[0].sequence, 5u);
  EXPECT_TRUE(worker().loop.dirty) << "or it would not be flushed";
}

TEST_F(ResponseRouterTest, AResponseForAnEdgeThatHasNotComeYetIsHeldUntilItComes) {
  open();
  ReturnAddress to = from(5);
  to.generation = 8;
  router_.deliver(response(to), mesh::Delivery{0, 0, 1});
  EXPECT_GT(early_.bytes(), 0u);
  workers_.add({1, 8});
  router_.release_early({1, 8});
  EXPECT_EQ(workers_.read({1, 8}).size(), 1u);
}

TEST_F(ResponseRouterTest, AResponseOfOurOwnIsNotHeld) {
  open();
  ReturnAddress to = from(5);
  to.generation = 8;
  router_.respond(response(to));
  EXPECT_EQ(early_.bytes(), 0u);
}

TEST_F(ResponseRouterTest, AResponseToANumberedSessionGoesIntoItsMailbox) {
  open();
  number_messages();
  ASSERT_TRUE(delivery_.await(session(), Type::request, from(5), "\"t\"", clock_.now() + milliseconds(5)));
  router_.deliver(response(from(5)), mesh::Delivery{0, 0, 1});
  EXPECT_EQ(sent(), (std::vector{Type::numbered}));
}

TEST_F(ResponseRouterTest, WhatTheBrokerConfirmedIsSettledAndCounted) {
  open();
  FakeWorker* const edge = &workers_.add({2, 1});
  edge->write(Type::close_session, records::CloseSession{1, 2});
  shm::RecordHeader header;
  std::string payload;
  ASSERT_EQ(edge->worker().next(header, payload), Worker::Next::record);
  auto confirmed = report(mesh::Outcome::confirmed, faces_.all.web().address({2, 1}, 0, 5));
  confirmed.tag = edge->worker().begin_work();
  edge->worker().flush();
  const auto before = edge->segments().settled();
  router_.report(faces_.all.web(), std::move(confirmed), clock_.now());
  edge->worker().flush();
  EXPECT_GT(edge->segments().settled(), before);
  EXPECT_EQ(router_.reports()[static_cast<std::size_t>(mesh::Outcome::confirmed)], 1u);
  const auto got = edge->read();
  ASSERT_EQ(got.size(), 1u) << "a command has no other response";
  EXPECT_EQ(got[0].type, Type::response);
}

}  // namespace
}  // namespace nuropb::meshd
