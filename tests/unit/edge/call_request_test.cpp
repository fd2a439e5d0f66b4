#include "edge/http_calls/call_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "edge/protocol/client_message.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CallRequestTest : public ::testing::Test {
 protected:
  static constexpr std::size_t most = 64 * 1024;
  static constexpr json::Limits limits{256, 1000};

  /// A request with this target, and what is read from its head.
  static std::variant<CallRequest, HttpAnswer> read(std::string_view method, std::string_view target,
                                                    const std::vector<std::string>& headers = {}) {
    std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: gw.test\r\n";
    for (const std::string& header : headers) text += header + "\r\n";
    text += "\r\n";
    const RequestHead head = parse_request_head(text, {16 * 1024, 32 * 1024, 100, most});
    if (head.what != RequestHead::What::complete) throw std::runtime_error("not a head: " + text);
    return read_call(head);
  }
  static CallRequest call(std::string_view method, std::string_view target,
                          const std::vector<std::string>& headers = {}) {
    auto out = read(method, target, headers);
    if (const auto* const refused = std::get_if<HttpAnswer>(&out)) throw std::runtime_error(refused->body);
    return std::get<CallRequest>(std::move(out));
  }
  static CallRequest post(std::string_view target, const std::vector<std::string>& headers = {}) {
    return call("POST", target, headers);
  }
  /// The refusal; status 0 if there is none.
  static HttpAnswer refusal_of(std::string_view method, std::string_view target,
                               const std::vector<std::string>& headers = {}) {
    const auto out = read(method, target, headers);
    const auto* const refused = std::get_if<HttpAnswer>(&out);
    return refused ? *refused : HttpAnswer{0, {}, {}};
  }
  static int status(std::string_view method, std::string_view target) { return refusal_of(method, target).status; }
  static std::string header(const HttpAnswer& answer, std::string_view name) {
    for (const auto& [one, value] : answer.headers) {
      if (one == name) return value;
    }
    return "none";
  }

  /// The message of a call, and the request that an edge reads from it.
  struct Read {
    std::string text;
    ClientRequest request;
  };
  static Read message(const CallRequest& call, std::string_view body, json::Limits how = limits) {
    auto out = message_of(call, body, how, most);
    if (const auto* const refused = std::get_if<HttpAnswer>(&out)) throw std::runtime_error(refused->body);
    Read read{std::get<std::string>(std::move(out)), {}};
    auto decoded = decode_client_message(read.text, how);
    if (const auto* const mistake = std::get_if<ClientMistake>(&decoded))
      throw std::runtime_error(mistake->error + ": " + mistake->description);
    read.request = std::get<ClientRequest>(std::move(decoded));
    // The views of a short text would not survive that it is moved.
    if (read.text.size() < 64) throw std::runtime_error("too short: " + read.text);
    return read;
  }
  static HttpAnswer refusal_of_body(const CallRequest& call, std::string_view body, json::Limits how = limits,
                                    std::size_t bytes = most) {
    const auto out = message_of(call, body, how, bytes);
    const auto* const refused = std::get_if<HttpAnswer>(&out);
    return refused ? *refused : HttpAnswer{0, {}, {}};
  }
  static std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }
};

// The path

TEST_F(CallRequestTest, ACallNamesServiceAndMethod) {
  const CallRequest out = post("/call/demo/echo");
  EXPECT_EQ(out.verb, Type::request);
  EXPECT_EQ(out.service, "demo");
  EXPECT_EQ(out.method, "echo");
  EXPECT_THAT(out.targets, IsEmpty());
  EXPECT_FALSE(out.ttl_ms);
  EXPECT_EQ(out.traceparent, "");
}

TEST_F(CallRequestTest, EachVerbHasItsPath) {
  EXPECT_EQ(post("/command/demo/note").verb, Type::command);
  const CallRequest event = post("/event/orders.new");
  EXPECT_EQ(event.verb, Type::event);
  EXPECT_EQ(event.service, "orders.new");
  EXPECT_EQ(event.method, "");
  const CallRequest description = call("GET", "/services/demo");
  EXPECT_EQ(description.verb, Type::describe);
  EXPECT_EQ(description.service, "demo");
  EXPECT_EQ(description.method, "");
}

