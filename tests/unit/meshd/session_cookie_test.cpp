#include "meshd/auth/session_cookie.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <filesystem>
#include <fstream>

#include "common/base64.hpp"
#include "common/ids.hpp"
#include "tests/unit/meshd/temp_file.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

// Signed by Tornado 6 with the secret "cookie_secret" for the name "session".
constexpr std::string_view tornados =
    "2|1:0|10:1763632800|7:session|228:"
    "eyJ1c2VyX2lkIjogImFubkBleGFtcGxlLmNvbSIsICJ1c2VybmFtZSI6ICJhbm4iLCAic2Vzc2lvbl9pZCI6ICI0Njc4MWYwMTY3ODA0"
    "NGExYWZhYzU2ZTAyOTQ4NzgzYSIsICJiZWFyZXJfdG9rZW4iOiAidG9rIiwgImxhc3RfYWN0aXZpdHkiOiAiMjAyNi0xMS0yMFQxMDowMDowMCswMD"
    "owMFoifQ==|"
    "914ea0b260b26167eb5005b5a9ba75f2b0c162256e3f44745b7083db2056c035";
constexpr std::int64_t signed_at = 1763632800;

std::string sign(const std::string& value, std::int64_t timestamp = signed_at,
                 const std::string& secret = "cookie_secret", const std::string& key = "0") {
  const std::string at = std::to_string(timestamp), encoded = base64::encode(value);
  const auto field = [](const std::string& text) { return std::to_string(text.size()) + ":" + text + "|"; };
  const std::string text = "2|" + field(key) + field(at) + field("session") + field(encoded);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size);
  return text + to_hex({reinterpret_cast<const char*>(mac), size});
}

TEST(SignedValue, OpensTornados) {
  const auto opened = open_signed_value(tornados, "session", {"another", "cookie_secret"});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->timestamp, signed_at);
  EXPECT_EQ(opened->value.find(R"({"user_id": "ann@example.com")"), 0u);
}

TEST(SignedValue, NothingElse) {
  EXPECT_FALSE(open_signed_value(tornados, "session", {"cookie_secret "}));
  EXPECT_FALSE(open_signed_value(tornados, "session", {}));
  EXPECT_FALSE(open_signed_value(tornados, "sessio", {"cookie_secret"})) << "signed for another name";
  for (std::size_t i = 0; i < tornados.size(); ++i) {
    std::string altered(tornados);
    altered[i] = static_cast<char>(altered[i] ^ 1);
    ASSERT_FALSE(open_signed_value(altered, "session", {"cookie_secret"})) << i;
    ASSERT_FALSE(open_signed_value(tornados.substr(0, i), "session", {"cookie_secret"})) << i;
  }
  for (const char* text :
       {"", "2|", "1|2|3", "2|1:0|10:1763632800|7:session|99999999999:x|00", "2|-1:0|", "2|1:0|1:1|7:session|0:|"}) {
    EXPECT_FALSE(open_signed_value(text, "session", {"cookie_secret"})) << text;
  }
}

struct SessionCookieTest : testing::Test {
  SessionCookieTest() {
    std::ofstream(file) << "new_secret\ncookie_secret\n";
    auto made = SessionCookie::make({"session", file, 1000, [this] { return now; }});
    EXPECT_TRUE(made);
    cookies = std::move(*made);
  }
  ~SessionCookieTest() override { std::filesystem::remove(file); }
  Verdict judge(const std::string& text, records::CredentialKind kind = records::CredentialKind::session_cookie) {
    std::optional<Verdict> out;
    cookies->judge({kind, text}, [&](Verdict v) { out = std::move(v); });
    return out.value_or(Verdict::later("none"));
  }
  const std::string file = temp_file("cookie-secret.txt");
  std::int64_t now = signed_at + 10;
  std::unique_ptr<SessionCookie> cookies;
};

TEST_F(SessionCookieTest, IsTheUserInIt) {
  const Verdict verdict = judge(std::string(tornados));
  ASSERT_TRUE(verdict.accepted()) << verdict.reason;
  EXPECT_EQ(verdict.identity.user_id, "ann@example.com");
  EXPECT_EQ(verdict.identity.username, "ann");
  EXPECT_EQ(verdict.identity.token, "tok");
  EXPECT_EQ(verdict.identity.expires, signed_at + 1000) << "a session ends when its cookie expires";
}

TEST_F(SessionCookieTest, EverySecretCountsUntilItIsTakenOut) {
  const std::string fresh = sign(R"({"user_id":"ann"})", signed_at, "new_secret", "17"),
                    old = sign(R"({"user_id":"ann"})");
  EXPECT_TRUE(judge(fresh).accepted());
  EXPECT_TRUE(judge(old).accepted());
  std::ofstream(file) << "new_secret\n";
  ASSERT_TRUE(cookies->reload());
  EXPECT_TRUE(judge(fresh).accepted());
  EXPECT_FALSE(judge(old).accepted());
  std::ofstream(file) << "\n";
  ASSERT_FALSE(cookies->reload());
  EXPECT_TRUE(judge(fresh).accepted()) << "the former ones stay in force";
}

TEST_F(SessionCookieTest, Age) {
  now = signed_at + 999;
  EXPECT_TRUE(judge(std::string(tornados)).accepted());
  now = signed_at + 1000;
  EXPECT_FALSE(judge(std::string(tornados)).accepted());
  EXPECT_FALSE(judge(sign(R"({"user_id":"a"})", now + 40 * 86'400)).accepted());
}

TEST_F(SessionCookieTest, RefusesWhatIsNoUser) {
  for (const char* value : {"", "null", "[]", "{}", "{\"user_id\":\"\"}", "{\"user_id\":{}}", "{", "\xff"})
    EXPECT_EQ(judge(sign(value)).what, Verdict::What::refused) << value;
}

TEST_F(SessionCookieTest, OnlyACookieOfThatNameIsItsBusiness) {
  EXPECT_EQ(judge(std::string(tornados), records::CredentialKind::header).what, Verdict::What::not_mine);
  EXPECT_EQ(judge("x").what, Verdict::What::refused);
}

TEST(SessionCookie, NamesWhatIsMissing) {
  EXPECT_NE(SessionCookie::make({"", "x", 1, unix_now}).error().text().find("auth.session_cookie"), std::string::npos);
  EXPECT_NE(SessionCookie::make({"session", "", 1, unix_now}).error().text().find("cookie.secret_file"),
            std::string::npos);
  EXPECT_NE(SessionCookie::make({"session", "/nonexistent/x", 1, unix_now}).error().text().find("/nonexistent/x"),
            std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd
