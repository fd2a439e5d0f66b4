#include "edge/link/record_receiver.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

using records::Type;

shm::RecordHeader header_of(Type type) {
  shm::RecordHeader out{};
  out.type = static_cast<std::uint16_t>(type);
  out.sequence = 7;
  return out;
}

TEST(RecordReceiverTest, HandsEachRecordToItsRow) {
  RecordReceiver receiver;
  std::string seen;
  receiver.on<records::EndSession>(Type::end_session, [&](const auto& header, const auto& record) {
    seen = std::string(record.reason) + " " + std::to_string(header.sequence);
  });
  receiver.on<records::Push>(Type::push, [&](const auto&, const auto&) { seen = "a push"; });
  std::string payload;
  records::encode(records::EndSession{1, 2, 4000, "over"}, payload);
  receiver.receive(header_of(Type::end_session), payload);
  EXPECT_EQ(seen, "over 7");
}

TEST(RecordReceiverTest, IgnoresWhatHasNoRowAndWhatCantBeDecoded) {
  RecordReceiver receiver;
  int handled = 0;
  receiver.on<records::EndSession>(Type::end_session, [&](const auto&, const auto&) { ++handled; });
  receiver.receive(header_of(Type::end_session), "x");
  receiver.receive(header_of(Type::resumed), "");
  receiver.receive(header_of(Type::request), "");  // a record to meshd
  receiver.receive(header_of(static_cast<Type>(999)), "");
  EXPECT_EQ(handled, 0);
}

}  // namespace
}  // namespace nuropb::edge