TEST_F(CallRequestTest, NamesArePercentEncoded) {
  const CallRequest out = post("/call/a%20b%2Fc/%22%7B%c3%bc");
  EXPECT_EQ(out.service, "a b/c");
  EXPECT_EQ(out.method, "\"{\xc3\xbc");
  EXPECT_EQ(post("/event/a%2fb").service, "a/b");
  EXPECT_EQ(post("/call/a+b/c").service, "a+b") << "a plus sign is a plus sign";
}

TEST_F(CallRequestTest, APathThatNamesNothingIsNotFound) {
  for (const char* const target : {"/",
                                   "/call",
                                   "/call/",
                                   "/call/demo",
                                   "/call/demo/",
                                   "/call//echo",
                                   "/call/demo/echo/more",
                                   "/call/demo//",
                                   "/event/",
                                   "/event/a/b",
                                   "/command/demo",
                                   "/calls/demo/echo",
                                   "/CALL/demo/echo",
                                   "/call%2Fdemo/echo",
                                   "/call/demo/%zz",
                                   "/call/%/echo",
                                   "/call/demo/echo%2",
                                   "/call/demo/echo/",
                                   "/call/demo/_private",
                                   "/command/demo/_",
                                   "/event/a/"})
    EXPECT_EQ(status("POST", target), 404) << target;
  EXPECT_EQ(status("GET", "/services/"), 404);
  EXPECT_EQ(status("GET", "/services/demo/echo"), 404);
  const HttpAnswer missing = refusal_of("POST", "/call/demo");
  EXPECT_THAT(missing.body, HasSubstr("the path names no method"));
  EXPECT_THAT(missing.body, HasSubstr("NuropbHandlingError"));
  EXPECT_THAT(refusal_of("POST", "/call/demo/a/b").body, HasSubstr("%2F"));
}

TEST_F(CallRequestTest, ANameHasAtMost255Bytes) {
  const std::string longest(255, 'x');
  EXPECT_EQ(post("/call/" + longest + "/" + longest).service, longest);
  EXPECT_EQ(post("/event/" + longest).service, longest);
  EXPECT_EQ(status("POST", "/call/" + longest + "x/echo"), 404);
  EXPECT_EQ(status("POST", "/call/demo/" + longest + "x"), 404);
  std::string encoded;
  for (int i = 0; i < 255; ++i) encoded += "%78";
  EXPECT_EQ(post("/call/demo/" + encoded).method, longest) << "of the decoded name";
}

TEST_F(CallRequestTest, ANameThatIsNotUtf8IsNotAnotherOne) {
  EXPECT_EQ(status("POST", "/call/%ff/echo"), 404) << "JSON can't contain it";
  EXPECT_EQ(status("POST", "/call/demo/a%c3"), 404);
  EXPECT_EQ(status("POST", "/event/%ed%a0%80"), 404);
  EXPECT_EQ(status("GET", "/services/%80"), 404);
  EXPECT_EQ(status("POST", "/event/a?target=%ff"), 400);
}

TEST_F(CallRequestTest, AnotherMethodIsNotAllowed) {
  const HttpAnswer get = refusal_of("GET", "/call/demo/echo");
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(header(get, "Allow"), "POST, OPTIONS");
  EXPECT_EQ(refusal_of("PUT", "/event/a").status, 405);
  EXPECT_EQ(refusal_of("post", "/call/demo/echo").status, 405) << "methods are case-sensitive";
  const HttpAnswer post = refusal_of("POST", "/services/demo");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(header(post, "Allow"), "GET, HEAD, OPTIONS");
}

TEST_F(CallRequestTest, HeadDescribesAServiceAndCallsNothing) {
  EXPECT_EQ(call("HEAD", "/services/demo").verb, Type::describe);
  EXPECT_EQ(refusal_of("HEAD", "/call/demo/echo").status, 405);
}

// Parameters and headers

TEST_F(CallRequestTest, TheTimeToWaitIsAParameter) {
  EXPECT_EQ(post("/call/demo/echo?ttl=250").ttl_ms, 250u);
  EXPECT_EQ(post("/call/demo/echo?ttl=0").ttl_ms, 0u);
  EXPECT_EQ(post("/call/demo/echo?&ttl=%35&").ttl_ms, 5u) << "empty parameters are none";
  EXPECT_FALSE(post("/call/demo/echo?").ttl_ms);
  for (const char* const value : {"", "=", "=x", "=-1", "=+1", "=1.5", "=1e3", "=99999999999999999999", "=1%", "=1%20"})
    EXPECT_EQ(status("POST", "/call/demo/echo?ttl" + std::string(value)), 400) << value;
}

TEST_F(CallRequestTest, TheTimeToWaitIsAPreference) {
  const auto wait = [](const std::string& prefer) { return post("/call/demo/echo", {"Prefer: " + prefer}).ttl_ms; };
  EXPECT_EQ(wait("wait=5"), 5000u);
  EXPECT_EQ(wait("respond-async, wait=5"), 5000u);
  EXPECT_EQ(wait("wait=5;strict, handling=lenient"), 5000u);
  EXPECT_EQ(wait("wait=5, wait=7"), 5000u) << "the first one counts";
  EXPECT_EQ(wait("Wait=5 ; x"), 5000u) << "names have no case, and parameters may stand apart";
  EXPECT_EQ(wait("return=minimal"), std::nullopt);
  EXPECT_EQ(post("/call/demo/echo", {"Prefer: return=minimal", "Prefer: wait=5"}).ttl_ms, 5000u);
}

TEST_F(CallRequestTest, AMalformedPreferenceIsNone) {
  const auto wait = [](const std::string& prefer) { return post("/call/demo/echo", {"Prefer: " + prefer}).ttl_ms; };
  for (const char* const prefer :
       {"wait", "wait=", "wait=x", "wait=-1", "wait=1.5", "wait=0", "waiting=5", ",,", "wait=99999999999999999999"})
    EXPECT_EQ(wait(prefer), std::nullopt) << prefer;
  EXPECT_EQ(wait("wait=x, wait=7"), 7000u);
}

TEST_F(CallRequestTest, AParameterPrecedesAPreference) {
  EXPECT_EQ(post("/call/demo/echo?ttl=250", {"Prefer: wait=5"}).ttl_ms, 250u);
}

TEST_F(CallRequestTest, AParameterThatDoesNotExistIsAMistake) {
  const HttpAnswer misspelled = refusal_of("POST", "/call/demo/echo?tll=5");
  EXPECT_EQ(misspelled.status, 400);
  EXPECT_THAT(misspelled.body, HasSubstr("there is no such parameter: tll"));
  EXPECT_EQ(status("POST", "/call/demo/echo?TTL=5"), 400);
  EXPECT_EQ(status("POST", "/call/demo/echo?access_token=secret"), 400);
  EXPECT_EQ(status("POST", "/call/demo/echo?=5"), 400);
  const std::string long_name(2000, 'x');
  EXPECT_LT(refusal_of("POST", "/call/demo/echo?" + long_name).body.size(), 400u) << "it is not repeated in full";
}

TEST_F(CallRequestTest, AnEventMayHaveTargets) {
  EXPECT_THAT(post("/event/a?target=ann&target=b%26%22b&ttl=5").targets, ElementsAre("ann", "b&\"b"));
  EXPECT_EQ(status("POST", "/event/a?target="), 400);
  EXPECT_EQ(status("POST", "/event/a?target"), 400);
  EXPECT_EQ(status("POST", "/event/a?target=" + std::string(records::max_user_id + 1, 'x')), 400);
  EXPECT_EQ(status("POST", "/call/demo/echo?target=ann"), 400) << "nothing else has";
}

TEST_F(CallRequestTest, ARequestIdIsTheIdOfTheCall) {
  EXPECT_EQ(post("/call/demo/echo", {"X-Request-Id: 7f-a:b/c"}).id, "7f-a:b/c");
  EXPECT_EQ(post("/call/demo/echo", {"X-Request-Id: " + std::string(128, 'x')}).id, std::string(128, 'x'));
}

TEST_F(CallRequestTest, ARequestIdThatCantBeRepeatedIsReplaced) {
  const auto generated = [](const std::vector<std::string>& headers) {
    const std::string id = post("/call/demo/echo", headers).id;
    EXPECT_EQ(id.size(), 32u) << id;
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
    return id;
  };
  EXPECT_NE(generated({}), generated({}));
  generated({"X-Request-Id:"});
  generated({"X-Request-Id: a b"});
  generated({"X-Request-Id: a\"b"});
  generated({"X-Request-Id: a\\b"});
  generated({"X-Request-Id: \xc3\xbc"});
  generated({"X-Request-Id: a", "X-Request-Id: b"});
  generated({"X-Request-Id: " + std::string(129, 'x')});
}

TEST_F(CallRequestTest, ATraceparentIsPassedOnIfItIsValid) {
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(post("/call/demo/echo", {"traceparent: " + parent}).traceparent, parent);
  EXPECT_EQ(post("/call/demo/echo", {"traceparent: rubbish"}).traceparent, "");
}

// The body

TEST_F(CallRequestTest, TheBodyIsTheParams) {
  const Read out = message(post("/call/demo/echo", {"X-Request-Id: t"}), " {\"x\": [1, \"\\u00fc\"]}\r\n");
  EXPECT_EQ(out.request.verb, Type::request);
  EXPECT_EQ(out.request.service, "demo");
  EXPECT_EQ(out.request.method, "echo");
  EXPECT_EQ(out.request.params, "{\"x\": [1, \"\\u00fc\"]}") << "byte for byte";
  EXPECT_EQ(out.request.trace_id, "\"t\"");
  EXPECT_FALSE(out.request.ttl_ms);
  EXPECT_EQ(out.request.traceparent, "");
  EXPECT_FALSE(out.request.idempotent);
}

TEST_F(CallRequestTest, EachVerbIsReadAsItself) {
  const Read command = message(post("/command/demo/note"), "[1]");
  EXPECT_EQ(command.request.verb, Type::command);
  EXPECT_EQ(command.request.service, "demo");
  EXPECT_EQ(command.request.method, "note");
  EXPECT_EQ(command.request.params, "[1]");
  const Read event = message(post("/event/orders.new"), "\"text\"");
  EXPECT_EQ(event.request.verb, Type::event);
  EXPECT_EQ(event.request.topic, "orders.new");
  EXPECT_EQ(event.request.params, "\"text\"");
  EXPECT_EQ(event.request.target, "null");
  const Read description = message(call("GET", "/services/demo"), "");
  EXPECT_EQ(description.request.verb, Type::describe);
  EXPECT_EQ(description.request.service, "demo");
}

TEST_F(CallRequestTest, WhatTheHeadSaysIsInTheMessage) {
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Read out = message(post("/event/a?ttl=250&target=ann&target=b%22%5c", {"traceparent: " + parent}), "1");
  EXPECT_EQ(out.request.ttl_ms, 250u);
  EXPECT_EQ(out.request.traceparent, parent);
  EXPECT_EQ(nlohmann::json::parse(out.request.target), nlohmann::json::array({"ann", "b\"\\"}));
}

TEST_F(CallRequestTest, NamesCantEndTheirMembers) {
  const Read out = message(post("/call/a%22%7D%2C%22type%22%3A%22x/b%5C%22%0a%00"), "{}");
  EXPECT_EQ(out.request.verb, Type::request);
  EXPECT_EQ(out.request.service, R"(a"},"type":"x)");
  EXPECT_EQ(out.request.method, std::string("b\\\"\n\0", 5));
}

