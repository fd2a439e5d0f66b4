#include "edge/http_api/meshd_calls.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::HasSubstr;

class MeshdCallsTest : public SessionTest {
 protected:
  std::uint64_t call(std::optional<HttpAnswer> mistake = {}) {
    MeshdCalls::Call one{milliseconds(100), [this](HttpAnswer answer) { answer_ = std::move(answer); }, "10.0.0.1",
                         "key", std::move(mistake)};
    EXPECT_TRUE(calls_.send(Type::backend_call, records::BackendCall{"key", "s", "c", {}, "{}"}, one));
    turn();
    return meshd_->next<records::BackendCall>(Type::backend_call).first.sequence;
  }
  void on_record(const shm::RecordHeader& header, const std::string& payload) override {
    if (const auto record = records::decode<records::BackendAnswer>(payload)) calls_.on_answer(header, *record);
  }
  MeshdCalls calls_{sender_, sessions_.guesses, drain_, clock_, timer_};
  std::optional<HttpAnswer> answer_;
};

TEST_F(MeshdCallsTest, ACallEndsWithMeshdsAnswer) {
  EXPECT_EQ(calls_.unavailable("not yet")->status, 503);
  attach();
  EXPECT_FALSE(calls_.unavailable("not yet"));
  const auto sequence = call();
  EXPECT_FALSE(calls_.empty());
  meshd_->send(Type::backend_answer, records::BackendAnswer{200, "{}"}, sequence);
  ASSERT_TRUE(eventually([&] { return answer_.has_value(); }));
  EXPECT_EQ(answer_->body, "{}\n");
  EXPECT_TRUE(calls_.empty());
}

TEST_F(MeshdCallsTest, AMistakeIsToldOnlyWithAValidKey) {
  attach();
  auto sequence = call(HttpAnswer{400, "wrong", {}});
  meshd_->send(Type::backend_answer, records::BackendAnswer{401, "no"}, sequence);
  ASSERT_TRUE(eventually([&] { return answer_.has_value(); }));
  EXPECT_EQ(answer_->status, 401);
  answer_.reset();
  sequence = call(HttpAnswer{400, "wrong", {}});
  meshd_->send(Type::backend_answer, records::BackendAnswer{200, "{}"}, sequence);
  ASSERT_TRUE(eventually([&] { return answer_.has_value(); }));
  EXPECT_EQ(answer_->body, "wrong");
}

TEST_F(MeshdCallsTest, ACallEndsWithItsDeadlineOrTheLossOfMeshd) {
  attach();
  call();
  calls_.expire(clock_.now() + milliseconds(50));
  EXPECT_FALSE(answer_);
  calls_.expire(clock_.now() + milliseconds(150));
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->status, 504);
  EXPECT_THAT(answer_->body, HasSubstr(R"("outcome":"unknown")"));
  answer_.reset();
  call();
  calls_.fail_all(502, "lost");
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->status, 502);
}

}  // namespace
}  // namespace nuropb::edge
