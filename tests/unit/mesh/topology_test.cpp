#include "meshd/mesh/topology.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nuropb::mesh {
namespace {

TransportSettings settings(bool client_only = false) {
  TransportSettings out;
  out.service_name = "s";
  out.instance_id = "i";
  out.client_only = client_only;
  return out;
}

std::vector<std::string> texts(std::uint16_t channel, const TransportSettings& with) {
  std::vector<std::string> out;
  for (const auto& step : steps_of(channel, with, Topology::of(with, "v", "run"))) out.push_back(step.text());
  return out;
}

TEST(Topology, NamesAsThePeersMakeThem) {
  const auto service = Topology::of(settings(), "v", "run");
  EXPECT_EQ(service.service_queue, "nuropb-s-sq");
  EXPECT_EQ(service.dead_letter_queue, "nuropb-s-dl");
  EXPECT_EQ(service.response_queue, "nuropb-s-i-rq");
  EXPECT_EQ(service.events_queue, "nuropb-s-i-run-eq");
  const auto client = Topology::of(settings(true), "v", "run");
  EXPECT_EQ(client.response_queue, "nuropb-v-client-i-rq");
  EXPECT_EQ(client.service_queue, "");
}

TEST(Topology, OwnQueuesMoveAndTheServicesStays) {
  auto topology = Topology::of(settings(), "v", "run");
  topology.move_response_queue();
  EXPECT_EQ(topology.response_queue, "nuropb-s-i-1-rq");
  EXPECT_EQ(topology.events_queue, "nuropb-s-i-run-eq");
  topology.move_response_queue();
  topology.move_events_queue();
  EXPECT_EQ(topology.response_queue, "nuropb-s-i-2-rq");
  EXPECT_EQ(topology.events_queue, "nuropb-s-i-run-1-eq");
  EXPECT_EQ(topology.service_queue, "nuropb-s-sq");
}

TEST(Topology, ALostNodeIsToldFromAMissingQueue) {
  EXPECT_TRUE(
      on_lost_node("404 NOT_FOUND - home node 'a@b' of durable queue 'q' in vhost '/' is down or inaccessible"));
  EXPECT_FALSE(on_lost_node("404 NOT_FOUND - no queue 'q' in vhost '/'"));
}

TEST(Topology, AnUnansweredDeclarationIsNotWaitedForAgain) {
  auto topology = Topology::of(settings(), "v", "run");
  for (const char* other : {"binding queue nuropb-s-sq to nuropb-rpc-exchange with 's'", "declaring exchange e",
                            "declaring queue another", "opening a channel", ""}) {
    EXPECT_FALSE(topology.unanswered(other)) << other;
  }
  EXPECT_FALSE(topology.service_later);
  EXPECT_TRUE(topology.unanswered("declaring queue nuropb-s-i-rq"));
  EXPECT_EQ(topology.response_queue, "nuropb-s-i-1-rq");
  EXPECT_EQ(topology.events_queue, "nuropb-s-i-run-1-eq");
  EXPECT_TRUE(topology.unanswered("declaring queue nuropb-s-i-run-1-eq"));
  EXPECT_EQ(topology.response_queue, "nuropb-s-i-1-rq");
  EXPECT_EQ(topology.events_queue, "nuropb-s-i-run-2-eq");
  for (const char* queue : {"nuropb-s-sq", "nuropb-s-dl"}) {
    topology.service_later = false;
    EXPECT_TRUE(topology.unanswered(std::string("declaring queue ") + queue));
    EXPECT_TRUE(topology.service_later) << queue;
  }
  auto client = Topology::of(settings(true), "v", "run");
  EXPECT_FALSE(client.unanswered("declaring queue nuropb-s-sq")) << "it has none";
}

TEST(Topology, AServicesBindings) {
  auto with = settings();
  with.rpc_bindings = {"other"};
  with.event_bindings = {"a.*", "b.#"};
  with.prefetch = 7;
  EXPECT_EQ(texts(service_channel, with),
            (std::vector<std::string>{"opening a channel", "setting the prefetch", "declaring queue nuropb-s-dl",
                                      "binding queue nuropb-s-dl to nuropb-dl-exchange", "declaring queue nuropb-s-sq",
                                      "binding queue nuropb-s-sq to nuropb-rpc-exchange with 's'",
                                      "binding queue nuropb-s-sq to nuropb-rpc-exchange with 'other'",
                                      "binding queue nuropb-s-sq to nuropb-events-exchange with 'a.*'",
                                      "binding queue nuropb-s-sq to nuropb-events-exchange with 'b.#'",
                                      "consuming from queue nuropb-s-sq"}));
  EXPECT_TRUE(texts(service_channel, settings(true)).empty()) << "a client has no service queue";
}

TEST(Topology, HowTheQueuesDiffer) {
  const auto with = settings();
  const auto topology = Topology::of(with, "v", "run");
  const auto responses = steps_of(response_channel, with, topology),
             service = steps_of(service_channel, with, topology), events = steps_of(events_channel, with, topology);
  EXPECT_EQ(responses[1].queue.expires, with.response_queue_expires);
  EXPECT_TRUE(responses[2].exclusive) << "this is how an instance is there once";
  EXPECT_FALSE(responses[2].automatic);
  EXPECT_EQ(service[2].queue.durable, false) << "the dead-letter queue, as the peer declares it";
  EXPECT_EQ(service[4].queue.dead_letter_exchange, "nuropb-dl-exchange");
  EXPECT_FALSE(service.back().exclusive);
  EXPECT_EQ(events[1].queue.max_length, with.events_queue_length);
  EXPECT_EQ(events[1].queue.expires, with.response_queue_expires);
  EXPECT_TRUE(events[2].automatic);
  for (const auto& own : {responses[1], service[4], events[1]}) EXPECT_EQ(own.queue.type, "classic") << own.name;
  EXPECT_EQ(service[2].queue.type, "") << "as the peer declares it";
}

TEST(Topology, EachStepHasAnAnswerOfItsOwn) {
  using amqp::Step;
  std::set<amqp_method_number_t> answers, methods;
  const std::vector<Step> all{Step::open(),
                              Step::confirms(),
                              Step::prefetch(1),
                              Step::declare_exchange("e", "topic"),
                              Step::declare_queue("q", {}),
                              Step::bind("q", "e", "k"),
                              Step::unbind("q", "e", "k"),
                              Step::consume("q", "t", false),
                              Step::cancel("t")};
  for (const auto& step : all) {
    answers.insert(step.answer());
    step.encode([&](amqp_method_number_t method, void*) {
      methods.insert(method);
      EXPECT_EQ(method + 1, step.answer()) << step.text() << ": in AMQP an answer's number is the next one";
    });
  }
  EXPECT_EQ(answers.size(), all.size());
  EXPECT_EQ(methods.size(), all.size());
}

TEST(Topology, WhatAQueueIsAskedToBe) {
  amqp::QueueOptions options{true, "dlx", milliseconds(1000), 5};
  options.max_bytes = 6;
  options.message_ttl = milliseconds(7);
  options.type = "quorum";
  std::set<std::string> names;
  amqp::Step::declare_queue("q", options).encode([&](amqp_method_number_t, void* method) {
    const auto* declared = static_cast<const amqp_queue_declare_t*>(method);
    for (int i = 0; i < declared->arguments.num_entries; ++i) {
      const auto& entry = declared->arguments.entries[i];
      names.insert(std::string(amqp::view(entry.key)) + "=" +
                   (entry.value.kind == AMQP_FIELD_KIND_UTF8 ? std::string(amqp::view(entry.value.value.bytes))
                                                             : std::to_string(entry.value.value.i32)));
    }
    EXPECT_TRUE(declared->durable);
    EXPECT_FALSE(declared->passive);
  });
  EXPECT_EQ(names, (std::set<std::string>{"x-dead-letter-exchange=dlx", "x-expires=1000", "x-max-length=5",
                                          "x-max-length-bytes=6", "x-message-ttl=7", "x-queue-type=quorum"}));
  options.passive = true;
  amqp::Step::declare_queue("q", options).encode([&](amqp_method_number_t, void* method) {
    EXPECT_TRUE(static_cast<const amqp_queue_declare_t*>(method)->passive);
  });
}

}  // namespace
}  // namespace nuropb::mesh
