#include "meshd/http/client.hpp"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <atomic>
#include <future>
#include <thread>

namespace nuropb::http {
namespace {

using boost::asio::ip::tcp;
using namespace std::chrono_literals;

/// A server for one connection: reads a request's head, sends the given pieces, then waits until the client has
/// disconnected, or closes at once.
class Server {
 public:
  explicit Server(std::vector<std::string> pieces, bool stay = false)
      : acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        thread_([this, pieces = std::move(pieces), stay] { serve(pieces, stay); }) {}
  ~Server() {
    boost::system::error_code ignored;
    if (!served_)
      tcp::socket(io_).connect(acceptor_.local_endpoint(), ignored);  // ends the wait if no client has connected
    thread_.join();
  }

  [[nodiscard]] Url url() const {
    Url out;
    out.host = "127.0.0.1";
    out.port = acceptor_.local_endpoint().port();
    return out;
  }
  /// The received request.
  std::string request() { return request_.get_future().get(); }

 private:
  void serve(const std::vector<std::string>& pieces, bool stay) {
    tcp::socket socket(io_);
    boost::system::error_code error;
    acceptor_.accept(socket, error);
    served_ = true;
    socket.set_option(tcp::no_delay(true), error);
    boost::asio::streambuf head;
    boost::asio::read_until(socket, head, "\r\n\r\n", error);
    request_.set_value(std::string(boost::asio::buffers_begin(head.data()), boost::asio::buffers_end(head.data())));
    for (const auto& piece : pieces) boost::asio::write(socket, boost::asio::buffer(piece), error);
    char byte;
    while (stay && !error) socket.read_some(boost::asio::buffer(&byte, 1), error);
  }
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  std::promise<std::string> request_;
  std::atomic<bool> served_{false};
  std::thread thread_;
};

Client client(const Url& url, std::size_t max_body = 1000) { return Client({url, {}, max_body}); }

TEST(HttpClient, AsksAndHears) {
  Server server({"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhe", "llo"});
  Url url = server.url();
  url.user = "ann";
  url.password = "s3cret";
  url.base = "/base";
  const auto answer = client(url).send({"PUT", "/api/x", "{}", {{"X-Own", "1"}}}, 30s);
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->status, 201U);
  EXPECT_EQ(answer->body, "hello");
  const std::string asked = server.request();
  EXPECT_EQ(asked.find("PUT /base/api/x HTTP/1.1\r\n"), 0U) << asked;
  EXPECT_NE(asked.find("Authorization: Basic YW5uOnMzY3JldA==\r\n"), std::string::npos) << asked;
  EXPECT_NE(asked.find("Host: 127.0.0.1:" + std::to_string(url.port) + "\r\n"), std::string::npos) << asked;
  EXPECT_NE(asked.find("X-Own: 1\r\n"), std::string::npos) << asked;
  EXPECT_NE(asked.find("Content-Length: 2\r\n"), std::string::npos) << asked;
}

TEST(HttpClient, AnswersInChunksAndUpToTheEnd) {
  Server chunks({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "2\r\nde\r\n0\r\n\r\n"});
  EXPECT_EQ(client(chunks.url()).send({"GET", "/", "", {}}, 30s)->body, "abcde");
  Server to_the_end({"HTTP/1.0 200 OK\r\n\r\nabc"});
  EXPECT_EQ(client(to_the_end.url()).send({"GET", "/", "", {}}, 30s)->body, "abc");
}

TEST(HttpClient, NobodyListens) {
  Url url;
  url.host = "127.0.0.1";
  url.port = 1;
  EXPECT_EQ(client(url).send({"GET", "/", "", {}}, 30s).error().what, "connection refused");
  url.host = "no-such-host.invalid";
  EXPECT_NE(client(url).send({"GET", "/", "", {}}, 30s).error().what.find("can't be resolved"), std::string::npos);
}

TEST(HttpClient, ASilentServerCostsTheTimeout) {
  Server server({"HTTP/1.1 200 OK\r\nContent-"}, true);
  const auto from = std::chrono::steady_clock::now();
  const auto answer = client(server.url()).send({"GET", "/", "", {}}, 100ms);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().what.find("no answer in time"), std::string::npos) << answer.error().text();
  EXPECT_LT(std::chrono::steady_clock::now() - from, 30s);
}

