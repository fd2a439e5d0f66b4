#include "meshd/session_table.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

using records::Type;

TEST(SessionTable, TheTableOfVerbs) {
  struct Row {
    Type type;
    SessionState state;
    Verb verb;
  };
  const Row rows[] = {
      {Type::open_session, SessionState::closed, Verb::judge},
      {Type::open_session, SessionState::judging, Verb::violation},
      {Type::open_session, SessionState::open, Verb::violation},
      {Type::open_session, SessionState::ended, Verb::judge},
      {Type::request, SessionState::closed, Verb::violation},
      {Type::request, SessionState::judging, Verb::violation},
      {Type::request, SessionState::open, Verb::publish},
      {Type::request, SessionState::ended, Verb::ignore},
      {Type::command, SessionState::open, Verb::publish},
      {Type::describe, SessionState::open, Verb::publish},
      {Type::event, SessionState::open, Verb::publish},
      {Type::event, SessionState::judging, Verb::violation},
      {Type::subscribe, SessionState::open, Verb::subscribe},
      {Type::subscribe, SessionState::closed, Verb::violation},
      {Type::unsubscribe, SessionState::open, Verb::subscribe},
      {Type::unsubscribe, SessionState::ended, Verb::ignore},
      {Type::authorize, SessionState::open, Verb::authorize},
      {Type::authorize, SessionState::judging, Verb::violation},
      {Type::authorize, SessionState::closed, Verb::violation},
      {Type::authorize, SessionState::ended, Verb::ignore},
      {Type::resume, SessionState::open, Verb::resume},
      {Type::resume, SessionState::judging, Verb::violation},
      {Type::resume, SessionState::closed, Verb::violation},
      {Type::resume, SessionState::ended, Verb::ignore},
      {Type::close_session, SessionState::closed, Verb::ignore},
      {Type::close_session, SessionState::judging, Verb::close},
      {Type::close_session, SessionState::open, Verb::close},
      {Type::close_session, SessionState::ended, Verb::close},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(allowed(row.type, row.state), row.verb) << "type " << int(row.type) << " state " << int(row.state);
  }
}

TEST(SessionTable, WhatOnlyMeshdSaysIsAViolationFromAnEdge) {
  for (int type = 0; type < 256; ++type) {
    if ((type >= 1 && type <= 9) || type == 12 || type == 13) continue;
    EXPECT_EQ(allowed(static_cast<Type>(type), SessionState::open), Verb::violation) << type;
  }
}

TEST(SessionTable, KeepsSuccessiveSessionsOfASlotApart) {
  SessionTable table(10);
  Session* first = table.find(3);
  ASSERT_NE(first, nullptr);
  first->state = SessionState::open;
  first->serial = 1;
  table.opened();
  EXPECT_EQ(table.find(3, 1), first);
  EXPECT_EQ(table.find(3, 2), nullptr);
  table.close(*first);
  EXPECT_EQ(table.open(), 0u);
  EXPECT_EQ(table.find(3, 1), nullptr) << "closed";
}

TEST(SessionTable, HasABound) {
  SessionTable table(2);
  EXPECT_NE(table.find(1), nullptr);
  EXPECT_EQ(table.find(2), nullptr);
  EXPECT_EQ(table.find(0xffffffff), nullptr);
  EXPECT_EQ(table.find(0xffffffff, 1), nullptr);
}

}  // namespace
}  // namespace nuropb::meshd
