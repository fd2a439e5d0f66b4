#include "common/trace.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736", span = "00f067aa0ba902b7";

TEST(TraceParent, IsRead) {
  const std::string text = "00-" + id + "-" + span + "-01";
  const auto parent = parse_traceparent(text);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id, id);
  EXPECT_EQ(parent->span_id, span);
  EXPECT_TRUE(parent->sampled);
  EXPECT_EQ(parent->text(), text);
  EXPECT_FALSE(parse_traceparent("00-" + id + "-" + span + "-00")->sampled);
  // Unknown flags are not propagated (W3C, section 4.3).
  EXPECT_EQ(parse_traceparent("00-" + id + "-" + span + "-ff")->text(), text);
  EXPECT_EQ(parse_traceparent("00-" + id + "-" + span + "-fe")->text(), "00-" + id + "-" + span + "-00");
}

TEST(TraceParent, OfALaterVersionIsReadAsFarAsItIsKnown) {
  EXPECT_EQ(parse_traceparent("01-" + id + "-" + span + "-01")->text(), "00-" + id + "-" + span + "-01");
  EXPECT_EQ(parse_traceparent("cc-" + id + "-" + span + "-01-what-ever")->text(), "00-" + id + "-" + span + "-01");
  EXPECT_FALSE(parse_traceparent("cc-" + id + "-" + span + "-01.what-ever"));
  EXPECT_FALSE(parse_traceparent("00-" + id + "-" + span + "-01-what-ever"));
}

TEST(TraceParent, ThatIsNone) {
  const std::string good = "00-" + id + "-" + span + "-01";
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_traceparent(good.substr(0, size)));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'g', 'A', ' ', '\0', '\xff'}) {
      std::string bad = good;
      bad[at] = c;
      EXPECT_FALSE(parse_traceparent(bad)) << bad;
    }
  }
  EXPECT_FALSE(parse_traceparent("ff-" + id + "-" + span + "-01"));
  EXPECT_FALSE(parse_traceparent("00-" + std::string(32, '0') + "-" + span + "-01"));
  EXPECT_FALSE(parse_traceparent("00-" + id + "-" + std::string(16, '0') + "-01"));
}

}  // namespace
}  // namespace nuropb