TEST(HttpClient, OtherThanHttp) {
  Server amqp({std::string("AMQP\0\0\x09\x01", 8)});
  EXPECT_NE(client(amqp.url()).send({"GET", "/", "", {}}, 30s).error().what.find("does not speak HTTP"),
            std::string::npos);
  Server gone({});
  const auto answer = client(gone.url()).send({"GET", "/", "", {}}, 30s);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().what.find("closed"), std::string::npos) << answer.error().text();
  Server broken({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"});
  EXPECT_FALSE(client(broken.url()).send({"GET", "/", "", {}}, 30s));
}

TEST(HttpClient, AnAnswerIsBounded) {
  Server announced({"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"}, true);
  EXPECT_EQ(client(announced.url()).send({"GET", "/", "", {}}, 30s).error().what, "the answer is too large");
  Server endless({"HTTP/1.0 200 OK\r\n\r\n" + std::string(2000, 'x')}, true);
  EXPECT_EQ(client(endless.url()).send({"GET", "/", "", {}}, 30s).error().what, "the answer is too large");
  Server head({"HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x')}, true);
  EXPECT_FALSE(client(head.url()).send({"GET", "/", "", {}}, 5s));
}

TEST(HttpClient, ATokenCannotBringAHeader) {
  Server server({});
  const auto answer = client(server.url()).send({"GET", "/", "", {{"Authorization", "x\r\nX-Evil: 1"}}}, 30s);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().what.find("control characters"), std::string::npos);
}

TEST(HttpClient, CancelEndsTheCallUnderWayAndLaterOnes) {
  Server server({}, true);
  Client calling = client(server.url());
  auto answer = std::async(std::launch::async, [&] { return calling.send({"GET", "/", "", {}}, 60s); });
  server.request();  // it is waiting for the response now
  calling.cancel();
  EXPECT_EQ(answer.get().error().what, "cancelled");
  EXPECT_EQ(calling.send({"GET", "/", "", {}}, 60s).error().what, "cancelled");
}

TEST(HttpClient, LinesOfAStreamHoweverTheyAreCut) {
  Server server({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n", "5\r\ntwo\nt\r\n4\r\nhree\r\n",
                 "6\r\n\n\nlast\r\n0\r\n\r\n"});
  const auto stream = client(server.url()).stream({"POST", "/v3/watch", "{}", {}}, 30s);
  ASSERT_TRUE(stream) << stream.error().text();
  EXPECT_EQ((*stream)->status(), 200U);
  for (const char* line : {"one", "two", "three", "", "last"}) {
    const auto next = (*stream)->next_line(30s);
    ASSERT_TRUE(next && *next) << line;
    EXPECT_EQ(**next, line);
  }
  EXPECT_FALSE((*stream)->next_line(30s)->has_value()) << "its end";
}

TEST(HttpClient, AStreamThatBreaksOrHangsOrFloods) {
  Server breaks({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n"});
  auto stream = client(breaks.url()).stream({"POST", "/", "", {}}, 30s);
  ASSERT_TRUE(stream);
  EXPECT_TRUE((*stream)->next_line(30s));
  EXPECT_FALSE((*stream)->next_line(30s));
  Server hangs({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}, true);
  stream = client(hangs.url()).stream({"POST", "/", "", {}}, 30s);
  ASSERT_TRUE(stream);
  EXPECT_NE((*stream)->next_line(50ms).error().what.find("in time"), std::string::npos);
  Server floods({"HTTP/1.0 200 OK\r\n\r\n" + std::string(2 << 20, 'x')});
  stream = client(floods.url()).stream({"POST", "/", "", {}}, 30s);
  ASSERT_TRUE(stream);
  EXPECT_NE((*stream)->next_line(30s).error().what.find("longer than 1 MiB"), std::string::npos);
  stream->reset();  // destroyed before its server, which is still writing
}

TEST(HttpClient, AStreamThatIsFasterThanItsReaderWaits) {
  constexpr int lines = 600'000;
  std::string text;
  for (int i = 0; i < lines; ++i) text += std::to_string(1'000'000 + i) + "\n";
  Server server({"HTTP/1.0 200 OK\r\n\r\n" + text});
  const auto stream = client(server.url()).stream({"POST", "/", "", {}}, 30s);
  ASSERT_TRUE(stream);
  for (int i = 0; i < lines; ++i) {
    const auto next = (*stream)->next_line(30s);
    ASSERT_TRUE(next && *next) << i;
    ASSERT_EQ(**next, std::to_string(1'000'000 + i));
  }
  EXPECT_FALSE((*stream)->next_line(30s)->has_value());
}

TEST(HttpClient, CancelEndsAStream) {
  Server server({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n"}, true);
  const auto stream = client(server.url()).stream({"POST", "/", "", {}}, 30s);
  ASSERT_TRUE(stream);
  EXPECT_EQ(**(*stream)->next_line(30s), "one");
  auto waits = std::async(std::launch::async, [&] { return (*stream)->next_line(60s); });
  (*stream)->cancel();
  EXPECT_EQ(waits.get().error().what, "cancelled");
}

}  // namespace
}  // namespace nuropb::http
