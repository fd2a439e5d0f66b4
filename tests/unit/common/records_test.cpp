#include "common/records.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace nuropb::records {
namespace {

template <class Record>
std::string bytes_of(const Record& record) {
  std::string out = "x";  // encoders append
  encode(record, out);
  return out.substr(1);
}

/// Every truncation and every extension is refused.
template <class Record>
void only_whole(const Record& record) {
  const std::string bytes = bytes_of(record);
  EXPECT_TRUE(decode<Record>(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode<Record>(std::string_view(bytes).substr(0, size))) << size;
  EXPECT_FALSE(decode<Record>(bytes + "y"));
}

std::string refs_of(const std::vector<SessionRef>& refs) {
  std::string out;
  for (const SessionRef ref : refs) SessionRefs::append(out, ref);
  return out;
}

const SessionId id = *SessionId::from_hex("000102030405060708090a0b0c0d0e0f");

TEST(Records, GoThrough) {
  const std::string open = bytes_of(OpenSession{1, 2, id, CredentialKind::cookie, "token", "10.0.0.1:5"});
  const auto o = decode<OpenSession>(open);
  ASSERT_TRUE(o);
  EXPECT_EQ(o->session, 1u);
  EXPECT_EQ(o->serial, 2u);
  EXPECT_EQ(o->session_id, id);
  EXPECT_EQ(o->kind, CredentialKind::cookie);
  EXPECT_EQ(o->credential, "token");
  EXPECT_EQ(o->peer, "10.0.0.1:5");

  const std::string request = bytes_of(Request{3, 4, 5, "svc", "meth", "\"t\"", "{\"a\":1}"});
  const auto r = decode<Request>(request);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->deadline_ms, 5u);
  EXPECT_EQ(r->service, "svc");
  EXPECT_EQ(r->method, "meth");
  EXPECT_EQ(r->trace_id, "\"t\"");
  EXPECT_EQ(r->params, "{\"a\":1}");

  const std::string keep = bytes_of(Resume{Resume::What::resume, 1, 2, 3, 4, "token", "\"t\"", "{}"});
  const auto k = decode<Resume>(keep);
  ASSERT_TRUE(k);
  EXPECT_EQ(k->what, Resume::What::resume);
  EXPECT_EQ(k->number, 3u);
  EXPECT_EQ(k->deadline_ms, 4u);
  EXPECT_EQ(std::string(k->token) + "," + std::string(k->trace_id) + "," + std::string(k->text), "token,\"t\",{}");
  const std::string numbered = bytes_of(Numbered{1, 2, 3, false, true, false, "{}"});
  const auto n = decode<Numbered>(numbered);
  ASSERT_TRUE(n);
  EXPECT_EQ(n->number, 3u);
  EXPECT_TRUE(!n->answers && n->inherited && !n->refused);
  EXPECT_EQ(n->text, "{}");
  const std::string resumed = bytes_of(Resumed{Resumed::What::topic, 1, 2, 3, id, "token", "a.#"});
  const auto d = decode<Resumed>(resumed);
  ASSERT_TRUE(d);
  EXPECT_EQ(d->what, Resumed::What::topic);
  EXPECT_EQ(d->session_id, id);
  EXPECT_EQ(d->text, "a.#");
  EXPECT_FALSE(decode<Resume>(bytes_of(Resume{static_cast<Resume::What>(Resume::last_what + 1), 1, 2})));
  EXPECT_FALSE(decode<Resumed>(bytes_of(Resumed{static_cast<Resumed::What>(0), 1, 2, 3, id, {}, {}})));

  const std::string accepted = bytes_of(SessionAccepted{1, 2, "ann", "null", "ticket"});
  EXPECT_EQ(decode<SessionAccepted>(accepted)->ticket, "ticket");
  const std::string refused = bytes_of(SessionRefused{1, 2, 4501, "token refused"});
  EXPECT_EQ(decode<SessionRefused>(refused)->code, 4501);
  EXPECT_EQ(decode<SessionRefused>(refused)->reason, "token refused");
  const std::string response = bytes_of(Response{9, "[1]", "null"});
  EXPECT_EQ(decode<Response>(response)->result, "[1]");
  const std::string event = bytes_of(Event{1, 2, 3, "topic", "trace", "event", "target"});
  const auto e = decode<Event>(event);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->deadline_ms, 3u);
  EXPECT_EQ(std::string(e->topic) + "," + std::string(e->trace_id) + "," + std::string(e->event) + "," +
                std::string(e->target),
            "topic,trace,event,target");
  const std::string from_mesh = bytes_of(MeshEvent{"topic", "event", "context", "target", {}, "parent"});
  const auto m = decode<MeshEvent>(from_mesh);
  EXPECT_EQ(std::string(m->topic) + "," + std::string(m->event) + "," + std::string(m->context) + "," +
                std::string(m->target),
            "topic,event,context,target");
  EXPECT_EQ(m->traceparent, "parent");
  const std::string ended = bytes_of(SubscriptionEnded{1, 2, "topic", "error"});
  EXPECT_EQ(decode<SubscriptionEnded>(ended)->error, "error");
  EXPECT_EQ(decode<SubscriptionEnded>(ended)->topic, "topic");
  const std::string subscription = bytes_of(Subscription{1, 2, "a.#", 3, "t", {4, 5, "parent"}}),
                    call = bytes_of(SnorkyCall{1, 2, true, "s", "c", "1", "{}", {4, 5, "parent"}});
  for (const Origin& origin : {decode<Subscription>(subscription)->origin, decode<SnorkyCall>(call)->origin}) {
    EXPECT_EQ(origin.sent_us, 4u);
    EXPECT_EQ(origin.waited_us, 5u);
    EXPECT_EQ(origin.traceparent, "parent");
  }
  const std::string answered = bytes_of(Numbered{1, 2, 3, true, false, false, "{}", RequestOutcome::ok, {4, 5, 6, 7}});
  EXPECT_EQ(decode<Numbered>(answered)->stages.taken_us, 4u);
  EXPECT_EQ(decode<Numbered>(answered)->stages.service_us, 7u);
  const std::string close = bytes_of(CloseSession{7, 8});
  EXPECT_EQ(decode<CloseSession>(close)->serial, 8u);
}

