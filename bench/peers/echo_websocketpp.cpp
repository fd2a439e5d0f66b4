// bench_echo_websocketpp: an echo on websocketpp and Asio and nothing else: no TLS, no authorization, no limits, no
// second process. The baseline for our gateway's share of a request. Prints its port as JSON, and runs until it is
// killed.

#include <iostream>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/server.hpp>

namespace {

struct Settings : websocketpp::config::asio {
  // The library's own release settings: no log, and no lock for it.
  static const websocketpp::log::level elog_level = websocketpp::log::elevel::none;
  static const websocketpp::log::level alog_level = websocketpp::log::alevel::none;
};
using Server = websocketpp::server<Settings>;

}  // namespace

int main() {
  Server server;
  server.init_asio();
  server.set_reuse_addr(true);
  server.set_message_handler([&server](websocketpp::connection_hdl from, Server::message_ptr message) {
    websocketpp::lib::error_code gone;
    server.send(from, message->get_payload(), message->get_opcode(), gone);
  });
  server.set_tcp_post_init_handler([&server](websocketpp::connection_hdl which) {
    boost::system::error_code ignored;
    server.get_con_from_hdl(which)->get_raw_socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  });
  server.set_listen_backlog(4096);
  server.listen(boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  server.start_accept();
  websocketpp::lib::asio::error_code wrong;
  std::cout << "{\"port\":" << server.get_local_endpoint(wrong).port() << "}" << std::endl;
  server.run();
}
