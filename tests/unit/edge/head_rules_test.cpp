#include "edge/net/head_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace nuropb::edge {
namespace {

using ::testing::HasSubstr;

class HeadRulesTest : public ::testing::Test {
 protected:
  HeadRulesTest() {
    if (!proxies_.add("10.0.0.0/8")) throw std::runtime_error("not a block");
  }
  /// Its views stay valid until the next one.
  RequestHead head(const std::string& lines) {
    text_ = "GET /call/a/b HTTP/1.1\r\n" + lines + "\r\n";
    const RequestHead out = parse_request_head(text_, {});
    if (out.what != RequestHead::What::complete) throw std::runtime_error("not a head: " + text_);
    return out;
  }
  HeadRules rules(ForwardedHeader header, std::vector<std::string> hosts = {}) const {
    return {std::move(hosts), header, proxies_};
  }
  /// The client of a request that this address sends.
  std::string client(ForwardedHeader header, const char* sender, const std::string& lines) {
    const auto found = rules(header).client_of(head("Host: x\r\n" + lines), *IpAddress::parse(sender));
    return found ? found->text() : "nobody";
  }
  AddressBlocks proxies_;
  std::string text_;
};

TEST_F(HeadRulesTest, AHostHasToBeOneOfTheGateways) {
  const HeadRules two = rules(ForwardedHeader::none, {"gw.test", ".apps.test"});
  EXPECT_FALSE(two.refusal_of_host(head("Host: gw.test:8880\r\n")));
  EXPECT_FALSE(two.refusal_of_host(head("Host: a.apps.test\r\n")));
  const auto refused = two.refusal_of_host(head("Host: evil.test\r\n"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 421);
  EXPECT_THAT(refused->body, HasSubstr("listen.hosts"));
  EXPECT_FALSE(rules(ForwardedHeader::none).refusal_of_host(head("Host: evil.test\r\n"))) << "any, if none is named";
}

TEST_F(HeadRulesTest, TheClientIsTheSenderUnlessThatIsAProxy) {
  using enum ForwardedHeader;
  const std::string lines = "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.8\r\n";
  EXPECT_EQ(client(x_forwarded_for, "10.0.0.1", lines), "203.0.113.7");
  EXPECT_EQ(client(forwarded, "10.0.0.1", lines), "203.0.113.8");
  EXPECT_EQ(client(none, "10.0.0.1", lines), "10.0.0.1");
  EXPECT_EQ(client(x_forwarded_for, "192.0.2.1", lines), "192.0.2.1");
  EXPECT_EQ(client(x_forwarded_for, "10.0.0.1", ""), "10.0.0.1") << "the proxy's own request";
  EXPECT_EQ(client(x_forwarded_for, "10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\n"),
            "203.0.113.7");
}

TEST_F(HeadRulesTest, AProxyThatDoesNotStateTheClientIsRefused) {
  EXPECT_EQ(client(ForwardedHeader::x_forwarded_for, "10.0.0.1", "X-Forwarded-For: unknown\r\n"), "nobody");
  const HttpAnswer refused = HeadRules::no_client();
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("listen.forwarded_header"));
}

TEST_F(HeadRulesTest, OnlyATrustedProxysHeaderCounts) {
  const IpAddress proxy = *IpAddress::parse("10.0.0.1"), stranger = *IpAddress::parse("192.0.2.1");
  EXPECT_TRUE(rules(ForwardedHeader::forwarded).client_is_in_header(proxy));
  EXPECT_FALSE(rules(ForwardedHeader::forwarded).client_is_in_header(stranger));
  EXPECT_FALSE(rules(ForwardedHeader::none).client_is_in_header(proxy));
}

TEST_F(HeadRulesTest, AddressesAreWrittenWithTheirPorts) {
  EXPECT_EQ(peer_text(*IpAddress::parse("10.0.0.7"), 4711), "10.0.0.7:4711");
  EXPECT_EQ(peer_text(*IpAddress::parse("::1"), 4711), "[::1]:4711");
  EXPECT_EQ(peer_text(*IpAddress::parse("10.0.0.7"), 0), "10.0.0.7");
  EXPECT_EQ(peer_text(*IpAddress::parse("::1"), 0), "::1");
}

}  // namespace
}  // namespace nuropb::edge