TEST(Records, OnlyWholeOnesAreTaken) {
  only_whole(OpenSession{1, 2, id, CredentialKind::header, "token", "peer"});
  only_whole(CloseSession{1, 2});
  only_whole(Request{1, 2, 3, "s", "m", "null", "{}"});
  only_whole(SessionAccepted{1, 2, "u", "null", "t"});
  only_whole(SessionRefused{1, 2, 3, "r"});
  only_whole(Response{1, "1", "null"});
  only_whole(Authorize{1, 2, "t", 3, "null"});
  only_whole(SessionNotice{1, 2, "{}"});
  only_whole(EndSession{1, 2, 3, "r"});
  only_whole(Event{1, 2, 3, "a.b", "null", "{}", "[]"});
  only_whole(Subscription{1, 2, "a.#", 3, "\"t\"", {4, 5, "parent"}});
  only_whole(MeshEvent{"a.b", "{}", "{}", "null", {}, "parent"});
  only_whole(SnorkyCall{1, 2, true, "s", "c", "1", "{}", {4, 5, "parent"}});
  only_whole(SubscriptionEnded{1, 2, "a.#", "{}"});
  const std::string two = refs_of({{1, 2}, {3, 4}});
  only_whole(Push{5, false, true, SessionRefs(two), "[1]"});
  only_whole(Push{5, true, false, {}, "[1]"});
  only_whole(CloseSessions{5, false, 4000, SessionRefs(two), "enough"});
  only_whole(Pushed{5, 6});
  only_whole(Resume{Resume::What::say, 1, 2, 3, 4, "token", "\"t\"", "{}"});
  only_whole(Numbered{1, 2, 3, true, false, true, "{}"});
  only_whole(Resumed{Resumed::What::resumed, 1, 2, 3, id, "token", "{}"});
}

