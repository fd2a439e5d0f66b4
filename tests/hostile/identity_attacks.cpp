// Attacks with tickets, tokens and session ids of others.

#include "tests/hostile/attacks.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

namespace nuropb::hostile {
namespace {

using nlohmann::json;
using records::CredentialKind;
using records::Type;

/// Shows that the attacker can work as an edge, so that the attacks fail for the right reason.
void honest(Attacker& edge, const Arguments& arguments) {
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0));
  if (mine.refused != 0) give_up("refused");
  const auto [result, error] = edge.ask(0, 1, arguments.at(1), "whoami", "{}");
  const auto again = edge.open(1, 1, CredentialKind::header, "no token of anybody's");
  report({{"user", mine.user_id},
          {"result", json::parse(result)},
          {"error", json::parse(error)},
          {"bad token", again.refused}});
}

void tickets(Attacker& edge, const Arguments& arguments) {
  const auto id = SessionId::random();
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0), id);
  if (mine.refused != 0) give_up("refused");
  json refused = json::object();
  std::uint32_t slot = 1;
  const auto attempt = [&](const char* name, std::string_view ticket, const SessionId& as) {
    refused[name] = edge.open(slot, 1, CredentialKind::ticket, ticket, as).refused;
    ++slot;
  };
  for (const std::size_t at : {std::size_t{0}, mine.ticket.size() / 2, mine.ticket.size() - 1}) {
    std::string altered = mine.ticket;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    attempt(("byte " + std::to_string(at) + " altered").c_str(), altered, id);
  }
  attempt("cut short", std::string_view(mine.ticket).substr(0, mine.ticket.size() - 1), id);
  attempt("of another session", mine.ticket, SessionId::random());
  attempt("empty", "", id);
  attempt("a worker's ticket", edge.welcome().ticket, id);
  report({{"refused", refused}, {"user", mine.user_id}});
}

/// Presents its own ticket again after its expiry, as if meshd had been restarted, and sends a request with the result.
void expired_ticket(Attacker& edge, const Arguments& arguments) {
  const auto id = SessionId::random();
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0), id);
  if (mine.refused != 0) give_up("refused");
  const auto ended = [&](std::uint32_t slot) -> unsigned {
    while (const auto record = edge.next()) {
      if (record->first.type != static_cast<std::uint16_t>(Type::end_session)) continue;
      const auto end = records::decode<records::EndSession>(record->second);
      if (end && end->session == slot) return end->code;
    }
    give_up("its session goes on");
  };
  const unsigned first = ended(0);
  const auto again = edge.open(1, 1, CredentialKind::ticket, mine.ticket, id);
  const unsigned second = again.refused != 0 ? again.refused : ended(1);
  for (const std::uint32_t slot : {0U, 1U})
    edge.put(Type::request, Attacker::request(slot, 1, arguments.at(1), "whoami", "{}"), 100 + slot);
  (void)edge.open(2, 1, CredentialKind::header, "nobody's");  // a barrier: meshd has processed everything before it
  report({{"user", mine.user_id}, {"first", first}, {"second", second}});
}

/// Prints its ticket, for another process to steal, and stays.
void victim(Attacker& edge, const Arguments& arguments) {
  const auto mine = edge.open(0, 1, CredentialKind::header, arguments.at(0));
  report({{"ticket", to_hex(mine.ticket)},
          {"worker", to_hex(edge.welcome().ticket)},
          {"slot", edge.welcome().slot},
          {"generation", edge.welcome().generation}});
  std::string line;
  std::getline(std::cin, line);
}

/// Claims the session id of another user's session, and waits for messages to it.
void session_id(Attacker& edge, const Arguments& arguments) {
  const auto id = SessionId::from_hex(arguments.at(1));
  if (!id || edge.open(0, 1, CredentialKind::header, arguments.at(0), *id).refused != 0) give_up("refused");
  report({{"open", true}});
  std::string line;
  std::getline(std::cin, line);  // meanwhile a message is sent to that session
  edge.put(Type::describe, Attacker::request(0, 1, "nobody", "", ""), 1);
  json heard = json::array();
  while (const auto record = edge.next()) {
    heard.push_back(record->first.type);
    if (record->first.type == static_cast<std::uint16_t>(Type::response)) break;
  }
  report({{"heard", heard}});
}

/// Sends the console's requests with each of the tokens; prints the HTTP responses.
void console(Attacker& edge, const Arguments& arguments) {
  json heard = json::array();
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    for (const char* what : {"status", "kill"})
      edge.put(Type::console_call, records::ConsoleCall{arguments[i], what, R"({"slot":0})"}, i);
    for (int answers = 0; answers < 2;) {
      const auto record = edge.next();
      if (!record) give_up("no answer in time");
      if (record->first.type != static_cast<std::uint16_t>(Type::backend_answer)) continue;
      const auto answer = records::decode<records::BackendAnswer>(record->second);
      if (!answer) give_up("an answer that can't be decoded");
      heard.push_back(answer->status);
      ++answers;
    }
  }
  report(heard);
}

}  // namespace

Attacks on_identities() {
  return {{"honest", honest}, {"tickets", tickets},       {"expired-ticket", expired_ticket},
          {"victim", victim}, {"session-id", session_id}, {"console", console}};
}

}  // namespace nuropb::hostile
