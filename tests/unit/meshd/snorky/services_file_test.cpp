#include "meshd/snorky/services_file.hpp"

#include <gtest/gtest.h>

#include <map>

namespace nuropb::meshd::snorky {
namespace {

TEST(SnorkyServices, AreReadByName) {
  const auto services = parse_services(R"(
[frontend.pubsub]
kind = "pubsub"
publish = "policy"
[frontend.quiet]
kind = "pubsub"
[frontend.messaging]
kind = "messaging"
names = "any"
[frontend.chat]
kind = "chat"
[backend.b]
kind = "pubsub"
frontend = "quiet"
)",
                                       "services.toml");
  ASSERT_TRUE(services) << services.error().text();
  ASSERT_EQ(services->frontend.size(), 4u);
  std::map<std::string, ServiceSettings> named;
  for (const auto& service : services->frontend) named[service.name] = service;
  EXPECT_EQ(named["pubsub"].publish, PubSubService::Publish::policy);
  EXPECT_EQ(named["quiet"].publish, PubSubService::Publish::backend) << "who says nothing opens nothing";
  EXPECT_EQ(named["messaging"].names, MessagingService::Names::any);
  EXPECT_EQ(named["chat"].kind, ServiceSettings::Kind::chat);
  ASSERT_EQ(services->backend.size(), 1u);
  EXPECT_EQ(services->backend[0].frontend, "quiet");
}

TEST(SnorkyServices, MistakesAreNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"[frontend.x]\n", "no 'kind'"},
      {"[frontend.x]\nkind = \"cursors\"\n", "not one of pubsub, messaging, chat"},
      {"[frontend.x]\nkind = 7\n", "not a string"},
      {"[frontend.x]\nkind = \"pubsub\"\npublish = \"nobody\"\n", "not one of all, backend, policy"},
      {"[frontend.x]\nkind = \"chat\"\npublish = \"all\"\n", "unknown key 'publish'"},
      {"[frontend.gateway]\nkind = \"pubsub\"\n", "the gateway's own"},
      {"[backend.x]\nkind = \"pubsub\"\n", "names no frontend service"},
      {"[frontend.c]\nkind = \"chat\"\n[backend.x]\nfrontend = \"c\"\n", "names no frontend service"},
      {"[middle.x]\n", "unknown key 'middle'"},
      {"frontend = 1\n", "not a table"},
      {"[frontend]\nx = 1\n", "not a table"},
      {"[[", "not TOML"},
  };
  for (const auto& [text, what] : wrong) {
    const auto services = parse_services(text, "services.toml");
    ASSERT_FALSE(services) << text;
    EXPECT_NE(services.error().text().find(what), std::string::npos) << services.error().text();
    EXPECT_NE(services.error().text().find("services.toml"), std::string::npos);
  }
}

}  // namespace
}  // namespace nuropb::meshd::snorky
