#include "meshd/mesh/unconfirmed.hpp"

#include <gtest/gtest.h>

#include <map>

namespace nuropb::mesh {
namespace {

class UnconfirmedTest : public ::testing::Test {
 protected:
  void publish(int n) {
    for (int i = 0; i < n; ++i) {
      Outgoing message;
      message.correlation_id = "c" + std::to_string(++published_);
      message.tag = static_cast<std::uint64_t>(published_);
      table_.published(std::move(message));
    }
  }
  int published_ = 0;
  std::map<std::string, std::vector<Report>> reports_;
  Unconfirmed table_{[this](Report&& r) { reports_[r.correlation_id].push_back(std::move(r)); }};
};

TEST_F(UnconfirmedTest, EachEndsOnceInAnyOrderOfConfirms) {
  publish(5);
  table_.confirmed(3, false);
  table_.confirmed(2, true);
  table_.confirmed(3, false);  // again
  table_.refused(5, false);
  table_.confirmed(5, true);
  ASSERT_EQ(reports_.size(), 5u);
  for (const auto& [id, all] : reports_) EXPECT_EQ(all.size(), 1u) << id;
  EXPECT_EQ(reports_["c5"][0].outcome, Outcome::refused);
  EXPECT_EQ(reports_["c4"][0].outcome, Outcome::confirmed);
  EXPECT_EQ(reports_["c4"][0].tag, 4u);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(UnconfirmedTest, AReturnedMessageIsNotDelivered) {
  publish(2);
  table_.returned("c1", "312 NO_ROUTE", "body");
  EXPECT_TRUE(reports_.empty()) << "the confirm follows";
  table_.confirmed(2, true);
  EXPECT_EQ(reports_["c1"][0].outcome, Outcome::not_delivered);
  EXPECT_EQ(reports_["c1"][0].returned_body, "body");
  EXPECT_EQ(reports_["c2"][0].outcome, Outcome::confirmed);
}

TEST_F(UnconfirmedTest, WithTheConnectionGoesTheKnowledge) {
  publish(3);
  table_.confirmed(1, false);
  table_.returned("c2", "312 NO_ROUTE", "");
  table_.lost("gone");
  EXPECT_EQ(reports_["c1"][0].outcome, Outcome::confirmed);
  EXPECT_EQ(reports_["c2"][0].outcome, Outcome::not_delivered);
  EXPECT_EQ(reports_["c3"][0].outcome, Outcome::unknown);
  publish(1);
  table_.confirmed(1, false);  // tags start again
  EXPECT_EQ(reports_["c4"][0].outcome, Outcome::confirmed);
}

TEST_F(UnconfirmedTest, FromTheCulpritOnNothingWasTaken) {
  publish(4);
  table_.returned("c4", "312 NO_ROUTE", "");
  table_.lost("too large", [](const Report& report) { return report.correlation_id == "c2"; });
  EXPECT_EQ(reports_["c1"][0].outcome, Outcome::confirmed) << "it was routed before";
  EXPECT_EQ(reports_["c2"][0].outcome, Outcome::refused);
  EXPECT_EQ(reports_["c3"][0].outcome, Outcome::refused);
  EXPECT_EQ(reports_["c4"][0].outcome, Outcome::not_delivered);
}

TEST_F(UnconfirmedTest, WhatWasKeptBehindTheCulpritComesBackToGoAgain) {
  for (const char* id : {"a", "b", "c", "d"}) {
    Outgoing message;
    message.correlation_id = id;
    message.body = std::string("body of ") + id;
    message.trace_id = std::string("trace of ") + id;
    table_.published(std::move(message), std::string(id) != "d");
  }
  table_.confirmed(1, false);
  const auto again = table_.lost("too large", [](const Report& report) { return report.correlation_id == "b"; });
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].correlation_id, "c");
  EXPECT_EQ(again[0].body, "body of c");
  EXPECT_EQ(again[0].trace_id, "trace of c");
  EXPECT_EQ(reports_["b"][0].outcome, Outcome::refused);
  EXPECT_EQ(reports_["b"][0].body_size, 9u);
  EXPECT_TRUE(reports_["c"].empty()) << "it has no outcome yet";
  EXPECT_EQ(reports_["d"][0].outcome, Outcome::refused) << "it was not kept";
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(UnconfirmedTest, ACommandBeforeTheCulpritIsUnknown) {
  Outgoing command;
  command.type = MessageType::command;
  command.correlation_id = "command";
  table_.published(std::move(command), true);
  publish(1);
  table_.lost("too large", [](const Report& report) { return report.correlation_id == "c1"; });
  EXPECT_EQ(reports_["command"][0].outcome, Outcome::unknown);
  EXPECT_EQ(reports_["c1"][0].outcome, Outcome::refused);
}

TEST_F(UnconfirmedTest, WithoutACulpritAllIsUnknown) {
  Outgoing message;
  message.correlation_id = "kept";
  table_.published(std::move(message), true);
  publish(1);
  EXPECT_TRUE(table_.lost("gone").empty());
  EXPECT_EQ(reports_["kept"][0].outcome, Outcome::unknown);
  EXPECT_EQ(reports_["c1"][0].outcome, Outcome::unknown);
}

TEST_F(UnconfirmedTest, CountsOnOverChannels) {
  publish(3);
  EXPECT_EQ(table_.published_ever(), 3u);
  EXPECT_EQ(table_.settled_ever(), 0u);
  table_.confirmed(2, false);
  EXPECT_EQ(table_.settled_ever(), 0u) << "the first has no outcome yet";
  table_.confirmed(1, false);
  EXPECT_EQ(table_.settled_ever(), 2u);
  table_.lost("gone");
  EXPECT_EQ(table_.settled_ever(), 3u);
  publish(1);
  EXPECT_EQ(table_.published_ever(), 4u);
  EXPECT_EQ(table_.settled_ever(), 3u);
}

TEST_F(UnconfirmedTest, TagsThatWereNeverGivenOutMeanNothingMore) {
  publish(2);
  table_.confirmed(99, false);
  EXPECT_TRUE(reports_.empty());
  table_.confirmed(99, true);
  EXPECT_EQ(reports_.size(), 2u);
  table_.confirmed(0, true);
  table_.confirmed(1, false);
  for (const auto& [id, all] : reports_) EXPECT_EQ(all.size(), 1u);
}

TEST_F(UnconfirmedTest, ReturnsOfStrangersDoNotPileUp) {
  publish(1);
  for (int i = 0; i < 1000; ++i) table_.returned("stranger" + std::to_string(i), "x", "y");
  table_.confirmed(1, false);
  EXPECT_EQ(reports_["c1"][0].outcome, Outcome::confirmed);
}

}  // namespace
}  // namespace nuropb::mesh
