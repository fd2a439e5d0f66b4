#include "common/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/config_keys.hpp"

namespace nuropb {
namespace {

std::string mistakes(std::string_view toml, const ConfigSources& over = {}) {
  const auto config = parse_config(toml, "gw.toml", over);
  return config ? std::string() : config.error().text();
}

TEST(Config, NothingSaidMeansTheDefaults) {
  const auto config = parse_config("", "gw.toml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->listen.port, 8880);
  EXPECT_EQ(config->gateway.service, "gateway");
  EXPECT_TRUE(config->amqp.verify_peer);
}

TEST(Config, FileThenEnvironmentThenFlags) {
  const char* const file = "[listen]\nport = 1\n[gateway]\nedges = 3\nservice = \"a\"\n";
  const auto config = parse_config(
      file, "gw.toml", {"", {{"NUROPB_LISTEN_PORT", "2"}, {"NUROPB_GATEWAY_EDGES", "4"}}, {{"listen.port", "3"}}});
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->listen.port, 3);
  EXPECT_EQ(config->gateway.edges, 4u);
  EXPECT_EQ(config->gateway.service, "a");
}

TEST(Config, ListsComeFromCommasToo) {
  const auto config = parse_config(
      "", "gw.toml", {"", {{"NUROPB_LISTEN_ORIGINS", "a.com,b.com"}}, {{"amqp.urls", "amqp://a/,amqps://b/"}}});
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->listen.origins, (std::vector<std::string>{"a.com", "b.com"}));
  EXPECT_EQ(config->amqp.urls.size(), 2u);
}

TEST(Config, AMistakeNamesFileLineKeyAndWhatIsWrong) {
  struct Row {
    const char* toml;
    const char* message;
  };
  const Row rows[] = {
      {"[listen]\n\nport = 70000\n", "gw.toml:3: listen.port: 70000 is above 65535"},
      {"[listen]\nport = \"x\"\n", "gw.toml:2: listen.port: is not a whole number"},
      {"[listen]\nport = 1.5\n", "gw.toml:2: listen.port: is not a whole number"},
      {"[listen]\nprot = 1\n", "gw.toml:2: unknown key 'listen.prot' (did you mean 'port'?)"},
      {"[listne]\nport = 1\n", "unknown section 'listne' (did you mean 'listen'?)"},
      {"listen = 1\n", "gw.toml:1: 'listen' is not a table"},
      {"[listen]\nport = \n", "gw.toml:2: not TOML"},
      {"[listen]\norigins = \"x\"\n", "gw.toml:2: listen.origins: is not a list of strings"},
      {"[listen]\norigins = [1]\n", "gw.toml:2: listen.origins: is not a list of strings"},
      {"[listen]\npath = \"ws\"\n", "listen.path: does not begin with '/'"},
      {"[log]\nlevel = \"loud\"\n", "log.level: is not one of debug, info, warning, error"},
      {"[auth]\nauthorizers = [\"jwt\", \"magic\"]\n",
       "auth.authorizers: has an entry that is not one of tokens, jwt,"},
      {"[auth]\nauthorizers = [\"jwt\", \"jwt\"]\n", "auth.authorizers: names 'jwt' twice"},
      {"[auth]\nauthorizers = []\n", "auth.authorizers: is empty"},
      {"[jwt]\nalgorithms = [\"none\"]\n", "jwt.algorithms: has an entry that is not one of RS256,"},
      {"[jwt]\njwks_url = \"https://u:p@h/\"\n", "jwt.jwks_url: has a user in it"},
      {"[jwt]\njwks_url = \"https://h/a b\"\n", "jwt.jwks_url: has a character in its path that has to be %-encoded"},
      {"[jwt]\njwks_url = \"https://h:x/keys\"\n", "jwt.jwks_url: has a port that is not 1 to 65535"},
      {"[tracing]\notlp_url = \"http:///v1/traces\"\n", "tracing.otlp_url: has no host"},
      {"[amqp]\nurls = [\"amqp://h/v?heartbeat=1\"]\n", "amqp.urls: has an entry that has a query or a fragment"},
      {"[amqp]\nmanagement_url = \"http://h/?x\"\n", "amqp.management_url: has a query"},
      {"[etcd]\nurls = [\"http://h:0\"]\n", "etcd.urls: has an entry that has a port that is not 1 to 65535"},
      {"[introspection]\nurl = \"ftp://h/\"\n", "introspection.url: begins with neither"},
      {"[rings]\nrequest_bytes = 5000000\n", "rings.request_bytes: is not a power of two"},
      {"[rings]\nrequest_bytes = 1048576\n",
       "gw.toml:2: rings.request_bytes: 1048576 bytes do not hold two messages of limits.message_bytes"},
      {"[amqp]\nverify_peer = 1\n", "amqp.verify_peer: is not true or false"},
      {"[amqp]\nurls = []\n", "amqp.urls: is empty"},
      {"[limits]\nmessage_bytes = 100000000\n", "gw.toml:2: rings.return_bytes: "},
      {"[request]\nttl_ms = 5000\nmax_ttl_ms = 1000\n",
       "gw.toml:2: request.ttl_ms is above request.max_ttl_ms (5000 and 1000)"},
      {"[request]\nmax_ttl_ms = 1000\n", "gw.toml:2: request.ttl_ms is above request.max_ttl_ms"},
      {"[gateway]\nedges = 40\n", "gw.toml:2: gateway.edges is above gateway.max_workers"},
      {"[gateway]\ninstance = \"0123456789012345678901234567890123456789x\"\n",
       "gw.toml:2: gateway.instance: is longer than 40 bytes"},
      {"[amqp]\nrpc_exchange = \"\"\n", "gw.toml:2: amqp.rpc_exchange: is empty"},
      {"[amqp]\nkey_file = \"x\"\n", "one is set without the other"},
  };
  for (const Row& row : rows)
    EXPECT_NE(mistakes(row.toml).find(row.message), std::string::npos) << row.toml << "\n→ " << mistakes(row.toml);
}

TEST(Config, AllMistakesAreToldAtOnce) {
  const std::string text = mistakes("[listen]\nport = 70000\npath = 1\n[nope]\n",
                                    {"", {{"NUROPB_LOG_LEVEL", "x"}}, {{"a.b", "1"}, {"listen.port", "y"}}});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6) << text;
}

