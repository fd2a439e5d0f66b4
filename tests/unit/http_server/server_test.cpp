#include "common/http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "tests/unit/http_server/running_server.hpp"

namespace nuropb {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

HttpServer::Settings settings(std::uint64_t max_body = 1000, milliseconds timeout = milliseconds(60'000)) {
  return {"tests", "test.connections", "test.timeout_ms", "test.body", 64, max_body, timeout};
}

/// Returns the request as its response.
void echo(const HttpServer::Request& asked, const HttpServer::Respond& respond) {
  respond({200, asked.method + " " + asked.path + "?" + asked.query + " " + asked.host + " " + asked.body, {}});
}

std::string post(const std::string& body, const std::string& headers = "", const std::string& path = "/a") {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
const std::string get = "GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\n";

TEST(HttpServer, AnswersInOrderOnOneConnection) {
  RunningServer running(settings(), {{}, echo});
  RawClient client = running.client();
  client.send(get + post("one") + post("two") + get);
  EXPECT_THAT(client.answer(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\nGET /a?b h:1 "),
                                     HasSubstr("Content-Type: application/json\r\n"), Not(HasSubstr("Connection"))));
  EXPECT_THAT(client.answer(), EndsWith("POST /a? h one"));
  EXPECT_THAT(client.answer(), EndsWith("POST /a? h two"));
  EXPECT_THAT(client.answer(), EndsWith("GET /a?b h:1 "));
  client.send(get.substr(0, 10));
  client.send(get.substr(10));
  EXPECT_THAT(client.answer(), EndsWith("GET /a?b h:1 "));
}

/// RFC 9112, section 9.3.
TEST(HttpServer, ConnectionsGoOnOrEndAsTheClientWishes) {
  RunningServer running(settings(), {{}, echo});
  RawClient closes = running.client();
  closes.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n" + get);
  EXPECT_THAT(closes.rest(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("GET /? h ")));
  RawClient old = running.client();
  old.send("GET / HTTP/1.0\r\n\r\n" + get);
  EXPECT_THAT(old.rest(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close\r\n"), EndsWith("GET /?  ")));
  RawClient keeps = running.client();
  keeps.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get);
  EXPECT_THAT(keeps.answer(), HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(keeps.answer(), EndsWith("GET /a?b h:1 "));
}

/// RFC 9110, section 9.3.2: like GET, without the body.
TEST(HttpServer, Head) {
  RunningServer running(settings(), {{}, echo});
  RawClient client = running.client();
  client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get);
  EXPECT_THAT(client.answer(true), HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(client.answer(), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("GET /a?b h:1 ")));
}

TEST(HttpServer, Chunks) {
  RunningServer running(settings(), {{}, echo});
  const std::string head = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  RawClient client = running.client();
  client.send(head + "5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n" + get);
  EXPECT_THAT(client.answer(), EndsWith("POST /a? h hello world"));
  EXPECT_THAT(client.answer(), EndsWith("GET /a?b h:1 "));
  client.send(head + "3E9\r\n");
  EXPECT_THAT(client.rest(), AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("1000 bytes (test.body)")));
  RawClient wrong = running.client();
  wrong.send(head + "nonsense\r\n");
  EXPECT_THAT(wrong.rest(), StartsWith("HTTP/1.1 400 "));
  RawClient endless = running.client();
  endless.send(head + "0\r\nTrailer: " + std::string(200'000, 'x'));
  EXPECT_THAT(endless.rest(), StartsWith("HTTP/1.1 400 ")) << "a trailer is bounded";
}

TEST(HttpServer, BodiesAreBounded) {
  RunningServer running(settings(), {{}, echo});
  RawClient client = running.client();
  client.send(post(std::string(1000, 'x')));
  EXPECT_THAT(client.answer(), EndsWith("x"));
  client.send(post(std::string(1001, 'x')));
  EXPECT_THAT(client.rest(), AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("1000 bytes (test.body)")));
  RunningServer without(settings(0), {{}, echo});
  RawClient other = without.client();
  other.send(post("x"));
  EXPECT_THAT(other.rest(), AllOf(StartsWith("HTTP/1.1 413 "), HasSubstr("a body are not accepted")));
}

/// RFC 9110, section 10.1.1.
TEST(HttpServer, Continue) {
  const auto on_head = [](const RequestHead&, HttpServer::Request& request) -> std::optional<HttpAnswer> {
    if (request.path == "/no") return HttpAnswer{403, "no", {}};
    request.credential = "seen";
    return {};
  };
  RunningServer running(settings(), {on_head, echo});
  const std::string whole = post("body", "Expect: 100-continue\r\n");
  const std::string head = whole.substr(0, whole.size() - 4);
  RawClient client = running.client();
  client.send(head);
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 100 "));
  client.send("body");
  EXPECT_THAT(client.answer(), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("body")));
  client.send(whole);
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 200 ")) << "the body was there already";
  client.send(post("body", "Expect: 100-continue\r\n", "/no").substr(0, head.size() + 1));
  EXPECT_THAT(client.rest(), AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr("Connection: close\r\n")));
}

TEST(HttpServer, WhatIsRefusedIsAnsweredThoughMuchIsUnread) {
  RunningServer running(settings(), {{}, echo});
  RawClient client = running.client();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + std::string(500'000, 'x'));
  EXPECT_THAT(client.rest(), StartsWith("HTTP/1.1 413 "));
  RawClient folded = running.client();
  folded.send("GET / HTTP/1.1\r\nHost: h\r\n A: b\r\n\r\n" + get);
  EXPECT_THAT(folded.rest(), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("continues on another line"),
                                   HasSubstr("Connection: close\r\n"), Not(HasSubstr("200 OK"))));
}

TEST(HttpServer, SlowRequestsGet408AndSilentOnesNothing) {
  RunningServer running(settings(1000, milliseconds(100)), {{}, echo});
  RawClient silent = running.client(), head = running.client(), body = running.client();
  head.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_EQ(silent.rest(), "");
  EXPECT_THAT(head.rest(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("100 ms (test.timeout_ms)")));
  EXPECT_THAT(body.rest(), StartsWith("HTTP/1.1 408 "));
}

TEST(HttpServer, OneThatWaitsForItsNextHeadGivesWay) {
  HttpServer::Settings two = settings();
  two.connections = 2;
  std::mutex mutex;
  std::vector<HttpServer::Respond> waiting;
  std::promise<void> both;
  RunningServer running(two, {{}, [&](const HttpServer::Request& asked, HttpServer::Respond respond) {
                                if (asked.method == "GET") return respond({200, "got", {}});
                                const std::scoped_lock lock(mutex);
                                waiting.push_back(std::move(respond));
                                if (waiting.size() == 2) both.set_value();
                              }});
  RawClient first = running.client();
  first.send(get);
  EXPECT_THAT(first.answer(), EndsWith("got"));
  RawClient second = running.client();
  second.send(get);
  EXPECT_THAT(second.answer(), EndsWith("got"));
  RawClient third = running.client();
  third.send(post("x"));
  EXPECT_EQ(first.rest(), "") << "the first has waited longest";
  second.send(post("x"));
  both.get_future().wait();
  RawClient fourth = running.client();
  fourth.send(get);
  EXPECT_THAT(fourth.rest(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n"),
                                   HasSubstr("all connections of tests are taken (test.connections)")));
  running.on_thread([&] {
    for (const auto& respond : std::exchange(waiting, {})) respond({200, "later", {}});
  });
  EXPECT_THAT(second.answer(), EndsWith("later"));
  EXPECT_THAT(third.answer(), EndsWith("later"));
}

TEST(HttpServer, HalfABodyGivesWay) {
  HttpServer::Settings two = settings();
  two.connections = 2;
  RunningServer running(two, {{}, echo});
  RawClient first = running.client(), second = running.client();
  for (const RawClient* half : {&first, &second})
    half->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  for (int i = 0; i < 5; ++i) {
    RawClient prober = running.client();
    prober.send(get);
    EXPECT_THAT(prober.answer(), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_EQ(first.rest(), "");
}

/// No byte of a body is read from a client without a valid key, and such clients share a quarter of the places.
TEST(HttpServer, WhoIsNotKnownGetsASmallShare) {
  HttpServer::Settings eight = settings(1 << 20);
  eight.connections = 8;
  HttpServer::Callbacks callbacks{
      [](const RequestHead& head, HttpServer::Request& request) -> std::optional<HttpAnswer> {
        request.credential = head.header("Key");
        return {};
      },
      echo};
  callbacks.on_check = [](const HttpServer::Request& request, const HttpServer::Checked& checked) {
    EXPECT_EQ(request.peer, "127.0.0.1");
    if (request.credential == "good") checked({});
    else checked(HttpAnswer{401, "who are you", {}});
  };
  RunningServer running(eight, callbacks);
  const auto half = [](const std::string& key) {
    return "POST / HTTP/1.1\r\nHost: h\r\nKey: " + key + "\r\nContent-Length: 200000\r\n\r\n" +
           std::string(100'000, 'x');
  };
  RawClient wrong = running.client();
  wrong.send(half("wrong"));
  EXPECT_THAT(wrong.rest(), StartsWith("HTTP/1.1 401 ")) << "though its body has not come to its end";
  std::vector<RawClient> known;
  for (int i = 0; i < 6; ++i) {
    known.push_back(running.client());
    known.back().send(half("good"));
  }
  std::vector<RawClient> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(running.client());
  for (RawClient& one : known) {
    one.send(std::string(100'000, 'y'));
    EXPECT_THAT(one.answer(), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("y"))) << "none of them gave way";
  }
}

TEST(HttpServer, WhatIsUnderWayIsAnsweredAfterStop) {
  HttpServer::Respond kept;
  std::promise<void> asked;
  RunningServer running(settings(), {{}, [&](const HttpServer::Request&, HttpServer::Respond respond) {
                                       kept = std::move(respond);
                                       asked.set_value();
                                     }});
  RawClient idle = running.client(), working = running.client();
  working.send(get + get);
  asked.get_future().wait();
  running.on_thread([&] { running.server()->stop(); });
  EXPECT_EQ(idle.rest(), "");
  EXPECT_THROW((void)running.client(), std::runtime_error);
  running.on_thread([&] { std::exchange(kept, {})({200, "last", {}}); });
  EXPECT_THAT(working.rest(), AllOf(HasSubstr("Connection: close\r\n"), EndsWith("last")));
}

TEST(HttpServer, AnswersMayOutliveIt) {
  HttpServer::Respond kept;
  std::promise<void> asked;
  RunningServer running(settings(), {{}, [&](const HttpServer::Request&, HttpServer::Respond respond) {
                                       kept = std::move(respond);
                                       asked.set_value();
                                     }});
  RawClient client = running.client();
  client.send(get);
  asked.get_future().wait();
  running.on_thread([&] {
    running.server().reset();
    kept({200, "late", {}});
    kept({200, "twice", {}});
    kept = {};
  });
  EXPECT_THAT(client.rest(), EndsWith("late"));
}

TEST(HttpServer, GoesOnAtAnotherSocket) {
  RunningServer running(settings(), {{}, echo});
  RawClient before = running.client();
  before.send(get);
  EXPECT_THAT(before.answer(), StartsWith("HTTP/1.1 200"));
  running.on_thread([&] { running.listen(); });
  RawClient after = running.client();
  after.send(get);
  EXPECT_THAT(after.answer(), StartsWith("HTTP/1.1 200"));
  before.send(get);
  EXPECT_THAT(before.answer(), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServer, TurnsConnectionsAwayWithoutAWord) {
  std::atomic<int> seen{0};
  HttpServer::Callbacks callbacks{{}, echo};
  callbacks.turns_away = [&](int socket) { return socket >= 0 && ++seen == 1; };
  RunningServer running(settings(), callbacks);
  RawClient first = running.client();
  first.send(get);
  EXPECT_EQ(first.rest(), "");
  RawClient second = running.client();
  second.send(get);
  EXPECT_THAT(second.answer(), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace nuropb
