#include "edge/relay/request_recovery.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RequestRecoveryTest : public RelayTest {};

TEST_F(RequestRecoveryTest, EachRequestGoesOnByHowFarMeshdGotWithIt) {
  attach();
  Client& client = join_accepted();
  for (const char* trace_id : {"published", "read", "unread"}) client.send(request_text(trace_id));
  turn();
  const auto published = meshd_->request();
  meshd_->settle();
  (void)meshd_->request();
  attach();  // another meshd
  EXPECT_THAT(client.read(), ElementsAre(HasSubstr(R"("trace_id":"read","result":null,"error":{)")));
  accept_again(client);
  EXPECT_EQ(meshd_->request().second.trace_id, "\"unread\"");
  EXPECT_TRUE(meshd_->quiet());
  send(records::Type::response, records::Response{client.handler().slot(), "1", "null"}, published.first.sequence);
  EXPECT_THAT(await_messages(client), ElementsAre(HasSubstr(R"("trace_id":"published","result":1)")));
}

TEST_F(RequestRecoveryTest, AnIdempotentRequestIsSentAgain) {
  attach();
  Client& client = join_accepted();
  client.send(request_text("a", R"(,"idempotent":true)"));
  turn();
  const auto first = meshd_->request();
  attach();
  accept_again(client);
  EXPECT_EQ(meshd_->request().first.sequence, first.first.sequence);
  EXPECT_TRUE(client.read().empty());
}

}  // namespace
}  // namespace nuropb::edge
