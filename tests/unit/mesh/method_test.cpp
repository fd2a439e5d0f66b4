#include "meshd/mesh/method.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

using nlohmann::json;

TEST(Method, ValuesOfAnotherTypeAreRefused) {
  struct Row {
    const char* type;
    std::vector<json> fit, do_not;
  };
  const json object = json::object(), array = json::array();
  for (const Row& row : {Row{"string", {"", "x"}, {1, true, nullptr, array}}, Row{"str", {"x"}, {1}},
                         Row{"number", {1, -1, 2.5}, {"1", true, nullptr}}, Row{"float", {1, 2.5}, {"1"}},
                         Row{"integer", {1, -1, 2.0, 18446744073709551615U, 1e300}, {2.5, "1", true, nullptr}},
                         Row{"int", {1}, {2.5}}, Row{"boolean", {true, false}, {0, "true", nullptr}},
                         Row{"bool", {true}, {1}}, Row{"object", {object}, {array, "x", nullptr}},
                         Row{"dict", {object}, {array}}, Row{"array", {array}, {object, "x", nullptr}},
                         Row{"list", {array}, {object}}, Row{"any", {object, array, 1, "x", nullptr, true}, {}}}) {
    const MethodInfo info{.parameters = {{"a", row.type}}};
    for (const json& value : row.fit) {
      json params{{"a", value}};
      EXPECT_EQ(accept_parameters(info, "m", params), std::nullopt) << row.type << " " << value;
    }
    for (const json& value : row.do_not) {
      json params{{"a", value}};
      EXPECT_EQ(accept_parameters(info, "m", params),
                std::string("m() takes 'a' as ") + row.type + ", not as " + value.type_name());
    }
  }
}

TEST(Method, MissingAndUnknownArgumentsAreNamedAndDefaultsFilledIn) {
  const MethodInfo info{.parameters = {{"a", "integer"}, {"b", "string", false, "", "else"}, {"c", "object", false}}};
  json params{{"a", 1}};
  EXPECT_EQ(accept_parameters(info, "m", params), std::nullopt);
  EXPECT_EQ(params, json({{"a", 1}, {"b", "else"}, {"c", nullptr}}));
  params = {{"a", 1}, {"b", nullptr}};
  EXPECT_EQ(accept_parameters(info, "m", params), std::nullopt) << "null is how some callers leave out";
  params = {{"b", "x"}};
  EXPECT_EQ(accept_parameters(info, "m", params), "m() is missing its argument 'a'");
  params = {{"a", 1}, {"z", 1}};
  EXPECT_EQ(accept_parameters(info, "m", params), "m() has no argument 'z'");
  MethodInfo open = info;
  open.any_parameters = true;
  EXPECT_EQ(accept_parameters(open, "m", params), std::nullopt);
  params = {{"a", "x"}, {"z", 1}};
  EXPECT_NE(accept_parameters(open, "m", params), std::nullopt) << "declared ones are checked nevertheless";
}

TEST(Method, DeclarationsThatCannotBeMeantAreToldAtOnce) {
  EXPECT_NO_THROW(check_declaration("m", {.parameters = {{"a", "integer", false, "", 1}, {"b"}}}));
  EXPECT_THROW(check_declaration("", {}), std::invalid_argument);
  EXPECT_THROW(check_declaration("_m", {}), std::invalid_argument);
  EXPECT_THROW(check_declaration("m", {.parameters = {{"a", "text"}}}), std::invalid_argument);
  EXPECT_THROW(check_declaration("m", {.parameters = {{"a", ""}}}), std::invalid_argument);
  EXPECT_THROW(check_declaration("m", {.parameters = {{"a"}, {"a"}}}), std::invalid_argument);
  EXPECT_THROW(check_declaration("m", {.parameters = {{"a", "integer", false, "", "one"}}}), std::invalid_argument);
}

TEST(Method, IsDescribedAsThePythonPeerExpects) {
  const auto d = description_of({.description = "Adds",
                                 .parameters = {{"a", "number", true, "one"}, {"b", "number", false, "other", 7}},
                                 .requires_encryption = true});
  EXPECT_EQ(d["description"], "Adds");
  EXPECT_EQ(d["requires_encryption"], true);
  EXPECT_EQ(d["parameters"]["type"], "object");
  EXPECT_EQ(d["parameters"]["required"], json({"a"}));
  EXPECT_EQ(d["parameters"]["properties"][0],
            json::parse(R"(["a",{"type":"number","description":"one","default":null}])"));
  EXPECT_EQ(d["parameters"]["properties"][1],
            json::parse(R"(["b",{"type":"number","description":"other","default":7}])"));
}

}  // namespace
}  // namespace nuropb::mesh