TEST(Config, TheMistakesOfAFileComeFromTopToBottom) {
  const std::string text = mistakes(
      "[rings]\nreturn_bytes = 0\nrequest_bytes = 0\n[listen]\nprot = 1\naddress = \"\"\n[amqp]\nprefetch = 0\n");
  std::size_t at = 0;
  for (const char* place : {"gw.toml:2: ", "gw.toml:3: ", "gw.toml:5: ", "gw.toml:6: ", "gw.toml:8: "}) {
    const auto next = text.find(place, at);
    ASSERT_NE(next, std::string::npos) << place << "\n" << text;
    at = next;
  }
}

TEST(Config, KeysThatDontGoTogetherAreFoundWhereTheyWereSetLast) {
  const ConfigSources over{"", {{"NUROPB_REQUEST_TTL_MS", "5000"}}, {}};
  EXPECT_NE(mistakes("[request]\nttl_ms = 10\nmax_ttl_ms = 1000\n", over)
                .find("NUROPB_REQUEST_TTL_MS: request.ttl_ms is above"),
            std::string::npos);
}

/// Other programs use the environment, too: Kubernetes sets these in each pod for a Service called nuropb-gateway.
TEST(Config, VariablesOfOtherProgramsAreLeftAlone) {
  const std::vector<std::pair<std::string, std::string>> links{
      {"NUROPB_GATEWAY_PORT", "tcp://10.0.0.1:8880"},
      {"NUROPB_GATEWAY_PORT_8880_TCP", "tcp://10.0.0.1:8880"},
      {"NUROPB_GATEWAY_PORT_8880_TCP_ADDR", "10.0.0.1"},
      {"NUROPB_GATEWAY_PORT_8880_TCP_PORT", "8880"},
      {"NUROPB_GATEWAY_PORT_8880_TCP_PROTO", "tcp"},
      {"NUROPB_GATEWAY_SERVICE_HOST", "10.0.0.1"},
      {"NUROPB_GATEWAY_SERVICE_PORT", "8880"},
      {"NUROPB_GATEWAY_SERVICE_PORT_WS", "8880"},
      // For Services called nuropb-listen, nuropb-backend and nuropb-console: these are names of our own keys.
      {"NUROPB_LISTEN_PORT", "tcp://10.0.0.1:8880"},
      {"NUROPB_BACKEND_PORT", "udp://10.0.0.1:1"},
      {"NUROPB_CONSOLE_PORT", "sctp://[fd00::1]:1"},
      {"NUROPB_LISTEN_SERVICE_HOST", "10.0.0.2"},
  };
  const auto config = parse_config("[listen]\nport = 1\n", "gw.toml", {"", links, {}});
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->listen.port, 1);
  EXPECT_EQ(config->backend.port, Config().backend.port);
  ASSERT_EQ(config->ignored_variables.size(), links.size());
  for (std::size_t at = 0; at < links.size(); ++at)
    EXPECT_EQ(config->ignored_variables[at], links[at].first + " (a service link of Kubernetes or Docker)");

  const auto others = parse_config("", "gw.toml",
                                   {"",
                                    {{"NUROPB_GATEWAY_NAME", "/web/gateway"},
                                     {"NUROPB_LISTEN_PROT", "1"},
                                     {"NUROPB_OTHER_THING", "x"},
                                     {"NUROPB_", "x"},
                                     {"NUROPB_LISTEN_", "x"},
                                     {"NUROPB_LISTEN_PORT", "2"}},
                                    {}});
  ASSERT_TRUE(others) << others.error().text();
  EXPECT_EQ(others->listen.port, 2);
  EXPECT_EQ(ignored_variables_text(*others),
            "NUROPB_GATEWAY_NAME, NUROPB_LISTEN_PROT (did you mean 'port'?), NUROPB_LISTEN_");
  EXPECT_NE(
      mistakes("", {"", {{"NUROPB_LISTEN_PORT", "http://10.0.0.1:8880"}}, {}}).find("NUROPB_LISTEN_PORT: listen.port"),
      std::string::npos)
      << "what is no service link is a mistake in a setting";
}

