#include "meshd/routing/event_router.hpp"

#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

class EventRouterTest : public SessionsInMemory {
 protected:
  static mesh::Incoming event(const std::string& topic, const std::string& body) {
    mesh::Incoming out;
    out.type = MessageType::event;
    out.routing_key = topic;
    out.body = body;
    return out;
  }
  static std::string body(const std::string& topic) {
    return R"({"tag":"event","trace_id":"t","topic":")" + topic + R"(","event":{"n":1},"context":{},"target":null})";
  }
  void subscribed(std::string_view topic) {
    subscribe(topic, 1);
    subscriptions_.on_pattern(faces_.all.web(), {std::string(topic), {}});
    (void)workers_.read(one);
  }
  TapRecorder taps_{false, clock_, mailboxes_,
                    [this](const std::function<void(WorkerId, SessionTable&)>& work) { all_.each_table(work); }};
  EventRouter events_{config_, clock_, workers_, delivery_, taps_};
};

TEST_F(EventRouterTest, AWorkerIsSentAnEventOnceForAllOfItsSubscribers) {
  open(0);
  open(1);
  subscribed("a.b");
  subscribe("a.*", 2, 1);
  events_.route(faces_.all.web(), event("a.b", body("a.b")));
  EXPECT_EQ(sent(), (std::vector{records::Type::mesh_event}));
}

TEST_F(EventRouterTest, AnEventWithoutSubscribersIsNotSent) {
  open();
  subscribed("a.b");
  events_.route(faces_.all.web(), event("a.c", body("a.c")));
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(events_.dropped(), 0u);
}

TEST_F(EventRouterTest, AnEventThatCantBeReadIsDroppedAndCounted) {
  open();
  subscribed("a.b");
  events_.route(faces_.all.web(), event("a.b", "no JSON"));
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(events_.dropped(), 1u);
}

TEST_F(EventRouterTest, EventsBetweenGatewaysAreNotForClients) {
  open();
  subscribed("#");
  events_.route(faces_.all.web(), event(std::string(Peers::reserved_word) + ".x", body("x")));
  EXPECT_TRUE(sent().empty());
}

}  // namespace
}  // namespace nuropb::meshd
