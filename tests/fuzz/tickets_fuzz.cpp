#include "meshd/sealed_tickets.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const meshd::SealedTickets tickets(meshd::SealedTickets::Secret{1, 2, 3});
  const auto text = fuzz::text(data, size);
  fuzz::must(!tickets.open_worker(text), "nobody guesses a ticket");
  fuzz::must(!tickets.open_session({1, 2}, SessionId{}, text), "nobody guesses a ticket");
  fuzz::must(!tickets.open_resume(text), "nobody guesses a token");
  // The input selects a bit to flip in a real ticket.
  std::string ticket = tickets.seal_session({1, 2}, SessionId{}, {"ann", "Ann", "token"});
  if (size == 0) return 0;
  const std::size_t at = data[0] % ticket.size();
  const char turned = static_cast<char>(size > 1 ? data[1] : 1);
  ticket[at] = static_cast<char>(ticket[at] ^ turned);
  fuzz::must(tickets.open_session({1, 2}, SessionId{}, ticket).has_value() == (turned == 0),
             "an altered ticket opens nothing");
  std::string token = tickets.seal_resume({SessionId{}, 3});
  token[data[0] % token.size()] = static_cast<char>(size > 1 ? data[1] : 'x');
  const auto opened = tickets.open_resume(token);
  fuzz::must(!opened || (opened->session == SessionId{} && opened->count == 3), "an altered token opens nothing else");
  return 0;
}