TEST(Config, LinesNeedANameOfTheirOwnAndCertificatesForTls) {
  const auto wrong = [](const std::string& text) {
    const auto config = parse_config(text, "f.toml");
    return config ? std::string() : config.error().text();
  };
  EXPECT_EQ(wrong("[lines]\nenabled = true"), "");
  EXPECT_NE(wrong("[gateway]\nservice = 'x'\n[lines]\nenabled = true\nservice_name = 'x'")
                .find("lines.service_name is gateway.service"),
            std::string::npos);
  EXPECT_NE(wrong("[lines]\nenabled = true\ntls = true").find("tls.certificate_files"), std::string::npos);
}

TEST(Config, AVariableOrFlagIsNamedInItsMistake) {
  EXPECT_NE(mistakes("", {"", {{"NUROPB_LISTEN_PORT", "x"}}, {}}).find("NUROPB_LISTEN_PORT: listen.port"),
            std::string::npos);
  EXPECT_NE(mistakes("", {"", {}, {{"listen.port", "-1"}}}).find("--set listen.port: listen.port: -1 is below 0"),
            std::string::npos);
  EXPECT_EQ(mistakes("", {"", {{"NUROPB_TEST_BROKER", "/x"}}, {}}), "") << "no section of ours";
}

TEST(Config, APasswordIsNeverRepeated) {
  for (const char* toml : {"[amqp]\nurls = [\"http://u:hunter2@h/\"]\n", "[amqp]\nurls = \"amqp://u:hunter2@h/\"\n",
                           "[amqp]\nurls = [\"amqp://u:hunter2@h/\"]\nprefetch = 0\n",
                           // not even TOML
                           "[amqp]\nurls = [\"amqp://u:hunter2@h/\n", "[amqp]\nurls = amqp://u:hunter2@h/\n",
                           "[amqp]\nurls = [\"amqp://u:hunter2@h/\"\n", "[amqp]\nurls = \"amqp://u:hunter2@h/\" x\n",
                           "[amqp]\nurls = [\"amqp://u:hunter2@h/\"]\nurls = [\"amqp://u:hunter2@h/\"]\n",
                           "[amqp]\nurls = [\"amqp://u:hunter2\\@h/\"]\n"}) {
    EXPECT_NE(mistakes(toml), "");
    EXPECT_EQ(mistakes(toml).find("hunter2"), std::string::npos) << mistakes(toml);
  }
  const auto config = parse_config("[amqp]\nurls = [\"amqp://u:hunter2@h/\"]\n", "gw.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config_json(*config).find("hunter2"), std::string::npos);
}

TEST(Config, RelativePathsAreRelativeToTheFile) {
  const auto config =
      parse_config("[gateway]\nruntime_dir = \"run\"\n[auth]\ntoken_file = \"../t.toml\"\n", "/etc/nuropb/gw.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->gateway.runtime_dir, "/etc/nuropb/run");
  EXPECT_EQ(config->auth.token_file, "/etc/t.toml");
}

TEST(Config, JsonHoldsEverySectionForTheLauncher) {
  const auto config = parse_config("[gateway]\nedges = 7\n", "gw.toml");
  const auto json = nlohmann::json::parse(config_json(*config));
  EXPECT_EQ(json["gateway"]["edges"], 7);
  EXPECT_EQ(json["listen"]["origins"], nlohmann::json::array());
  for (const auto& section : config_sections()) EXPECT_TRUE(json.contains(section.name)) << section.name;
}

TEST(Config, WhatEdgesAreToldIsTheSameButForMeshdsOwn) {
  const auto config = parse_config(
      "[listen]\nport = 7\nhosts = [\"a b\", \"\\\"q\\\"\"]\n[tls]\ncertificate_files = [\"c.pem\"]\nkey_files = "
      "[\"k.pem\"]\n"
      "[amqp]\nurls = [\"amqp://u:hush@b/\"]\nmanagement_url = "
      "\"http://u:hush@b/\"\n[introspection]\nclient_secret_file = \"hush\"\n",
      "/etc/gw.toml");
  ASSERT_TRUE(config);
  const std::string text = config_for_edges(*config);
  EXPECT_EQ(text.find("hush"), std::string::npos);
  const auto again = parse_config(text, "");
  ASSERT_TRUE(again) << again.error().text();
  for (const ConfigKey& key : config_keys()) {
    const auto& sections = config_sections();
    const bool for_meshd = std::find_if(sections.begin(), sections.end(), [&](const auto& section) {
                             return section.name == key.section;
                           })->for_meshd;
    EXPECT_EQ(key.get(*again), key.get(for_meshd ? Config{} : *config)) << key.full_name();
    EXPECT_TRUE(for_meshd || !key.secret) << key.full_name() << ": edges need what they may not be told";
  }
  EXPECT_EQ(again->tls.key_files, std::vector<std::string>{"/etc/k.pem"});
}

TEST(Config, TheSampleIsTheTableAndItsValuesAreTheDefaults) {
  const auto config = parse_config(sample_config(), "sample.toml");
  ASSERT_TRUE(config) << config.error().text();
  for (const ConfigKey& key : config_keys()) {
    EXPECT_EQ(key.get(*config), key.get(Config{})) << key.full_name();
    EXPECT_NE(sample_config().find("\n" + std::string(key.name) + " = "), std::string::npos) << key.full_name();
    EXPECT_FALSE(key.doc.empty()) << key.full_name();
  }
}

TEST(Config, TheSampleThatIsShippedIsTheOneThatIsMade) {
  std::ifstream in(NUROPB_SOURCE_DIR "/deploy/nuropb-gateway.toml");
  std::stringstream shipped;
  shipped << in.rdbuf();
  EXPECT_EQ(shipped.str(), sample_config()) << "nuropb-meshd --sample-config > deploy/nuropb-gateway.toml";
}

TEST(Config, AFileThatCantBeReadIsNamed) {
  const auto config = load_config({"/nonexistent/gw.toml", {}, {}});
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().text().find("/nonexistent/gw.toml"), std::string::npos);
  const auto folder = load_config({::testing::TempDir(), {}, {}});
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().text().find("can't be read"), std::string::npos) << folder.error().text();
}