TEST_F(CallRequestTest, AnEmptyBodyIsNoParameters) {
  for (const char* const body : {"", " \r\n\t", "\xef\xbb\xbf", "\xef\xbb\xbf "}) {
    EXPECT_EQ(message(post("/call/demo/echo"), body).request.params, "{}");
    EXPECT_EQ(message(post("/command/demo/echo"), body).request.params, "{}");
    EXPECT_EQ(message(post("/event/a"), body).request.params, "null");
  }
}

TEST_F(CallRequestTest, AByteOrderMarkIsSkipped) {
  EXPECT_EQ(message(post("/call/demo/echo"), "\xef\xbb\xbf{\"x\":1}").request.params, "{\"x\":1}");
}

TEST_F(CallRequestTest, ABodyThatIsNotJsonIsRefused) {
  for (const char* const body : {"{nonsense", "x=1&y=2", "{\"x\":1}{}", "\"\xff\"", "nul", "{'x':1}"}) {
    const HttpAnswer out = refusal_of_body(post("/call/demo/echo"), body);
    EXPECT_EQ(out.status, 400) << body;
    EXPECT_THAT(out.body, HasSubstr("the body is not JSON")) << body;
    EXPECT_FALSE(json::validate(out.body)) << out.body;
  }
}

TEST_F(CallRequestTest, ABodyCantEndItsMemberAndBeginOthers) {
  for (const char* const body : {R"(1},"x":{)", R"({}},"type":"event","payload":{"topic":"a","event":{)",
                                 R"({},"service":"other","x":{})", R"(1,"method":"other")", "1}}", "{}}"})
    EXPECT_EQ(refusal_of_body(post("/call/demo/echo"), body).status, 400) << body;
}

TEST_F(CallRequestTest, ABodyMayBeAsDeepAsItsMessage) {
  const json::Limits shallow{8, 1000};
  EXPECT_EQ(message(post("/call/demo/echo"), nested(6), shallow).request.params, nested(6));
  for (const std::size_t depth : {7, 8, 9, 2000})
    EXPECT_EQ(refusal_of_body(post("/call/demo/echo"), nested(depth), shallow).status, 400) << depth;
}

TEST_F(CallRequestTest, ANumberMayBeOnlySoLong) {
  EXPECT_EQ(message(post("/call/demo/echo"), std::string(1000, '1')).request.params.size(), 1000u);
  EXPECT_EQ(refusal_of_body(post("/call/demo/echo"), std::string(1001, '1')).status, 400);
}

TEST_F(CallRequestTest, ALongTimeFitsTheShortestNumber) {
  const json::Limits short_numbers{8, 32};
  const Read out = message(post("/call/demo/echo?ttl=18446744073709551615"), "{}", short_numbers);
  EXPECT_GT(out.request.ttl_ms, 1'000'000'000u);
  const Read preferred = message(post("/call/demo/echo", {"Prefer: wait=18446744073709551615"}), "{}", short_numbers);
  EXPECT_GT(preferred.request.ttl_ms, 1'000'000'000u);
}

TEST_F(CallRequestTest, AMessageOverTheLimitIsTooLarge) {
  const CallRequest call = post("/call/demo/echo");
  const std::string body = "\"" + std::string(1000, 'x') + "\"";
  const std::size_t size = message(call, body).text.size();
  EXPECT_EQ(refusal_of_body(call, body, limits, size).status, 0);
  const HttpAnswer out = refusal_of_body(call, body, limits, size - 1);
  EXPECT_EQ(out.status, 413);
  EXPECT_THAT(out.body, HasSubstr("limits.message_bytes"));
}

TEST_F(CallRequestTest, ADescriptionTakesNoBody) {
  EXPECT_EQ(refusal_of_body(call("GET", "/services/demo"), "{}").status, 400);
  EXPECT_EQ(refusal_of_body(call("GET", "/services/demo"), " ").status, 0);
}

}  // namespace
}  // namespace nuropb::edge
