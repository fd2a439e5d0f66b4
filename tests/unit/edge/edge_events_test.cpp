// A whole edge: commands, events, descriptions and subscriptions.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

// Other verbs and events

std::string say(std::string_view type, std::string_view payload) {
  return R"({"type":")" + std::string(type) + R"(","payload":{)" + std::string(payload) + "}}";
}

TEST_F(EdgeTest, EveryVerbHasItsRecordAndItsAnswer) {
  start_attached();
  const auto consumer = connect();
  const auto answered = [&](const shm::RecordHeader& header, std::uint32_t session, std::string_view trace_id) {
    meshd_->send(Type::response, records::Response{session, "null", "null"}, header.sequence);
    const auto answer = json::parse(consumer->read_text());
    EXPECT_EQ(answer["type"], "response");
    EXPECT_EQ(answer["payload"]["trace_id"], trace_id);
    EXPECT_EQ(answer["payload"]["error"], nullptr);
  };
  consumer->send(say("command", R"("service":"s","method":"m","params":[1],"trace_id":"c")"));
  const auto [command_header, command] = meshd_->next<records::Request>(Type::command);
  EXPECT_EQ(command.params, "[1]");
  answered(command_header, command.session, "c");

  consumer->send(say("describe", R"("service":"s","trace_id":"d")"));
  const auto [describe_header, describe] = meshd_->next<records::Request>(Type::describe);
  EXPECT_EQ(describe.service, "s");
  EXPECT_EQ(describe.method, "");
  answered(describe_header, describe.session, "d");

  consumer->send(say("event", R"("topic":"a.b","event":{"x":1},"target":["bob"],"trace_id":"e")"));
  const auto [event_header, event] = meshd_->next<records::Event>(Type::event);
  EXPECT_EQ(event.topic, "a.b");
  EXPECT_EQ(event.event, R"({"x":1})");
  EXPECT_EQ(event.target, R"(["bob"])");
  answered(event_header, event.session, "e");
}

TEST_F(EdgeTest, EventsGoToThoseWhoSubscribedAndAreMeant) {
  start_attached();
  const auto ann = connect();
  records::OpenSession asked;
  const auto other = connect(&asked);
  const auto subscribe = [&](Consumer& consumer, std::string_view topic) {
    consumer.send(say("subscribe", R"("trace_id":"s","topic":")" + std::string(topic) + "\""));
    const auto [header, record] = meshd_->next<records::Subscription>(Type::subscribe);
    EXPECT_EQ(record.topic, topic);
    meshd_->send(Type::response, records::Response{record.session, "null", "null"}, header.sequence);
    EXPECT_THAT(consumer.read_text(), HasSubstr("\"error\":null"));
    return record;
  };
  const auto publish = [&](std::string_view topic, std::string_view target = "null") {
    meshd_->send(Type::mesh_event, records::MeshEvent{topic, "1", "", target});
  };
  subscribe(*ann, "news.#");
  const auto second = subscribe(*ann, "news.sport");
  subscribe(*other, "news.*");
  publish("news.sport");
  EXPECT_EQ(ann->read_text(), R"({"type":"event","payload":{"topic":"news.sport","event":1}})")
      << "once, by two patterns";
  EXPECT_THAT(other->read_text(), HasSubstr("news.sport"));
  publish("news");
  EXPECT_THAT(ann->read_text(), HasSubstr("\"news\""));
  publish("weather");
  publish("news.a", R"(["another"])");
  publish("news.b", R"(["user 1",7])");
  EXPECT_THAT(ann->read_text(), HasSubstr("news.b")) << "what came before was for others";
  EXPECT_THAT(other->read_text(), HasSubstr("news.b")) << "another socket of the same user";

  meshd_->send(Type::subscription_ended,
               records::SubscriptionEnded{second.session, second.serial, "news.#",
                                          R"({"error":"NuropbAuthorizationError","description":"d"})"});
  EXPECT_THAT(ann->read_text(), HasSubstr("NuropbAuthorizationError"));
  ann->send(say("unsubscribe", R"("topic":"news.sport","trace_id":"u")"));
  const auto [header, record] = meshd_->next<records::Subscription>(Type::unsubscribe);
  meshd_->send(Type::response, records::Response{record.session, "null", "null"}, header.sequence);
  EXPECT_THAT(ann->read_text(), HasSubstr("\"u\""));
  publish("news.sport");
  EXPECT_THAT(other->read_text(), HasSubstr("news.sport"));
  EXPECT_TRUE(ann->silent());
}