struct Said {
  tl::expected<Config, int> config;
  std::string out, error, port_file;
};
Said command_line(std::vector<std::string> words, const ConfigChecker& check = {}) {
  words.insert(words.begin(), "nuropb-test");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  std::string port_file;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  auto config = config_from_command_line(static_cast<int>(arguments.size()), arguments.data(), "nuropb-test", "tests",
                                         check, {{"--port-file", "where", &port_file}}, " (more)");
  std::string out = testing::internal::GetCapturedStdout();
  return {std::move(config), std::move(out), testing::internal::GetCapturedStderr(), port_file};
}

TEST(CommandLine, SetsWhatItNames) {
  const auto said = command_line({"--set", "listen.port=9", "--port-file", "p", "--set", "log.file=/a=b"});
  ASSERT_TRUE(said.config) << said.error;
  EXPECT_EQ(said.config->listen.port, 9);
  EXPECT_EQ(said.config->log.file, "/a=b") << "the first equals sign is the one that is meant";
  EXPECT_EQ(said.port_file, "p");
  EXPECT_EQ(said.out + said.error, "");
}

TEST(CommandLine, SaysWhatIsAskedAndEnds) {
  const std::vector<std::string> with_password{"--set", "amqp.urls=amqp://a:hidden@b/"};
  auto printed = command_line({with_password[0], with_password[1], "--print-config"});
  EXPECT_EQ(printed.config.error(), 0);
  EXPECT_EQ(nlohmann::json::parse(printed.out)["listen"]["port"], 8880) << printed.out;
  EXPECT_EQ(printed.out.find("hidden"), std::string::npos);
  const auto checked = command_line({"--check-config"});
  EXPECT_EQ(checked.config.error(), 0);
  EXPECT_EQ(checked.out, "settings: ok\n");
  const auto sample = command_line({"--sample-config", "--set", "wrong.key=1"});
  EXPECT_EQ(sample.config.error(), 0) << "for users without a config file";
  EXPECT_EQ(sample.out, sample_config());
  const auto version = command_line({"--version"});
  EXPECT_EQ(version.config.error(), 0);
  EXPECT_NE(version.out.find(NUROPB_VERSION " (more)"), std::string::npos) << version.out;
}

