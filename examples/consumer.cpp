// A consumer in C++ with Boost.Beast: listens for orders, and places two of which one is refused.
//
//   consumer ws://HOST:PORT/websocket TOKEN [SERVICE]
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <iostream>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace asio = boost::asio;
namespace beast = boost::beast;
using nlohmann::json;

struct Refused : std::runtime_error {
  using runtime_error::runtime_error;
};

/// One thing at a time: who asks waits for the answer, and events that come before it are put aside.
class Gateway {
 public:
  Gateway(const std::string& url, const std::string& token) : ws_(context_) {
    std::smatch parts;
    if (!std::regex_match(url, parts, std::regex("ws://([^:/]+):(\\d+)(/.*)")))
      throw std::invalid_argument("not ws://HOST:PORT/PATH: " + url);
    asio::ip::tcp::resolver resolver(context_);
    asio::connect(ws_.next_layer(), resolver.resolve(parts[1].str(), parts[2].str()));
    ws_.set_option(beast::websocket::stream_base::decorator([token](beast::websocket::request_type& handshake) {
      handshake.set(beast::http::field::authorization, "Bearer " + token);
    }));
    ws_.handshake(parts[1].str() + ":" + parts[2].str(), parts[3].str());
  }

  json ask(const std::string& verb, json payload) {
    const std::string trace_id = payload["trace_id"] = std::to_string(++asked_);
    ws_.write(asio::buffer(json{{"type", verb}, {"payload", payload}}.dump()));
    while (true) {
      const json message = receive();
      if (message.value("type", "") == "event") {
        events_.push_back(message["payload"]);
      } else if (const json& answer = message.contains("payload") ? message["payload"] : message;
                 answer.value("trace_id", "") == trace_id) {
        const json& error = answer["error"];
        if (error.is_null()) return answer["result"];
        throw Refused(error["error"].get<std::string>() + ": " + error["description"].get<std::string>());
      }
    }
  }

  /// Whether one has come already; only ask() and next_event() read.
  bool has_event() const { return !events_.empty(); }

  json next_event() {
    while (events_.empty()) {
      if (const json message = receive(); message.value("type", "") == "event") events_.push_back(message["payload"]);
    }
    const json event = events_.front();
    events_.pop_front();
    return event;
  }

  void close() { ws_.close(beast::websocket::close_code::normal); }

 private:
  json receive() {
    beast::flat_buffer buffer;
    ws_.read(buffer);
    return json::parse(beast::buffers_to_string(buffer.data()));
  }

  asio::io_context context_;
  beast::websocket::stream<asio::ip::tcp::socket> ws_;
  std::deque<json> events_;
  int asked_ = 0;
};

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  const std::string service = argc > 3 ? argv[3] : "orders";
  Gateway gateway(argv[1], argv[2]);
  const json hello = gateway.next_event();
  std::cout << "hello " << hello["event"]["user_id"].get<std::string>() << '\n';
  gateway.ask("subscribe", {{"topic", service + ".placed"}});
  const auto place = [&](const char* item, int count) {
    return gateway.ask("request",
                       {{"service", service}, {"method", "place"}, {"params", {{"item", item}, {"count", count}}}});
  };
  const json order = place("apple", 2);
  std::cout << "placed " << order["item"].get<std::string>() << ' ' << order["count"] << '\n';
  try {
    place("pear", 1000);
  } catch (const Refused& error) { std::cout << "refused " << error.what() << '\n'; }
  const json event = gateway.next_event();
  std::cout << "event " << event["topic"].get<std::string>() << ' ' << event["event"]["item"].get<std::string>()
            << '\n';
  gateway.close();
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
