#include "meshd/taps.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

struct Book final : Taps::Reader {
  void write(std::string_view line) override { lines.push_back(json::parse(line)); }
  [[nodiscard]] bool gone() const override { return left; }
  std::vector<json> lines;
  bool left = false;
};

const SessionId first = *SessionId::from_hex(std::string(32, 'a')), second = *SessionId::from_hex(std::string(32, 'b'));

TEST(Shape, ShowsNoValue) {
  EXPECT_EQ(shape_of(R"({"card":"4111 1111","pin":1234,"ok":true,"no":null,"list":[{"x":"secret"},2],"none":[]})"),
            json::parse(R"({"card":"text of 9 bytes","pin":"number","ok":"boolean","no":null,
                            "list":{"list of 2":{"x":"text of 6 bytes"}},"none":"list of 0"})"));
  EXPECT_EQ(shape_of("\"secret\""), "text of 6 bytes");
}

TEST(Shape, IsBoundedWhateverItIsOf) {
  std::string wide = "{";
  for (int i = 0; i < 500; ++i) wide += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  EXPECT_LE(shape_of(wide + "}").size(), 33U);
  EXPECT_LT(shape_of(std::string(60, '[') + std::string(60, ']')).dump().size(), 300U);
  EXPECT_EQ(shape_of(std::string(5000, '[')), "no JSON, 5000 bytes");
  EXPECT_EQ(shape_of("\xff{"), "no JSON, 2 bytes");
  EXPECT_EQ(shape_of(std::string(100'000, ' ')), "JSON of 100000 bytes");
  EXPECT_THAT(shape_of("{\"" + std::string(5000, 'k') + "\":1}").dump(), HasSubstr("name of 5000 bytes"));
}

TEST(Taps, ShowTheirOwnAndNobodyElse) {
  Taps taps;
  const auto ann = std::make_shared<Book>(), one = std::make_shared<Book>();
  EXPECT_FALSE(taps.watching());
  ASSERT_TRUE(taps.add({"ann", {}}, ann));
  ASSERT_TRUE(taps.add({"", second}, one));
  EXPECT_TRUE(taps.watching());
  taps.tell({first, "ann"}, "out", "push", json::object());
  taps.tell({second, "bob"}, "out", "push", json::object());
  taps.tell({first, "bob"}, "out", "push", json::object());
  ASSERT_EQ(ann->lines.size(), 1U);
  EXPECT_EQ(ann->lines[0]["user_id"], "ann");
  ASSERT_EQ(one->lines.size(), 1U);
  EXPECT_EQ(one->lines[0]["session_id"], std::string(32, 'b'));
  ann->left = one->left = true;
  EXPECT_EQ(taps.forget_gone(), 2U);
  EXPECT_FALSE(taps.watching());
}

TEST(Taps, AnAnswerIsShownToWhomItsQuestionWas) {
  Taps taps;
  const auto ann = std::make_shared<Book>();
  ASSERT_TRUE(taps.add({"ann", {}}, ann));
  const ReturnAddress from{1, 2, 3, 4, 5}, others{1, 2, 3, 4, 6};
  const SteadyTime now{};
  taps.asked({first, "ann"}, from, "request", {{"service", "s"}}, now);
  taps.asked({second, "bob"}, others, "request", {{"service", "s"}}, now);
  taps.answered(others, "1", "null", now);
  taps.answered(from, R"({"name":"secret"})", "null", now + std::chrono::microseconds(1500));
  taps.answered(from, "2", "null", now);  // a second response is ignored
  ASSERT_EQ(ann->lines.size(), 2U);
  EXPECT_EQ(ann->lines[1]["result"], json::parse(R"({"name":"text of 6 bytes"})"));
  EXPECT_EQ(ann->lines[1]["took_ms"], 1.5);
  taps.asked({first, "ann"}, from, "request", json::object(), now);
  taps.answered(from, "null", R"({"error":"NuropbException","description":"secret"})", now);
  EXPECT_EQ(ann->lines.back()["error"], "NuropbException");
  EXPECT_EQ(ann->lines.back().dump().find("secret"), std::string::npos);
}

TEST(Taps, AreBounded) {
  Taps taps;
  const auto ann = std::make_shared<Book>();
  for (std::size_t i = 0; i < Taps::most_readers; ++i) EXPECT_TRUE(taps.add({"ann", {}}, ann));
  EXPECT_FALSE(taps.add({"ann", {}}, ann));
  for (std::uint64_t i = 0; i <= Taps::most_questions; ++i)
    taps.asked({first, "ann"}, {1, 2, 3, 4, i}, "request", json::object(), {});
  const auto before = ann->lines.size();
  taps.answered({1, 2, 3, 4, 0}, "1", "null", {});  // the oldest was evicted
  EXPECT_EQ(ann->lines.size(), before);
  taps.answered({1, 2, 3, 4, 1}, "1", "null", {});
  EXPECT_EQ(ann->lines.size(), before + Taps::most_readers);
}

}  // namespace
}  // namespace nuropb::meshd
