// Attacks with the content of records.

#include "tests/hostile/attacks.hpp"

#include <chrono>
#include <cstddef>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/record_format.hpp"

namespace nuropb::hostile {
namespace {

using nlohmann::json;
using records::CredentialKind;
using records::Type;

records::Resume keep(std::uint32_t slot, std::uint32_t serial) {
  return {records::Resume::What::keep,
          slot,
          serial,
          0,
          Attacker::request(slot, serial, "", "", "").deadline_ms,
          {},
          "\"keep\"",
          {}};
}

[[noreturn]] void record(Attacker& edge, const Arguments& arguments) {
  const std::string& what = arguments.at(0);
  const auto session = [&](std::uint32_t slot) {
    if (edge.open(slot, 1, CredentialKind::header, arguments.at(1)).refused != 0) give_up("refused");
  };
  const std::string& service = arguments.at(2);
  const std::map<std::string, std::function<void()>> attacks{
      {"unknown-type", [&] { edge.put(60'000, "x"); }},
      {"meshds-own-type", [&] { edge.put(Type::response, records::Response{0, "1", "null"}); }},
      {"too-short", [&] { edge.put(static_cast<std::uint16_t>(Type::request), "x"); }},
      {"lengths-that-lie",
       [&] {
         std::string payload;
         records::encode(Attacker::request(0, 1, service, "echo", "{}"), payload);
         std::memset(payload.data() + offsetof(records::RequestHead, service), 0xff, 4);
         edge.put(static_cast<std::uint16_t>(Type::request), payload);
       }},
      {"request-of-nobody", [&] { edge.put(Type::request, Attacker::request(5, 1, service, "echo", "{}"), 1); }},
      {"slot-beyond-limits",
       [&] {
         edge.put(Type::open_session,
                  records::OpenSession{0xff'0000, 1, SessionId::random(), CredentialKind::header, "x", "x", {}});
       }},
      {"request-of-a-predecessor",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 7, service, "echo", "{}"), 1);
       }},
      {"opened-twice",
       [&] {
         session(0);
         edge.put(Type::open_session,
                  records::OpenSession{0, 2, SessionId::random(), CredentialKind::header, "x", "x", {}});
       }},
      {"sequence-of-41-bits",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "echo", "{}"), 1ULL << 40);
       }},
      {"params-that-break-out",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "whoami", R"({},"context":{"user_id":"ann"})"), 1);
       }},
      {"trace-id-that-breaks-out",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "whoami", "{}", R"("t","user_id":"ann")"), 1);
       }},
      {"deep-json",
       [&] {
         session(0);
         edge.put(Type::request, Attacker::request(0, 1, service, "echo", std::string(100'000, '[')), 1);
       }},
      {"console-call-that-lies",
       [&] {
         std::string payload;
         records::encode(records::ConsoleCall{"token", "status", "{}"}, payload);
         std::memset(payload.data(), 0xff, 4);
         edge.put(static_cast<std::uint16_t>(Type::console_call), payload);
       }},
      {"count-nobody-asked-for", [&] { edge.put(Type::pushed, records::Pushed{42, 1'000'000}); }},
      {"backend-where-there-is-none",
       [&] {
         edge.put(Type::backend_call, records::BackendCall{"key", "gateway", "send_to_all", "", R"({"message":1})"}, 1);
       }},
      // The honest edge that resumes that session would have to treat it as malformed data from meshd.
      {"say-beyond-any-message",
       [&] {
         session(0);
         edge.put(Type::resume, keep(0, 1), 1);
         const std::string text =
             R"({"x":")" + std::string(Config().limits.message_bytes + records::max_framing, 'x') + "\"}";
         edge.put(Type::resume, records::Resume{records::Resume::What::say, 0, 1, 0, 0, {}, {}, text});
       }},
      // Its response would be sent to the session that has left this slot and waits for its own.
      {"sequence-of-a-session-that-waits",
       [&] {
         session(0);
         edge.put(Type::resume, keep(0, 1), 1);
         edge.put(Type::resume,
                  records::Resume{records::Resume::What::pending, 0, 1, 0, keep(0, 1).deadline_ms, {}, "\"p\""}, 7);
         edge.put(Type::close_session, records::CloseSession{0, 1, true});
         edge.put(Type::open_session,
                  records::OpenSession{0, 2, SessionId::random(), CredentialKind::header, arguments.at(1), "x", {}});
         while (const auto next = edge.next()) {
           if (next->first.type == static_cast<std::uint16_t>(Type::session_accepted)) break;
         }
         edge.put(Type::request, Attacker::request(0, 2, service, "echo", "{}"), 7);
       }},
      {"snorky-where-there-is-none",
       [&] {
         session(0);
         edge.put(Type::snorky_call, records::SnorkyCall{0, 1, false, "pubsub", "publish", "", "{}"}, 1);
       }},
  };
  const auto found = attacks.find(what);
  if (found == attacks.end()) give_up("no such record: " + what);
  found->second();
  edge.await_death();
}

/// Method and service are strings, and stay strings in the message, whatever they contain.
void injected_names(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  const auto [result, error] = edge.ask(0, 1, arguments.at(1), R"(whoami","context":{"user_id":"ann"},"x":")", "{}");
  const auto [who, none] = edge.ask(0, 1, arguments.at(1), "whoami", "{}");
  report({{"injected", json::parse(error)}, {"who", json::parse(who)}});
}

/// Not an attack: an edge returns a response which meshd has sent before it read that the session is numbered. That
/// ends the request, and no second response follows at its deadline.
void answer_given_back(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  SystemClock clock;
  const auto at = [&](int ms) { return to_ring_ms(clock.now() + std::chrono::milliseconds(ms)); };
  using What = records::Resume::What;
  edge.put(Type::resume, records::Resume{What::keep, 0, 1, 0, at(30'000), {}, R"("keep")"}, 1);
  edge.put(Type::resume, records::Resume{What::pending, 0, 1, 0, at(200), {}, R"("given back")"}, 7);
  edge.put(Type::resume, records::Resume{What::pending, 0, 1, 0, at(400), {}, R"("late")"}, 8);
  edge.put(Type::resume, records::Resume{What::say, 0, 1, 8, 0, {}, {}, R"({"given":"back"})"});
  edge.put(Type::resume, records::Resume{What::say, 0, 1, 0, 0, {}, {}, R"({"made":"up"})"});
  json heard = json::array();
  do {
    const auto record = edge.next();
    if (!record) give_up("no answer in time");
    if (record->first.type != static_cast<std::uint16_t>(Type::numbered)) continue;
    const auto numbered = records::decode<records::Numbered>(record->second);
    if (!numbered) give_up("a message that can't be decoded");
    heard.push_back({numbered->number, numbered->answers ? record->first.sequence : 0, json::parse(numbered->text)});
  } while (heard.empty() || heard.back()[1] != 8);
  report(heard);
}

/// Joins a chat, asks for sequenced messages, which is impossible on /ws, and loses the socket.
void ghost(Attacker& edge, const Arguments& arguments) {
  if (edge.open(0, 1, CredentialKind::header, arguments.at(0)).refused != 0) give_up("refused");
  edge.put(Type::snorky_call, records::SnorkyCall{0, 1, false, "chat", "join", "1", R"({"channel":"c"})"}, 1);
  edge.put(Type::resume, keep(0, 1), 2);
  edge.put(Type::close_session, records::CloseSession{0, 1, true});
  report({{"left", true}});
  std::string line;
  std::getline(std::cin, line);
}

}  // namespace

Attacks on_records() {
  return {{"record", record},
          {"injected-names", injected_names},
          {"answer-given-back", answer_given_back},
          {"ghost", ghost}};
}

}  // namespace nuropb::hostile
