#include "meshd/sealed_tickets.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

SealedTickets::Secret secret(std::uint8_t fill) {
  SealedTickets::Secret out;
  out.fill(fill);
  return out;
}

const Identity ann{"ann@example.com", "Ann", "tok-ann"};
const WorkerId worker{3, 77};
const SessionId session = *SessionId::from_hex("000102030405060708090a0b0c0d0e0f");

TEST(SealedTickets, AWorkerTicketComesBack) {
  const SealedTickets tickets(secret(1));
  EXPECT_EQ(tickets.open_worker(tickets.seal_worker(worker)), worker);
}

TEST(SealedTickets, ASessionTicketComesBackWhole) {
  const SealedTickets tickets(secret(1));
  const auto identity = tickets.open_session(worker, session, tickets.seal_session(worker, session, ann));
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->user_id, ann.user_id);
  EXPECT_EQ(identity->username, ann.username);
  EXPECT_EQ(identity->token, ann.token);
}

TEST(SealedTickets, AResumeTokenComesBackAndNothingElseIsOne) {
  const SealedTickets tickets(secret(1));
  const std::string token = tickets.seal_resume({session, 7});
  EXPECT_LE(token.size(), records::max_resume_token);
  const auto opened = tickets.open_resume(token);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->session, session);
  EXPECT_EQ(opened->count, 7u);
  EXPECT_NE(token, tickets.seal_resume({session, 7})) << "no two are alike";
  EXPECT_FALSE(SealedTickets(secret(2)).open_resume(token));
  EXPECT_FALSE(tickets.open_resume(token + "00"));
  EXPECT_FALSE(tickets.open_resume("zz" + token.substr(2)));
  EXPECT_FALSE(tickets.open_resume(to_hex(tickets.seal_worker(worker)))) << "sealed for something else";
  for (std::size_t i = 2; i < token.size(); ++i) {
    std::string other = token;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_FALSE(tickets.open_resume(other)) << i;
  }
}

TEST(SealedTickets, ARestartProlongsNothing) {
  const SealedTickets tickets(secret(1));
  Identity with_end = ann;
  with_end.expires = 1'763'632'800;
  with_end.ends_ms = 987'654'321;
  with_end.authorizer = "jwt";
  with_end.roles = {"clerk", ""};
  const auto identity = tickets.open_session(worker, session, tickets.seal_session(worker, session, with_end));
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->expires, with_end.expires);
  EXPECT_EQ(identity->ends_ms, with_end.ends_ms);
  EXPECT_EQ(identity->authorizer, "jwt");
  EXPECT_EQ(identity->roles, with_end.roles);
}

TEST(SealedTickets, NeitherTokenNorUserCanBeReadFromIt) {
  const std::string ticket = SealedTickets(secret(1)).seal_session(worker, session, ann);
  EXPECT_EQ(ticket.find("tok-ann"), std::string::npos);
  EXPECT_EQ(ticket.find("ann@example.com"), std::string::npos);
}

TEST(SealedTickets, IsBoundToWorkerAndSession) {
  const SealedTickets tickets(secret(1));
  const std::string ticket = tickets.seal_session(worker, session, ann);
  SessionId other = session;
  other.bytes[15] ^= 1;
  EXPECT_FALSE(tickets.open_session({worker.slot, worker.generation + 1}, session, ticket));
  EXPECT_FALSE(tickets.open_session({worker.slot + 1, worker.generation}, session, ticket));
  EXPECT_FALSE(tickets.open_session(worker, other, ticket));
}

TEST(SealedTickets, OneKindIsNotTheOther) {
  const SealedTickets tickets(secret(1));
  EXPECT_FALSE(tickets.open_worker(tickets.seal_session(worker, session, ann)));
  EXPECT_FALSE(tickets.open_session(worker, session, tickets.seal_worker(worker)));
}

TEST(SealedTickets, AnotherSecretOpensNothing) {
  EXPECT_FALSE(SealedTickets(secret(2)).open_worker(SealedTickets(secret(1)).seal_worker(worker)));
}

TEST(SealedTickets, EveryAlteredBitAndEveryTruncationIsRefused) {
  const SealedTickets tickets(secret(1));
  const std::string ticket = tickets.seal_session(worker, session, ann);
  for (std::size_t bit = 0; bit < ticket.size() * 8; ++bit) {
    std::string altered = ticket;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(tickets.open_session(worker, session, altered)) << "bit " << bit;
  }
  for (std::size_t size = 0; size < ticket.size(); ++size) {
    ASSERT_FALSE(tickets.open_session(worker, session, std::string_view(ticket).substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace nuropb::meshd
