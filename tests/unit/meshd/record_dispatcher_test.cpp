// The table of an edge's privileges. What its handlers do is tested with the whole loop (meshd_*_test.cpp).

#include "meshd/routing/record_dispatcher.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nuropb::meshd {
namespace {

using records::Type;
using Rule = RecordDispatcher::Rule;

TEST(RecordDispatcher, TheTable) {
  struct Row {
    Type type;
    Rule closed, judging, open, ended;
  };
  constexpr Rule no = Rule::violation, yes = Rule::handle, ignore = Rule::ignore;
  const Row rows[] = {
      {Type::open_session, yes, no, no, yes},   {Type::close_session, ignore, yes, yes, yes},
      {Type::request, no, no, yes, ignore},     {Type::command, no, no, yes, ignore},
      {Type::describe, no, no, yes, ignore},    {Type::event, no, no, yes, ignore},
      {Type::subscribe, no, no, yes, ignore},   {Type::unsubscribe, no, no, yes, ignore},
      {Type::authorize, no, no, yes, ignore},   {Type::resume, no, no, yes, ignore},
      {Type::snorky_call, no, no, yes, ignore}, {Type::backend_call, yes, yes, yes, yes},
      {Type::console_call, yes, yes, yes, yes}, {Type::pushed, yes, yes, yes, yes},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(RecordDispatcher::rule(row.type, SessionState::closed), row.closed) << int(row.type);
    EXPECT_EQ(RecordDispatcher::rule(row.type, SessionState::judging), row.judging) << int(row.type);
    EXPECT_EQ(RecordDispatcher::rule(row.type, SessionState::open), row.open) << int(row.type);
    EXPECT_EQ(RecordDispatcher::rule(row.type, SessionState::ended), row.ended) << int(row.type);
  }
}

TEST(RecordDispatcher, EveryOtherTypeIsAViolation) {
  // Those of the table above.
  const std::set<Type> known{Type::open_session, Type::close_session, Type::request,     Type::command,
                             Type::describe,     Type::event,         Type::subscribe,   Type::unsubscribe,
                             Type::authorize,    Type::resume,        Type::snorky_call, Type::backend_call,
                             Type::console_call, Type::pushed};
  for (int number = 0; number < 256; ++number) {
    const auto type = static_cast<Type>(number);
    if (known.contains(type)) continue;
    for (const auto state : {SessionState::closed, SessionState::judging, SessionState::open, SessionState::ended})
      EXPECT_EQ(RecordDispatcher::rule(type, state), Rule::violation) << number;
  }
}

}  // namespace
}  // namespace nuropb::meshd
