#include "edge/http_api/health_probe.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

using ::testing::HasSubstr;

class HealthProbeTest : public SessionTest {
 protected:
  HealthProbe probe_{config_, link_, sessions_.slots, sessions_.pending, drain_};
};

TEST_F(HealthProbeTest, AnEdgeIsAliveBeforeItIsReady) {
  EXPECT_EQ(probe_.probe(alive_page).status, 200);
  EXPECT_EQ(probe_.probe(ready_page).status, 503);
  attach();
  open();
  const HttpAnswer ready = probe_.probe(ready_page);
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"status":"ok","ready":true,"attached":true,"broker":"ready","sessions":1,)"
                        R"("connections":1,"pending":0})"
                        "\n");
}

TEST_F(HealthProbeTest, WhetherItNeedsABrokerTheConfigSays) {
  attach();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return link_.broker() == shm::BrokerState::away; }));
  config_.listen.ready_with_broker = true;
  EXPECT_EQ(probe_.probe(ready_page).status, 503);
  config_.listen.ready_with_broker = false;
  EXPECT_EQ(probe_.probe(ready_page).status, 200);
  EXPECT_THAT(probe_.probe(ready_page).body, HasSubstr(R"("broker":"away")"));
}

}  // namespace
}  // namespace nuropb::edge
