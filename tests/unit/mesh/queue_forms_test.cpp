#include "meshd/mesh/queue_forms.hpp"

#include <gtest/gtest.h>

#include "meshd/mesh/topology.hpp"

namespace nuropb::mesh {
namespace {

// In the words of RabbitMQ 3.10.8, 4.0.5 and 4.3.6.
const std::string denied =
    "541 INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nIts use is not permitted per the "
    "configuration (overriding the default, which is permitted):\n    "
    "\"deprecated_features.permit.transient_nonexcl_queues = false\"\nIts use will not be permit...";
std::string not_durable(const std::string& queue) {
  return "406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue '" + queue +
         "' in vhost '/': received 'false' but current is 'true'";
}
std::string another_type(const std::string& received_and_current) {
  return "406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'nuropb-s-sq' in vhost '/': " +
         received_and_current;
}
const std::string another_expiry =
    "406 PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'nuropb-s-i-rq' in vhost '/': received '50000' "
    "but "
    "current is '60000'";

bool as_the_peers(const amqp::QueueOptions& queue) {
  return !queue.durable && !queue.passive && queue.type.empty() && !queue.max_length && !queue.max_bytes &&
         !queue.message_ttl && !queue.expires;
}
bool bounded(const amqp::QueueOptions& queue) {
  return queue.durable && !queue.passive && queue.type == "classic" && queue.max_length == 10'000 &&
         queue.max_bytes == 268'435'456 && queue.message_ttl == milliseconds(604'800'000);
}

TEST(QueueForms, TheDeadLetterQueueIsAsThePeersDeclareItUntilTheBrokerDeniesThat) {
  QueueForms forms;
  EXPECT_TRUE(as_the_peers(forms.dead_letter()));
  const auto lesson = forms.dead_letter_refused(denied);
  ASSERT_TRUE(lesson);
  EXPECT_NE(lesson->find("deprecated_features.permit.transient_nonexcl_queues = true"), std::string::npos)
      << "what a Python peer needs there";
  EXPECT_TRUE(bounded(forms.dead_letter()));
  EXPECT_FALSE(forms.dead_letter_refused(denied)) << "the same again has another reason";
}

TEST(QueueForms, WhatTheSettingSaysIsDone) {
  QueueForms transient(DeadLetterQueue::transient, "classic"), durable(DeadLetterQueue::durable, "classic");
  EXPECT_TRUE(as_the_peers(transient.dead_letter()));
  EXPECT_FALSE(transient.dead_letter_refused(denied));
  EXPECT_TRUE(as_the_peers(transient.dead_letter()));
  EXPECT_TRUE(bounded(durable.dead_letter()));
  EXPECT_FALSE(durable.dead_letter_refused(denied)) << "it is not about this queue";
}

TEST(QueueForms, ADeadLetterQueueThatIsThereIsUsedAsItIs) {
  for (const auto wanted : {DeadLetterQueue::automatic, DeadLetterQueue::transient, DeadLetterQueue::durable}) {
    QueueForms forms(wanted, "classic");
    const bool before = forms.dead_letter().durable;
    ASSERT_TRUE(forms.dead_letter_refused(not_durable("nuropb-s-dl")));
    EXPECT_TRUE(forms.dead_letter().passive);
    EXPECT_FALSE(forms.dead_letter_refused(not_durable("nuropb-s-dl")));
    // It was transient, and its node was restarted.
    ASSERT_TRUE(forms.dead_letter_refused("404 NOT_FOUND - no queue 'nuropb-s-dl' in vhost '/'"));
    EXPECT_FALSE(forms.dead_letter().passive);
    EXPECT_EQ(forms.dead_letter().durable, before);
    EXPECT_FALSE(forms.dead_letter_refused("404 NOT_FOUND - no queue 'nuropb-s-dl' in vhost '/'"));
  }
}

TEST(QueueForms, OtherRefusalsTeachNothing) {
  QueueForms forms;
  for (const char* said : {"403 ACCESS_REFUSED - access to queue 'nuropb-s-dl' in vhost '/' refused for user 'u'",
                           "541 INTERNAL_ERROR", "541 INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.",
                           "320 CONNECTION_FORCED - transient_nonexcl_queues", ""}) {
    EXPECT_FALSE(forms.dead_letter_refused(said)) << said;
    EXPECT_FALSE(forms.service_refused(said)) << said;
    EXPECT_FALSE(QueueForms::denies_transient(said)) << said;
  }
  EXPECT_TRUE(as_the_peers(forms.dead_letter()));
}

TEST(QueueForms, TheServicesQueueHasTheTypeThatIsThere) {
  struct Case {
    std::string asked, said, then;
  };
  for (const Case& each : {Case{"classic", "received 'classic' but current is 'quorum'", "quorum"},
                           Case{"quorum", "received 'quorum' but current is 'classic'", "classic"},
                           Case{"", "received none but current is the value 'quorum' of type 'longstr'", "quorum"},
                           Case{"quorum", "received the value 'quorum' of type 'longstr' but current is none", ""}}) {
    QueueForms forms(DeadLetterQueue::automatic, each.asked);
    EXPECT_EQ(forms.service("dlx").type, each.asked);
    EXPECT_EQ(forms.service("dlx").dead_letter_exchange, "dlx");
    EXPECT_TRUE(forms.service("dlx").durable);
    EXPECT_TRUE(forms.service_refused(another_type(each.said))) << each.said;
    EXPECT_EQ(forms.service("dlx").type, each.then) << each.said;
    EXPECT_FALSE(forms.service_refused(another_type(each.said))) << "not for ever";
  }
}

TEST(QueueForms, ATypeThatCannotBeAServicesQueueIsAnError) {
  for (const char* said : {"received 'classic' but current is 'stream'", "received 'classic'", "but current is ",
                           "but current is '", "but current is 'quorum", "but current is 'classic'"}) {
    QueueForms forms;
    EXPECT_FALSE(forms.service_refused(another_type(said))) << said;
    EXPECT_EQ(forms.service("x").type, "classic") << said;
  }
  QueueForms forms;
  EXPECT_FALSE(
      forms.service_refused("406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue "
                            "'nuropb-s-sq' in vhost '/': received 'x' but current is 'quorum'"));
}

TEST(Topology, LearnsOfTheQueueThatWasRefused) {
  TransportSettings settings;
  settings.service_name = "s";
  settings.instance_id = "i";
  auto topology = Topology::of(settings, "/", "run");
  const auto declare = [](const std::string& name) { return amqp::Step::declare_queue(name, {}); };
  EXPECT_FALSE(topology.learn(declare("another"), not_durable("another")));
  EXPECT_FALSE(topology.learn(amqp::Step::bind("nuropb-s-dl", "e", ""), not_durable("nuropb-s-dl")));
  EXPECT_FALSE(topology.learn(declare("nuropb-s-sq"), not_durable("nuropb-s-sq")));
  EXPECT_FALSE(topology.learn(declare("nuropb-s-i-rq"), not_durable("nuropb-s-i-rq")))
      << "the Python peer's: its participant runs";
  EXPECT_EQ(topology.response_queue, "nuropb-s-i-rq");

  EXPECT_TRUE(topology.learn(declare("nuropb-s-i-rq"), another_expiry));
  EXPECT_EQ(topology.response_queue, "nuropb-s-i-1-rq");
  EXPECT_TRUE(topology.learn(declare("nuropb-s-dl"), not_durable("nuropb-s-dl")));
  EXPECT_TRUE(topology.forms.dead_letter().passive);
  EXPECT_TRUE(topology.learn(declare("nuropb-s-sq"), another_type("received 'classic' but current is 'quorum'")));
  EXPECT_EQ(topology.forms.service("x").type, "quorum");
}

TEST(Topology, AClosedConnectionTeachesWhateverWasUnderWay) {
  TransportSettings settings;
  settings.service_name = "s";
  auto topology = Topology::of(settings, "/", "run");
  EXPECT_TRUE(topology.learn({}, denied));
  EXPECT_FALSE(topology.learn({}, denied));
  EXPECT_TRUE(topology.forms.dead_letter().durable);
}

}  // namespace
}  // namespace nuropb::mesh
