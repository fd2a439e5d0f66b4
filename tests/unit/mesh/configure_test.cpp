#include "meshd/mesh/configure.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

TransportSettings service(const std::string& name) {
  TransportSettings out;
  out.service_name = name;
  return out;
}

TEST(Configure, BlueprintHasTheNamesOfTheProtocol) {
  TransportSettings settings = service("sandbox");
  settings.rpc_bindings = {"other"};
  settings.event_bindings = {"news.#", "*.alarm"};
  const Blueprint made = Blueprint::of(settings);
  ASSERT_EQ(made.exchanges.size(), 3U);
  EXPECT_EQ(made.exchanges[0].name + " " + made.exchanges[0].type, "nuropb-rpc-exchange direct");
  EXPECT_EQ(made.exchanges[1].name + " " + made.exchanges[1].type, "nuropb-events-exchange topic");
  EXPECT_EQ(made.exchanges[2].name + " " + made.exchanges[2].type, "nuropb-dl-exchange fanout");
  ASSERT_EQ(made.queues.size(), 2U);
  EXPECT_EQ(made.queues[0].name, "nuropb-sandbox-dl");
  EXPECT_FALSE(made.queues[0].options.durable);
  EXPECT_EQ(made.queues[0].options.dead_letter_exchange, "");
  EXPECT_EQ(made.queues[1].name, "nuropb-sandbox-sq");
  EXPECT_TRUE(made.queues[1].options.durable);
  EXPECT_EQ(made.queues[1].options.type, "classic");
  EXPECT_EQ(made.queues[1].options.dead_letter_exchange, "nuropb-dl-exchange");
  std::vector<std::string> bindings;
  for (const auto& each : made.bindings) bindings.push_back(each.queue + "|" + each.exchange + "|" + each.key);
  EXPECT_EQ(bindings,
            (std::vector<std::string>{
                "nuropb-sandbox-dl|nuropb-dl-exchange|", "nuropb-sandbox-sq|nuropb-rpc-exchange|sandbox",
                "nuropb-sandbox-sq|nuropb-rpc-exchange|other", "nuropb-sandbox-sq|nuropb-events-exchange|news.#",
                "nuropb-sandbox-sq|nuropb-events-exchange|*.alarm"}));
}

TEST(Configure, BlueprintFollowsTheSettings) {
  TransportSettings settings = service("sandbox");
  settings.dead_letter_queue = DeadLetterQueue::durable;
  settings.service_queue_type = "quorum";
  const Blueprint made = Blueprint::of(settings);
  EXPECT_TRUE(made.queues[0].options.durable);
  EXPECT_EQ(made.queues[1].options.type, "quorum");
}

TEST(Configure, AClientHasNoQueuesOfAService) {
  TransportSettings settings = service("any");
  settings.client_only = true;
  EXPECT_TRUE(Blueprint::of(settings).queues.empty());
  EXPECT_TRUE(Blueprint::of(settings).bindings.empty());
}

TEST(Configure, ManagementIsTenThousandPortsUp) {
  amqp::Url url;
  url.host = "broker";
  url.port = 5671;
  url.tls = true;
  url.user = "ann";
  url.password = "p@ss";
  EXPECT_EQ(management_of(url).redacted(), "https://ann:***@broker:15671");
  EXPECT_EQ(management_of(url).password, "p@ss");
}

TEST(Configure, NobodyListens) {
  SetUpSettings settings{service("any"), {}, false, false};
  EXPECT_EQ(set_up(settings).error().what, "no broker is configured");
  amqp::Url url;
  url.host = "127.0.0.1";
  url.port = 1;
  url.password = "secret";
  settings.transport.urls = {url};
  const auto done = set_up(settings);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().text().find("connection refused"), std::string::npos);
  EXPECT_EQ(done.error().text().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::mesh