TEST(Records, LengthsThatLieAreRefused) {
  const std::string good = bytes_of(Request{1, 2, 3, "ss", "mm", "tt", "pp"});
  for (std::size_t at = 32; at < 48; at += 4) {
    for (const std::uint32_t lie : {0u, 1u, 3u, 0x7fffffffu, 0xffffffffu}) {
      std::string bad = good;
      std::memcpy(bad.data() + at, &lie, sizeof lie);
      EXPECT_FALSE(decode<Request>(bad)) << at << " " << lie;
    }
  }
}

TEST(Records, WhereAMessageComesFromTravelsWithIt) {
  const Origin from{17, 4, "00-parent"};
  const std::string request = bytes_of(Request{1, 2, 3, "s", "m", "null", "{}", from});
  EXPECT_EQ(decode<Request>(request)->origin.sent_us, 17u);
  EXPECT_EQ(decode<Request>(request)->origin.waited_us, 4u);
  EXPECT_EQ(decode<Request>(request)->origin.traceparent, "00-parent");
  EXPECT_EQ(decode<Request>(request)->params, "{}");
  const std::string event = bytes_of(Event{1, 2, 3, "a.b", "null", "{}", "[]", from});
  EXPECT_EQ(decode<Event>(event)->origin.traceparent, "00-parent");
  EXPECT_EQ(decode<Event>(event)->target, "[]");
  const std::string longer(max_traceparent + 1, 'x');
  EXPECT_FALSE(decode<Request>(bytes_of(Request{1, 2, 3, "s", "m", "null", "{}", {0, 0, longer}})));
  EXPECT_FALSE(decode<Event>(bytes_of(Event{1, 2, 3, "a.b", "null", "{}", "[]", {0, 0, longer}})));
}

TEST(Records, WhatWasMeasuredIsPutIntoAnAnswer) {
  std::string response = bytes_of(Response{9, "[1]", "null", RequestOutcome::not_delivered});
  EXPECT_EQ(decode<Response>(response)->stages.taken_us, 0u);
  set_stages(response, {100, 1, 2, 3});
  const auto read = decode<Response>(response);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->outcome, RequestOutcome::not_delivered);
  EXPECT_EQ(read->stages.taken_us, 100u);
  EXPECT_EQ(read->stages.request_ring_us + 10 * read->stages.broker_us + 100 * read->stages.service_us, 321u);
  EXPECT_EQ(read->result, "[1]");
  std::string unknown = bytes_of(Response{9, "1", "null", static_cast<RequestOutcome>(request_outcomes)});
  EXPECT_FALSE(decode<Response>(unknown));
  const std::string numbered = bytes_of(Numbered{1, 2, 3, true, false, true, "{}", RequestOutcome::timeout});
  EXPECT_EQ(decode<Numbered>(numbered)->outcome, RequestOutcome::timeout);
  EXPECT_FALSE(decode<Numbered>(bytes_of(Numbered{1, 2, 3, true, false, true, "{}", static_cast<RequestOutcome>(99)})));
}

TEST(Records, NamesAndTokensHaveTheirBounds) {
  EXPECT_TRUE(decode<Request>(bytes_of(Request{1, 2, 3, std::string(255, 's'), "m", "null", "{}"})));
  EXPECT_FALSE(decode<Request>(bytes_of(Request{1, 2, 3, std::string(256, 's'), "m", "null", "{}"})));
  EXPECT_FALSE(decode<Request>(bytes_of(Request{1, 2, 3, "s", std::string(256, 'm'), "null", "{}"})));
  EXPECT_FALSE(decode<Request>(bytes_of(Request{1, 2, 3, "s", "m", std::string(max_trace_id + 1, '1'), "{}"})));
  EXPECT_FALSE(decode<OpenSession>(
      bytes_of(OpenSession{1, 2, id, CredentialKind::header, std::string(max_credential + 1, 't'), ""})));
  EXPECT_TRUE(decode<OpenSession>(
      bytes_of(OpenSession{1, 2, id, CredentialKind::ticket, std::string(max_credential + 1, 't'), ""})));
  EXPECT_FALSE(decode<SessionRefused>(bytes_of(SessionRefused{1, 2, 3, std::string(124, 'r')})));
  EXPECT_FALSE(decode<EndSession>(bytes_of(EndSession{1, 2, 3, std::string(124, 'r')})));
  EXPECT_FALSE(decode<OpenSession>(
      bytes_of(OpenSession{1, 2, id, CredentialKind::ticket, std::string(max_ticket + 1, 't'), ""})));
  EXPECT_FALSE(decode<OpenSession>(
      bytes_of(OpenSession{1, 2, id, CredentialKind::header, "t", std::string(max_peer + 1, 'p')})));
  EXPECT_FALSE(
      decode<SessionAccepted>(bytes_of(SessionAccepted{1, 2, std::string(max_user_id + 1, 'u'), "null", "t"})));
  EXPECT_FALSE(decode<SessionAccepted>(bytes_of(SessionAccepted{1, 2, "u", std::string(max_username + 1, 'n'), "t"})));
  EXPECT_FALSE(decode<SessionAccepted>(bytes_of(SessionAccepted{1, 2, "u", "null", std::string(max_ticket + 1, 't')})));
}

TEST(Records, AnUnknownKindOfCredentialIsRefused) {
  std::string bytes = bytes_of(OpenSession{1, 2, id, CredentialKind::header, "t", ""});
  for (const std::uint32_t kind : {0u, 10u, 0xffu, 0x101u}) {
    std::memcpy(bytes.data() + 24, &kind, sizeof kind);
    EXPECT_FALSE(decode<OpenSession>(bytes)) << kind;
  }
}

TEST(Records, OnlyACertificateHasAnEnd) {
  OpenSession open{1, 2, id, CredentialKind::client_certificate, "ann", ""};
  open.valid_until = 1'764'590'400;
  EXPECT_EQ(decode<OpenSession>(bytes_of(open))->valid_until, open.valid_until);
  open.kind = CredentialKind::header;
  EXPECT_FALSE(decode<OpenSession>(bytes_of(open)));
  open.valid_until = 0;
  EXPECT_TRUE(decode<OpenSession>(bytes_of(open)));
}

TEST(Records, TheKindOfHandlerGoesThroughAndAnUnknownOneDoesNot) {
  const auto lines = HandlerKind::lines;
  std::string open = bytes_of(OpenSession{1, 2, id, CredentialKind::header, "t", "", lines}),
              event = bytes_of(MeshEvent{"t", "e", "c", "x", lines});
  std::string push = bytes_of(Push{1, true, false, {}, "1", lines}),
              close = bytes_of(CloseSessions{1, true, 1000, {}, "", lines});
  EXPECT_EQ(decode<OpenSession>(open)->handler, lines);
  EXPECT_EQ(decode<MeshEvent>(event)->handler, lines);
  EXPECT_EQ(decode<Push>(push)->handler, lines);
  EXPECT_EQ(decode<CloseSessions>(close)->handler, lines);
  const auto unknown = static_cast<std::uint32_t>(handler_kinds);
  std::memcpy(open.data() + 36, &unknown, sizeof unknown);
  std::memcpy(event.data() + 16, &unknown, sizeof unknown);
  std::memcpy(push.data() + 20, &unknown, sizeof unknown);
  std::memcpy(close.data() + 24, &unknown, sizeof unknown);
  EXPECT_FALSE(decode<OpenSession>(open));
  EXPECT_FALSE(decode<MeshEvent>(event));
  EXPECT_FALSE(decode<Push>(push));
  EXPECT_FALSE(decode<CloseSessions>(close));
}

