#include "edge/http_api/http_port.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>

#include "common/ids.hpp"

namespace nuropb::edge {
namespace {

using ::testing::StartsWith;

class HttpPortTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpPort> port(std::uint16_t number, const std::string& gateway, const std::string& address) {
    return std::make_unique<HttpPort>(
        io_, HttpPort::Settings{{"tests"}, "test", address, number, gateway}, HttpServer::OnHead(),
        [](const HttpServer::Request&, const HttpServer::Respond& respond) { respond({200, "here", {}}); });
  }

  boost::asio::io_context io_;
  const std::string here_ = "127.0.0.1", gateway_ = testing::TempDir() + "http-port-" + random_hex32();
};

TEST_F(HttpPortTest, EdgesOfOneGatewayShareIt) {
  const auto first = port(0, gateway_, here_);
  ASSERT_EQ(first->listen(), "");
  ASSERT_GT(first->port(), 0);
  const auto second = port(first->port(), gateway_, here_);
  EXPECT_EQ(second->listen(), "");
  EXPECT_EQ(second->port(), first->port());
  first->stop();
  boost::asio::ip::tcp::socket client(io_);
  boost::system::error_code error;
  client.connect({boost::asio::ip::make_address(here_), second->port()}, error);
  EXPECT_FALSE(error) << error.message();
  second->stop();
  EXPECT_EQ(second->port(), 0);
}

TEST_F(HttpPortTest, SaysWhatIsWrong) {
  EXPECT_EQ(port(0, gateway_, "localhost")->listen(), "test.address 'localhost' is not an IP address");
  boost::asio::ip::tcp::acceptor taken(io_, {boost::asio::ip::make_address(here_), 0});
  const std::uint16_t number = taken.local_endpoint().port();
  EXPECT_THAT(port(number, gateway_, here_)->listen(),
              StartsWith("can't listen for tests on 127.0.0.1 port " + std::to_string(number) + ": "));
}

}  // namespace
}  // namespace nuropb::edge
