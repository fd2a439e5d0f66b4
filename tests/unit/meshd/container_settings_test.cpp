#include "meshd/container_settings.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "meshd/settings.hpp"

namespace nuropb::meshd {
namespace {

using namespace std::chrono_literals;

class ContainerSettings : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& text) const {
    const auto path = folder_ / "password";
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  static Config config(const std::string& toml) {
    auto parsed = parse_config(toml, "test.toml");
    EXPECT_TRUE(parsed) << parsed.error().text();
    return parsed ? *parsed : Config();
  }
  static std::string mistake(const std::string& toml) {
    const auto parsed = parse_config(toml, "test.toml");
    return parsed ? std::string() : parsed.error().text();
  }
  static Result<mesh::ServiceContainer::Settings> settings(const Config& config) {
    const auto transport = transport_settings(config, "me");
    return container_settings(config, "me", *transport);
  }
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("nuropb-container-settings-" + std::to_string(::getpid()));
};

TEST_F(ContainerSettings, WithoutEtcdThereIsNoMember) {
  const auto made = settings(config(""));
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->etcd.urls.empty());
  EXPECT_EQ(made->prefix, "/nuropb/gateway");
  EXPECT_EQ(made->lease, 15s);
}

TEST_F(ContainerSettings, AllOfIt) {
  const auto made =
      settings(config("[gateway]\nservice = \"orders\"\n[etcd]\nurls = [\"http://a:2379\", \"https://b:1\"]\nprefix = "
                      "\"/x/y\"\nlease_s = 3\nuser = \"ann\"\npassword_file = \"" +
                      file("s3cret\r\n") + "\"\nca_file = \"/ca\"\n"));
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->prefix, "/x/y/orders");
  EXPECT_EQ(made->lease, 3s);
  EXPECT_EQ(made->etcd.timeout, 600ms);
  ASSERT_EQ(made->etcd.urls.size(), 2U);
  EXPECT_EQ(made->etcd.urls[1].redacted(), "https://b:1");
  EXPECT_EQ(made->etcd.user, "ann");
  EXPECT_EQ(made->etcd.password, "s3cret");
  EXPECT_EQ(made->etcd.tls.ca_file, "/ca");
  EXPECT_TRUE(made->etcd.tls.verify_peer);
}

TEST_F(ContainerSettings, PasswordFilesThatHoldNone) {
  for (const std::string& text :
       {std::string(), std::string("\nsecond"), std::string("s3cret\nsecond\n"), std::string(70'000, 'x')}) {
    const auto made =
        settings(config("[etcd]\nurls = [\"http://a\"]\nuser = \"ann\"\npassword_file = \"" + file(text) + "\"\n"));
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text().find("etcd.password_file"), std::string::npos);
  }
  EXPECT_FALSE(settings(config("[etcd]\nurls = [\"http://a\"]\nuser = \"ann\"\npassword_file = \"/no/such/file\"\n")));
}

TEST_F(ContainerSettings, UrlsThatAreNone) {
  EXPECT_EQ(mistake("[etcd]\nurls = [\"http://a:99999\"]\n"),
            "test.toml:2: etcd.urls: has an entry that has a port that is not 1 to 65535\n");
  EXPECT_EQ(mistake("[amqp]\nmanagement_url = \"http://a:x\"\n"),
            "test.toml:2: amqp.management_url: has a port that is not 1 to 65535\n");
}

TEST_F(ContainerSettings, TheConfigRefusesWhatCannotBe) {
  EXPECT_NE(mistake("[etcd]\nurls = [\"a:2379\"]\n").find("http://"), std::string::npos);
  const std::string with_user = mistake("[etcd]\nurls = [\"http://ann:s3cret@a\"]\n");
  EXPECT_NE(with_user.find("etcd.password_file"), std::string::npos);
  EXPECT_EQ(with_user.find("s3cret"), std::string::npos);
  EXPECT_NE(mistake("[etcd]\nprefix = \"nuropb\"\n"), "");
  EXPECT_NE(mistake("[etcd]\nprefix = \"/nuropb/\"\n"), "");
  EXPECT_NE(mistake("[etcd]\nlease_s = 1\n"), "");
  EXPECT_NE(mistake("[etcd]\nuser = \"ann\"\n").find("one is set without the other"), std::string::npos);
  EXPECT_NE(mistake("[etcd]\nkey_file = \"k\"\n").find("one is set without the other"), std::string::npos);
  const std::string management = mistake("[amqp]\nmanagement_url = \"ftp://ann:s3cret@a\"\n");
  EXPECT_NE(management.find("neither http://"), std::string::npos);
  EXPECT_EQ(management.find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd
