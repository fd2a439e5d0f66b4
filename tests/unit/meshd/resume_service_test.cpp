#include "meshd/resume/resume_service.hpp"

#include <gmock/gmock.h>

#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

using records::Type;
using What = records::Resume::What;
using ::testing::HasSubstr;

class ResumeServiceTest : public SessionsInMemory {
 protected:
  ResumeServiceTest() { config_.resume.enabled = true; }
  records::Resume record(What what, std::uint32_t slot = 0) {
    records::Resume out;
    out.what = what;
    out.session = slot;
    out.serial = session(slot).serial;
    out.trace_id = "\"t\"";
    out.deadline_ms = to_ring_ms(clock_.now() + milliseconds(500));
    return out;
  }
  RecordResult handle(const records::Resume& what, std::uint64_t sequence) {
    return resume_.handle(worker(), what, session(what.session), from(sequence, what.session), 100);
  }

  boost::asio::io_context io_;
  Timers timers_{io_, clock_};
  DetachedSessions detached_sessions_{config_.resume, clock_, mailboxes_, sessions_, [] {}};
  ResumeService resume_{{config_, clock_, timers_, tickets_, RequestDeadline(clock_, milliseconds(60'000)), mailboxes_,
                         delivery_, detached_sessions_, sessions_, subscriptions_, faces_.all, workers_, responses_}};
};

TEST_F(ResumeServiceTest, AClientAsksForItsMessagesToBeNumbered) {
  open();
  EXPECT_TRUE(handle(record(What::keep), 1).is_handled());
  ASSERT_NE(session().mailbox, nullptr);
  EXPECT_EQ(sent(), (std::vector{Type::resumed})) << "its edge is told first";
  EXPECT_THAT(std::string(responses_.last().result), HasSubstr(session().id.hex()));
}

TEST_F(ResumeServiceTest, NothingIsKeptWhereItIsOff) {
  config_.resume.enabled = false;
  open();
  EXPECT_TRUE(handle(record(What::keep), 1).is_handled());
  EXPECT_EQ(session().mailbox, nullptr);
  EXPECT_THAT(std::string(responses_.last().error), HasSubstr("resume.enabled"));
}

TEST_F(ResumeServiceTest, ATokenThatWasNotGivenResumesNothing) {
  open();
  records::Resume asked = record(What::resume);
  asked.token = "made up";
  EXPECT_TRUE(handle(asked, 1).is_handled());
  EXPECT_THAT(std::string(responses_.last().error), HasSubstr("unknown"));
  EXPECT_EQ(resume_.counters().failed, 1u);
}

TEST_F(ResumeServiceTest, ASessionThatWaitsIsResumedByAnotherSocket) {
  const SessionId id = open(0).id;
  EXPECT_TRUE(handle(record(What::keep, 0), 1).is_handled());
  ASSERT_TRUE(detached_sessions_.keep(one, worker().sessions(), 0, 1001));
  open(1);
  records::Resume asked = record(What::resume, 1);
  const std::string token = tickets_.seal_resume({id, 0});
  asked.token = token;
  EXPECT_TRUE(handle(asked, 2).is_handled());
  EXPECT_EQ(resume_.counters().resumed, 1u);
  EXPECT_EQ(session(1).id, id);
  EXPECT_EQ(detached_sessions_.table().open(), 0u);
}

TEST_F(ResumeServiceTest, ARequestWithoutAResponseTimesOut) {
  open();
  number_messages();
  ASSERT_TRUE(delivery_.await(session(), Type::request, from(5), "\"t\"", clock_.now() + milliseconds(100)));
  resume_.arm_timer();
  ASSERT_NE(timers_.next(), SteadyTime::max());
  clock_.advance(milliseconds(100));
  timers_.run_due();
  EXPECT_FALSE(delivery_.awaits(from(5)));
  EXPECT_EQ(sent(), (std::vector{Type::numbered}));
  EXPECT_EQ(workers_.flushes, 1);
}

TEST_F(ResumeServiceTest, WhatAnHonestEdgeDoesNotSayIsAViolation) {
  open();
  EXPECT_TRUE(handle(record(What::say), 1).is_violation()) << "its messages are not numbered";
  records::Resume bad = record(What::seen);
  bad.trace_id = "no JSON";
  EXPECT_TRUE(handle(bad, 2).is_violation());
}

}  // namespace
}  // namespace nuropb::meshd
