#include "meshd/mesh/service_host.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

TEST(ServiceHost, DescribesItselfAsThePythonPeerExpects) {
  ServiceHost host("demo", "1.2", "A demo");
  host.method("add", {.description = "Adds", .parameters = {{"a", "number", true, "one"}, {"b", "number", false, "other", 7}}}, [](const Call&) { return 1; });
  host.method("hidden", {.hidden = true}, [](const Call&) { return 1; });
  const auto d = host.describe();
  EXPECT_EQ(d["service_name"], "demo");
  EXPECT_EQ(d["service_version"], "1.2");
  EXPECT_EQ(d["encrypted_methods"], false);
  EXPECT_EQ(d["public_key"], nullptr);
  EXPECT_EQ(d["warnings"], nlohmann::json::array());
  EXPECT_FALSE(d["methods"].contains("hidden"));
  EXPECT_FALSE(d["methods"].contains("nuropb_describe"));
  const auto& add = d["methods"]["add"];
  EXPECT_EQ(add["requires_encryption"], false);
  EXPECT_EQ(add["parameters"]["type"], "object");
  EXPECT_EQ(add["parameters"]["required"], nlohmann::json({"a"}));
  EXPECT_EQ(add["parameters"]["properties"][0], nlohmann::json::parse(R"(["a",{"type":"number","description":"one","default":null}])"));
  EXPECT_EQ(add["parameters"]["properties"][1], nlohmann::json::parse(R"(["b",{"type":"number","description":"other","default":7}])"));
}

}  // namespace
}  // namespace nuropb::mesh