TEST(CommandLine, ACheckPrintsEachFindingAndFailsForMistakesOnly) {
  ConfigFindings found;
  found.warnings.push_back({"is odd", "somewhere", {}});
  const ConfigChecker check = [&](const Config&) { return found; };
  const auto warned = command_line({"--check-config"}, check);
  EXPECT_EQ(warned.config.error(), 0);
  EXPECT_EQ(warned.error, "warning: somewhere: is odd\n");
  EXPECT_EQ(warned.out, "settings: ok\n");
  found.mistakes.push_back({"is wrong", "elsewhere", {}});
  found.mistakes.push_back({"a setting is missing", {}, {}});
  const auto wrong = command_line({"--check-config"}, check);
  EXPECT_EQ(wrong.config.error(), 2);
  EXPECT_EQ(wrong.error, "warning: somewhere: is odd\nelsewhere: is wrong\na setting is missing\n");
  EXPECT_EQ(wrong.out, "");
  // Beside a wrong setting, only what is wrong in files is certain.
  const auto both = command_line({"--check-config", "--set", "listen.port=99999"}, check);
  EXPECT_EQ(both.error, "--set listen.port: listen.port: 99999 is above 65535\nelsewhere: is wrong\n");
}

TEST(Config, WhereEachSettingWasSetIsKept) {
  const auto config = parse_config("[listen]\n\nport = 9\n", "gw.toml", {{}, {}, {{"log.file", "x"}}});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->places.at("listen.port"), "gw.toml:3");
  EXPECT_EQ(config->places.at("log.file"), "--set log.file");
  EXPECT_EQ(config->places.size(), 2U);
}

TEST(CommandLine, AMistakeIsSaidWithoutWhatMayBeSecret) {
  const auto set = command_line({"--set", "amqp://a:hidden@b/"});
  EXPECT_EQ(set.config.error(), 2);
  EXPECT_NE(set.error.find("--set section.key=value"), std::string::npos);
  EXPECT_EQ(set.error.find("hidden"), std::string::npos);
  EXPECT_EQ(command_line({"--no-such-option"}).config.error(), 2);
  const auto file = command_line({"--config", "/nowhere/gw.toml", "--check-config"});
  EXPECT_EQ(file.config.error(), 2);
  EXPECT_NE(file.error.find("/nowhere/gw.toml"), std::string::npos) << file.error;
  EXPECT_EQ(file.out, "");
}

}  // namespace
}  // namespace nuropb
