#include "meshd/etcd/wire.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base64.hpp"

namespace nuropb::etcd {
namespace {

using nlohmann::json;

const Keys keys = Keys::of("/nuropb/gateway");

TEST(EtcdWire, KeysAreThoseOfTheOriginal) {
  EXPECT_EQ(keys.leader, "/nuropb/gateway/leader");
  EXPECT_EQ(keys.config_ok, "/nuropb/gateway/rmq-config-ok");
  EXPECT_LT(keys.from, keys.leader);
  EXPECT_GT(keys.to, keys.config_ok);
  EXPECT_LT(keys.to, std::string("/nuropb/gateway1/leader"));
}

TEST(EtcdWire, RequestsAreWhatTheGatewayWants) {
  EXPECT_EQ(json::parse(grant_request(15)), json::parse(R"({"TTL":"15"})"));
  EXPECT_EQ(json::parse(lease_request(7587866)), json::parse(R"({"ID":"7587866"})"));
  const auto nominate = json::parse(nominate_request(keys, "me", 77));
  EXPECT_EQ(nominate["compare"], json::parse(R"([{"key":")" + base64::encode(keys.leader) +
                                             R"(","target":"VERSION","result":"EQUAL","version":"0"}])"));
  EXPECT_EQ(nominate["success"][0]["request_put"],
            json::parse(R"({"key":")" + base64::encode(keys.leader) + R"(","value":"bWU=","lease":"77"})"));
  EXPECT_EQ(nominate["failure"][0]["request_range"]["key"], base64::encode(keys.leader));
  const auto publish = json::parse(publish_request(keys, 77));
  EXPECT_EQ(publish["compare"][0]["lease"], "77");
  EXPECT_EQ(publish["success"][0]["request_put"]["value"], base64::encode("True"));
  const auto watch = json::parse(watch_request(keys, 12));
  EXPECT_EQ(watch["create_request"]["start_revision"], "12");
  EXPECT_EQ(watch["create_request"]["range_end"], base64::encode("/nuropb/gateway0"));
}

TEST(EtcdWire, Lease) {
  const auto lease = read_grant(R"({"header":{},"ID":"7587889440432127749","TTL":"15"})");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->id, 7587889440432127749);
  EXPECT_EQ(lease->ttl_s, 15);
  for (const char* wrong : {"", "[]", "{}", R"({"ID":"0","TTL":"15"})", R"({"ID":"x","TTL":"15"})", R"({"ID":"1"})",
                            R"({"ID":"1","TTL":"-3"})", R"({"ID":"99999999999999999999","TTL":"15"})",
                            R"({"ID":"1","TTL":"9223372036854775807"})"}) {
    EXPECT_FALSE(read_grant(wrong)) << wrong;
  }
}

TEST(EtcdWire, KeepAlive) {
  EXPECT_EQ(read_keep_alive(R"({"result":{"header":{},"ID":"5","TTL":"15"}})")->ttl_s, 15);
  EXPECT_EQ(read_keep_alive(R"({"result":{"header":{},"ID":"5"}})")->ttl_s, 0) << "a lease that is gone";
  EXPECT_FALSE(read_keep_alive(R"({"error":{"grpc_code":14,"message":"etcdserver: no leader"}})"));
  EXPECT_FALSE(read_keep_alive("{}"));
}

std::string kv(const std::string& key, const std::string& value, int lease) {
  return R"({"key":")" + base64::encode(key) + R"(","value":")" + base64::encode(value) + R"(","lease":")" +
         std::to_string(lease) + R"("})";
}

TEST(EtcdWire, NominationWon) {
  const auto won = read_nomination(
      R"({"header":{"revision":"9"},"succeeded":true,"responses":[{"response_put":{}},{"response_range":{"kvs":[)" +
          kv(keys.config_ok, "True", 0) + "]}}]}",
      keys, "me", 5);
  ASSERT_TRUE(won);
  EXPECT_TRUE(won->ours);
  EXPECT_TRUE(won->config_ok);
  EXPECT_EQ(won->revision, 9);
}

TEST(EtcdWire, NominationLostOrWonBefore) {
  const std::string head = R"({"header":{"revision":"9"},"responses":[{"response_range":{"kvs":[)";
  const auto lost =
      read_nomination(head + kv(keys.leader, "other", 4) + R"(]}},{"response_range":{}}]})", keys, "me", 5);
  ASSERT_TRUE(lost);
  EXPECT_FALSE(lost->ours);
  EXPECT_FALSE(lost->config_ok);
  EXPECT_EQ(lost->leader, "other");
  EXPECT_TRUE(read_nomination(head + kv(keys.leader, "me", 5) + "]}}]}", keys, "me", 5)->ours)
      << "by a transaction whose answer was lost";
  EXPECT_FALSE(read_nomination(head + kv(keys.leader, "me", 4) + "]}}]}", keys, "me", 5)->ours) << "our former life's";
  EXPECT_FALSE(read_nomination(head + "]}}]}", keys, "me", 5)) << "nobody has it, and it was not put";
  EXPECT_FALSE(read_nomination(head + R"({"key":"?"}]}}]})", keys, "me", 5));
  EXPECT_FALSE(read_nomination("{}", keys, "me", 5));
}

TEST(EtcdWire, WatchLines) {
  EXPECT_TRUE(read_watch_line(R"({"result":{"header":{},"created":true}})", keys)->empty());
  const auto events =
      read_watch_line(R"({"result":{"header":{},"events":[{"kv":)" + kv(keys.leader, "other", 4) +
                          R"(},{"type":"DELETE","kv":{"key":")" + base64::encode(keys.leader) +
                          R"(","mod_revision":"4"}},{"kv":)" + kv(keys.config_ok, "True", 0) + R"(},{"kv":)" +
                          kv(keys.config_ok, "true", 0) + R"(},{"kv":)" + kv("/nuropb/gateway/else", "x", 0) + "}]}}",
                      keys);
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 4U);
  EXPECT_EQ(std::get<LeaderPut>((*events)[0]).leader, "other");
  EXPECT_EQ(std::get<LeaderPut>((*events)[0]).lease, 4);
  EXPECT_TRUE(std::holds_alternative<LeaderDeleted>((*events)[1]));
  EXPECT_TRUE(std::get<ConfigPut>((*events)[2]).ok);
  EXPECT_FALSE(std::get<ConfigPut>((*events)[3]).ok);
}

TEST(EtcdWire, AWatchThatEtcdEnds) {
  EXPECT_NE(read_watch_line(R"({"result":{"canceled":true,"cancel_reason":"compacted"}})", keys)
                .error()
                .what.find("compacted"),
            std::string::npos);
  EXPECT_FALSE(read_watch_line(R"({"error":{"message":"etcdserver: no leader"}})", keys));
  EXPECT_FALSE(read_watch_line("nonsense", keys));
}

TEST(EtcdWire, RefusalsArePrintable) {
  EXPECT_EQ(refusal(R"({"error":"etcdserver: permission denied","code":7})"), "etcdserver: permission denied");
  EXPECT_EQ(refusal(R"({"error":"a\nb\u001b[0m"})"), "a?b?[0m");
  EXPECT_EQ(refusal("<html>"), "no reason given");
  EXPECT_LE(refusal(R"({"error":")" + std::string(5000, 'x') + "\"}").size(), 200U);
}

TEST(EtcdWire, Token) {
  EXPECT_EQ(*read_token(R"({"token":"abc.1"})"), "abc.1");
  EXPECT_FALSE(read_token(R"({"token":""})"));
  EXPECT_FALSE(read_token(R"({"token":1})"));
}

}  // namespace
}  // namespace nuropb::etcd