TEST(Records, PushesGoThrough) {
  const std::string refs = refs_of({{1, 2}, {0xffffff, 0xffffffff}});
  const std::string bytes = bytes_of(Push{1ULL << 60, false, true, SessionRefs(refs), "{\"a\":1}"});
  const auto push = decode<Push>(bytes);
  ASSERT_TRUE(push);
  EXPECT_EQ(push->op, 1ULL << 60);
  EXPECT_TRUE(push->whole_frame && !push->all);
  ASSERT_EQ(push->sessions.size(), 2u);
  EXPECT_EQ(push->sessions[0], (SessionRef{1, 2}));
  EXPECT_EQ(push->sessions[1], (SessionRef{0xffffff, 0xffffffff}));
  EXPECT_EQ(push->text, "{\"a\":1}");
  const std::string closing = bytes_of(CloseSessions{2, true, 4999, {}, "enough"});
  const auto close = decode<CloseSessions>(closing);
  ASSERT_TRUE(close);
  EXPECT_TRUE(close->all);
  EXPECT_EQ(close->code, 4999);
  EXPECT_EQ(close->reason, "enough");
  EXPECT_EQ(decode<Pushed>(bytes_of(Pushed{3, 7}))->taken, 7u);
}

TEST(Records, ForAllNamesNobodyAndForSomeAtMostSoMany) {
  const std::string one = refs_of({{1, 2}});
  EXPECT_FALSE(decode<Push>(bytes_of(Push{1, true, false, SessionRefs(one), "1"})));
  EXPECT_FALSE(decode<CloseSessions>(bytes_of(CloseSessions{1, true, 4000, SessionRefs(one), ""})));
  const std::string most = refs_of(std::vector<SessionRef>(max_named_sessions)), more = most + one;
  EXPECT_TRUE(decode<Push>(bytes_of(Push{1, false, false, SessionRefs(most), "1"})));
  EXPECT_FALSE(decode<Push>(bytes_of(Push{1, false, false, SessionRefs(more), "1"})));
  EXPECT_FALSE(decode<CloseSessions>(bytes_of(CloseSessions{1, false, 4000, SessionRefs(more), ""})));
  std::string unknown_flag = bytes_of(Push{1, false, false, {}, "1"});
  unknown_flag[8] = 4;
  EXPECT_FALSE(decode<Push>(unknown_flag));
}

/// A type's largest record has the maximum size and the empty one the minimum: exactly what is allowed fits.
TEST(Records, SnorkysGoThrough) {
  const SnorkyCall call{1, 2, true, "pubsub", "subscribe", "7", R"({"channel":"c"})"};
  const std::string bytes = bytes_of(call);
  const auto c = decode<SnorkyCall>(bytes);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->session, 1u);
  EXPECT_EQ(c->serial, 2u);
  EXPECT_TRUE(c->restoring);
  EXPECT_EQ(c->service, "pubsub");
  EXPECT_EQ(c->command, "subscribe");
  EXPECT_EQ(c->call_id, "7");
  EXPECT_EQ(c->params, R"({"channel":"c"})");
  only_whole(call);

  const BackendCall backend{"key", "s", "c", "null", "{}"};
  const std::string backend_bytes = bytes_of(backend);
  EXPECT_EQ(decode<BackendCall>(backend_bytes)->key, "key");
  EXPECT_EQ(decode<BackendCall>(backend_bytes)->params, "{}");
  only_whole(backend);

  const SnorkyAnswer answer{3, 4, "key", "{}", "text"};
  const std::string answer_bytes = bytes_of(answer);
  EXPECT_EQ(decode<SnorkyAnswer>(answer_bytes)->serial, 4u);
  EXPECT_EQ(decode<SnorkyAnswer>(answer_bytes)->call, "{}");
  EXPECT_EQ(decode<SnorkyAnswer>(answer_bytes)->text, "text");
  only_whole(answer);

  const std::string status_bytes = bytes_of(BackendAnswer{401, "{}"});
  EXPECT_EQ(decode<BackendAnswer>(status_bytes)->status, 401);
  only_whole(BackendAnswer{401, "{}"});
  EXPECT_FALSE(decode<BackendAnswer>(bytes_of(BackendAnswer{99, ""})));
  EXPECT_FALSE(decode<BackendAnswer>(bytes_of(BackendAnswer{600, ""})));
  const std::string name(max_name + 1, 'n');
  EXPECT_FALSE(decode<SnorkyCall>(bytes_of(SnorkyCall{1, 2, false, name, "c", "", "{}"})));
  EXPECT_FALSE(decode<SnorkyCall>(bytes_of(SnorkyCall{1, 2, false, "s", name, "", "{}"})));
  EXPECT_FALSE(decode<BackendCall>(bytes_of(BackendCall{std::string(max_backend_key + 1, 'k'), "s", "c", "", "{}"})));
}

TEST(Records, BoundsAreThoseOfTheLargestAndTheEmptyRecord) {
  const auto expect = [](const std::optional<Bounds>& bounds, const std::string& largest, const std::string& smallest) {
    ASSERT_TRUE(bounds);
    EXPECT_EQ(bounds->maximum, largest.size());
    EXPECT_EQ(bounds->minimum, smallest.size());
  };
  const auto number = [](Type type) { return static_cast<std::uint16_t>(type); };
  const std::string ticket(max_ticket, 't'), peer(max_peer, 'p'), user(max_user_id, 'u'), name(max_username, 'n'),
      reason(max_reason, 'r');
  expect(bounds_to_meshd(number(Type::open_session), 5000),
         bytes_of(OpenSession{1, 2, id, CredentialKind::ticket, ticket, peer}), bytes_of(OpenSession{}));
  expect(bounds_to_meshd(number(Type::close_session), 5000), bytes_of(CloseSession{}), bytes_of(CloseSession{}));
  expect(bounds_to_edge(number(Type::session_accepted), 5000),
         bytes_of(SessionAccepted{1, 2, user, name, ticket, std::string(max_resume_token, 'r')}),
         bytes_of(SessionAccepted{}));
  expect(bounds_to_edge(number(Type::session_refused), 5000), bytes_of(SessionRefused{1, 2, 4501, reason}),
         bytes_of(SessionRefused{}));
  expect(bounds_to_edge(number(Type::end_session), 5000), bytes_of(EndSession{1, 2, 4501, reason}),
         bytes_of(EndSession{}));
  EXPECT_TRUE(decode<OpenSession>(bytes_of(OpenSession{1, 2, id, CredentialKind::ticket, ticket, peer})));
  EXPECT_TRUE(
      decode<SessionAccepted>(bytes_of(SessionAccepted{1, 2, user, name, ticket, std::string(max_resume_token, 'r')})));
  const std::string topic(max_name, 't');
  const Origin origin{UINT64_MAX, UINT32_MAX, std::string_view(name).substr(0, max_traceparent)};
  for (const Type type : {Type::subscribe, Type::unsubscribe})
    expect(bounds_to_meshd(number(type), 5000),
           bytes_of(Subscription{1, 2, topic, 3, std::string(max_trace_id, '1'), origin}), bytes_of(Subscription{}));
  expect(bounds_to_edge(number(Type::subscription_ended), 5000),
         bytes_of(SubscriptionEnded{1, 2, topic, std::string(max_error, 'e')}), bytes_of(SubscriptionEnded{}));
  const std::string named = refs_of(std::vector<SessionRef>(max_named_sessions));
  expect(bounds_to_meshd(number(Type::pushed), 5000), bytes_of(Pushed{}), bytes_of(Pushed{}));
  expect(bounds_to_edge(number(Type::push), 5000),
         bytes_of(Push{1, false, false, SessionRefs(named), std::string(5000, 'm')}), bytes_of(Push{}));
  expect(bounds_to_edge(number(Type::close_sessions), 5000),
         bytes_of(CloseSessions{1, false, 4000, SessionRefs(named), reason}), bytes_of(CloseSessions{}));
  const std::string trace(max_trace_id, '1'), key(max_backend_key, 'k'), standing(max_standing, 's'), params(5000, 'p');
  expect(bounds_to_meshd(number(Type::snorky_call), 5000),
         bytes_of(SnorkyCall{1, 2, false, topic, topic, trace, params, origin}), bytes_of(SnorkyCall{}));
  expect(bounds_to_meshd(number(Type::backend_call), 5000), bytes_of(BackendCall{key, topic, topic, trace, params}),
         bytes_of(BackendCall{}));
  const std::string long_token(max_credential, 't'), question(max_console_params, '1');
  expect(bounds_to_meshd(number(Type::console_call), 5000), bytes_of(ConsoleCall{long_token, topic, question}),
         bytes_of(ConsoleCall{}));
  EXPECT_TRUE(decode<ConsoleCall>(bytes_of(ConsoleCall{long_token, topic, question})));
  EXPECT_FALSE(decode<ConsoleCall>(bytes_of(ConsoleCall{long_token + "t", "", ""})));
  expect(bounds_to_edge(number(Type::snorky_answer), 5000),
         bytes_of(SnorkyAnswer{1, 2, standing, standing, std::string(5000 + max_error, 't')}),
         bytes_of(SnorkyAnswer{}));
  expect(bounds_to_edge(number(Type::backend_answer), 5000),
         bytes_of(BackendAnswer{200, std::string(5000 + max_error, 't')}), bytes_of(BackendAnswer{200, ""}));
  expect(bounds_to_meshd(number(Type::authorize), 5000),
         bytes_of(Authorize{1, 2, std::string(max_credential, 't'), 3, trace}), bytes_of(Authorize{}));
  const std::string token(max_resume_token, 't');
  expect(bounds_to_meshd(number(Type::resume), 5000),
         bytes_of(Resume{Resume::What::say, 1, 2, 3, 4, token, trace, std::string(5000 + max_framing, 't')}),
         bytes_of(Resume{}));
  expect(bounds_to_edge(number(Type::numbered), 5000),
         bytes_of(Numbered{1, 2, 3, true, false, false, std::string(5000 + max_framing, 't')}), bytes_of(Numbered{}));
  expect(bounds_to_edge(number(Type::resumed), 5000),
         bytes_of(Resumed{Resumed::What::resumed, 1, 2, 3, id, token, std::string(max_resumed_text, 't')}),
         bytes_of(Resumed{}));
  expect(bounds_to_edge(number(Type::session_notice), 5000),
         bytes_of(SessionNotice{1, 2, std::string(max_notice, 't')}), bytes_of(SessionNotice{}));
  const auto whole_event = bounds_to_meshd(number(Type::event), 5000);
  ASSERT_TRUE(whole_event);
  EXPECT_EQ(whole_event->minimum, bytes_of(Event{}).size());
  EXPECT_EQ(whole_event->maximum, bytes_of(Event{1,
                                                 2,
                                                 3,
                                                 topic,
                                                 std::string(max_trace_id, '1'),
                                                 std::string(4996, 'e'),
                                                 "null",
                                                 {0, 0, std::string(max_traceparent, '0')}})
                                      .size())
      << "event and target of one message";
  const auto response = bounds_to_edge(number(Type::response), 5000);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->minimum, bytes_of(Response{}).size());
  EXPECT_GE(response->maximum, bytes_of(Response{1, std::string(5000, 'x'), "null"}).size());
}

TEST(Records, BoundsHoldWhatEncodersWriteAndKnowTheirDirection) {
  const std::string request = bytes_of(Request{1,
                                               2,
                                               3,
                                               std::string(255, 's'),
                                               std::string(255, 'm'),
                                               std::string(1024, '1'),
                                               std::string(5000, 'p'),
                                               {0, 0, std::string(max_traceparent, '0')}});
  const auto bounds = bounds_to_meshd(static_cast<std::uint16_t>(Type::request), 5000);
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->maximum, request.size());
  EXPECT_EQ(bounds->minimum, bytes_of(Request{}).size());
  EXPECT_FALSE(bounds_to_meshd(static_cast<std::uint16_t>(Type::response), 5000));
  EXPECT_FALSE(bounds_to_edge(static_cast<std::uint16_t>(Type::request), 5000));
  for (const std::uint16_t type : {0, 15, 64, 79, 0xffff}) {
    EXPECT_FALSE(bounds_to_meshd(type, 5000)) << type;
    EXPECT_FALSE(bounds_to_edge(type, 5000)) << type;
  }
}

}  // namespace
}  // namespace nuropb::records
