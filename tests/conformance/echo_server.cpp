// The edge's WebSocket listener with an echo behind it, since that is what the Autobahn cases talk to. All that is
// under test is edge/transport/websocket_listener.cpp, as the edge uses it; prints its port, runs until it is killed.

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "edge/transport/websocket.hpp"

namespace {

using namespace nuropb::edge;
using nuropb::HttpAnswer;

class Echo final : public Receiver {
 public:
  explicit Echo(Connection& connection) : connection_(connection) {}
  void on_message(std::string_view text) override { connection_.send_text(text); }
  void on_binary(std::string_view bytes) override { connection_.send_binary(bytes); }
  void on_close() override {}
  void on_timeout(std::uint16_t code, std::string_view reason) override { connection_.close(code, reason); }

 private:
  Connection& connection_;
};

}  // namespace

int main(int argc, char** argv) {
  WebSocketListener::Settings settings;
  settings.door.address = "127.0.0.1";
  settings.max_message = 32U << 20;  // the largest case sends 16 MiB
  settings.deflate.max_message = settings.max_message;
  CLI::App app("An echo on the edge's WebSocket listener");
  app.add_flag("--compression", settings.compression, "permessage-deflate, where the client offers it");
  settings.compress_from = 0;  // the cases want every answer compressed
  app.add_flag("--context-takeover", settings.deflate.context_takeover, "keeps the dictionary from message to message");
  CLI11_PARSE(app, argc, argv);

  boost::asio::io_context io;
  WebSocketListener listener(
      io, settings,
      {[](const Handshake&, HttpAnswer&) { return true; },
       [](Connection& connection, const Handshake&) { return std::make_unique<Echo>(connection); },
       [](const Handshake&) { return HttpAnswer{404, "a WebSocket is all there is\n", {}}; },
       [](std::string_view) { return HttpAnswer{200, "ok\n", {}}; }, [] {}});
  if (const std::string wrong = listener.listen(); !wrong.empty()) {
    std::cerr << wrong << '\n';
    return 1;
  }
  std::cout << "port " << listener.port() << std::endl;
  io.run();
}