TEST_F(EdgeTest, ARefusedSubscriptionIsNone) {
  start_attached();
  const auto consumer = connect();
  consumer->send(say("subscribe", R"("topic":"a","trace_id":"s")"));
  const auto [header, record] = meshd_->next<records::Subscription>(Type::subscribe);
  meshd_->send(Type::response,
               records::Response{record.session, "null", R"({"error":"NuropbAuthorizationError","description":"d"})"},
               header.sequence);
  EXPECT_THAT(consumer->read_text(), HasSubstr("NuropbAuthorizationError"));
  meshd_->send(Type::mesh_event, records::MeshEvent{"a", "1", "", "null"});
  EXPECT_TRUE(consumer->silent());
}

TEST_F(EdgeTest, UnsubscribedBeforeItWasSubscribed) {
  start_attached();
  const auto consumer = connect();
  consumer->send(say("subscribe", R"("topic":"a","trace_id":"s")"));
  consumer->send(say("unsubscribe", R"("topic":"a","trace_id":"u")"));
  const auto [first, subscription] = meshd_->next<records::Subscription>(Type::subscribe);
  const std::uint32_t session = subscription.session;
  const auto second = meshd_->next<records::Subscription>(Type::unsubscribe).first;
  for (const auto sequence : {first.sequence, second.sequence})
    meshd_->send(Type::response, records::Response{session, "null", "null"}, sequence);
  EXPECT_THAT(consumer->read_text(), HasSubstr("\"s\""));
  EXPECT_THAT(consumer->read_text(), HasSubstr("\"u\""));
  meshd_->send(Type::mesh_event, records::MeshEvent{"a", "1", "", "null"});
  EXPECT_TRUE(consumer->silent());
}

TEST_F(EdgeTest, ANewMeshdIsToldOfEverySubscription) {
  start_attached();
  const auto consumer = connect();
  std::vector<std::string> topics{"a", "b.#"};
  for (const auto& topic : topics) {
    consumer->send(say("subscribe", R"("topic":")" + topic + R"(","trace_id":"s")"));
    const auto [header, record] = meshd_->next<records::Subscription>(Type::subscribe);
    meshd_->send(Type::response, records::Response{record.session, "null", "null"}, header.sequence);
    consumer->read_text();
  }
  meshd_ = nullptr;
  meshd_ = std::make_unique<RingSide>(path());
  meshd_->welcome();
  const auto again = meshd_->open();
  EXPECT_EQ(again.kind, CredentialKind::ticket);
  meshd_->accept(again);
  std::vector<std::string> told;
  std::vector<std::uint64_t> sequences;
  for (int i = 0; i < 2; ++i) {
    const auto [header, record] = meshd_->next<records::Subscription>(Type::subscribe);
    told.emplace_back(record.topic);
    sequences.push_back(header.sequence);
  }
  EXPECT_EQ(told, topics);
  meshd_->send(Type::response, records::Response{again.session, "null", "null"}, sequences[0]);
  meshd_->send(
      Type::response,
      records::Response{again.session, "null", R"({"error":"NuropbAuthorizationError","description":"no longer"})"},
      sequences[1]);
  EXPECT_EQ(json::parse(consumer->read_text())["description"], "no longer") << "the only message that it gets";
  meshd_->send(Type::mesh_event, records::MeshEvent{"b.c", "1", "", "null"});
  meshd_->send(Type::mesh_event, records::MeshEvent{"a", "2", "", "null"});
  EXPECT_THAT(consumer->read_text(), HasSubstr("\"event\":2"));
}

}  // namespace
}  // namespace nuropb::edge
