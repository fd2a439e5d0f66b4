#include "edge/transport/deflate.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nuropb::edge {
namespace {

using Outcome = Deflate::Outcome;

/// A message as the receiver processes it: with the four bytes that the sender has removed.
Outcome receive(Deflate& deflate, std::string_view wire, std::string& out, std::size_t at_a_time = 4096) {
  for (std::size_t at = 0; at < wire.size(); at += at_a_time) {
    const auto part = wire.substr(at, at_a_time);
    if (const auto outcome = deflate.unfold(reinterpret_cast<const std::uint8_t*>(part.data()), part.size(), out);
        outcome != Outcome::ok)
      return outcome;
  }
  const std::uint8_t tail[] = {0, 0, 0xff, 0xff};
  const auto outcome = deflate.unfold(tail, sizeof tail, out);
  deflate.message_ended();
  return outcome;
}
std::string send(Deflate& deflate, std::string_view message) {
  std::string out;
  EXPECT_EQ(deflate.fold(message, out), Outcome::ok);
  EXPECT_GE(out.size(), 4u);
  EXPECT_EQ(out.substr(out.size() - 4), std::string("\0\0\xff\xff", 4));
  out.resize(out.size() - 4);
  return out;
}
std::string raw(std::string_view message, int flush = Z_SYNC_FLUSH) {
  z_stream state{};
  EXPECT_EQ(deflateInit2(&state, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&state, message.size()) + 16, '\0');
  state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  state.avail_in = static_cast<uInt>(message.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  deflate(&state, flush);
  out.resize(out.size() - state.avail_out);
  deflateEnd(&state);
  return out;
}

TEST(Deflate, Negotiation) {
  struct Row {
    Deflate::Parameters offer;
    bool takeover;
    const char* answer;
  };
  const Row rows[] = {
      {{},
       false,
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"},
      {{}, true, "permessage-deflate; server_max_window_bits=12"},
      {{{"client_max_window_bits", ""}},
       true,
       "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"},
      {{{"client_max_window_bits", "10"}},
       true,
       "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10"},
      {{{"client_max_window_bits", "8"}}, true, "permessage-deflate; server_max_window_bits=12"},
      {{{"server_max_window_bits", "9"}}, true, "permessage-deflate; server_max_window_bits=9"},
      {{{"server_max_window_bits", "15"}}, true, "permessage-deflate; server_max_window_bits=12"},
      {{{"server_no_context_takeover", ""}, {"client_no_context_takeover", ""}},
       true,
       "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"},
      {{{"server_max_window_bits", "8"}}, true, ""},
      {{{"server_max_window_bits", ""}}, true, ""},
      {{{"server_max_window_bits", "16"}}, true, ""},
      {{{"server_max_window_bits", "09"}}, true, ""},
      {{{"server_max_window_bits", "99999999999999999999"}}, true, ""},
      {{{"client_max_window_bits", "-1"}}, true, ""},
      {{{"server_no_context_takeover", "1"}}, true, ""},
      {{{"unheard_of", ""}}, true, ""},
  };
  for (const Row& row : rows) {
    Deflate deflate({12, row.takeover, 1000});
    EXPECT_EQ(deflate.negotiate(row.offer), row.answer);
  }
}

TEST(Deflate, ThereAndBack) {
  std::mt19937 random(7);
  for (const bool takeover : {false, true}) {
    Deflate here({10, takeover, 1 << 20}), there({10, takeover, 1 << 20});
    here.negotiate({});
    there.negotiate({});
    std::string noise(70'000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    for (const std::string& message : {std::string(), std::string("a"), std::string(100'000, 'x'), noise,
                                       std::string(16384, 'y'), std::string("a")}) {
      const std::string wire = send(here, message);
      for (const std::size_t part : {std::size_t{1}, std::size_t{4096}}) {
        if (takeover && part == 1) continue;  // its window would have advanced twice
        std::string out;
        ASSERT_EQ(receive(there, wire, out, part), Outcome::ok);
        EXPECT_EQ(out, message);
      }
    }
  }
}

TEST(Deflate, ABombIsNotUnfolded) {
  Deflate deflate({15, false, 100'000});
  deflate.negotiate({});
  std::string bomb = raw(std::string(50'000'000, '\0'));
  bomb.resize(bomb.size() - 4);
  std::string out;
  EXPECT_EQ(receive(deflate, bomb, out), Outcome::too_big);
  EXPECT_LE(out.size(), 100'000u);
  EXPECT_LT(out.capacity(), 400'000u);
}

TEST(Deflate, ExactlyTheLimit) {
  Deflate deflate({15, false, 100'000});
  deflate.negotiate({});
  std::string out;
  std::string wire = raw(std::string(100'000, 'x'));
  wire.resize(wire.size() - 4);
  EXPECT_EQ(receive(deflate, wire, out), Outcome::ok);
  EXPECT_EQ(out.size(), 100'000u);
  Deflate less({15, false, 99'999});
  less.negotiate({});
  out.clear();
  EXPECT_EQ(receive(less, wire, out), Outcome::too_big);
}

TEST(Deflate, RubbishIsInvalidAndNeverEndless) {
  std::mt19937 random(11);
  int invalid = 0;
  for (int i = 0; i < 2000; ++i) {
    Deflate deflate({12, i % 2 == 0, 10'000});
    deflate.negotiate({});
    std::string bytes(1 + random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    std::string out;
    if (receive(deflate, bytes, out, 1 + random() % 8) == Outcome::invalid) ++invalid;
  }
  EXPECT_GT(invalid, 1000);
}

TEST(Deflate, AMessageOfManyLastBlocks) {
  // RFC 7692 section 7.2.3.4: a block with BFINAL, then padding.
  Deflate deflate({15, true, 10'000});
  deflate.negotiate({});
  std::string out;
  EXPECT_EQ(receive(deflate, raw("Hello", Z_FINISH) + std::string(1, '\0'), out), Outcome::ok);
  EXPECT_EQ(out, "Hello");
  out.clear();
  EXPECT_EQ(receive(deflate, raw("again", Z_FINISH) + raw(", and again", Z_FINISH) + std::string(1, '\0'), out),
            Outcome::ok);
  EXPECT_EQ(out, "again, and again");
}

}  // namespace
}  // namespace nuropb::edge
