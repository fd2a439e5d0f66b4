#include "meshd/policy.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto policy = meshd::Policy::parse(fuzz::text(data, size), "fuzz.toml");
  if (!policy) {
    fuzz::must(policy.error().text().find("fuzz.toml:") != std::string::npos, "a refusal names the file and the line");
    return 0;
  }
  const meshd::Identity ann{"ann", "", "t", {"clerk"}, R"({"tenant":"acme","groups":["blue"]})"};
  const auto session = policy->for_identity(ann);
  for (const auto use : {meshd::Use::request, meshd::Use::command, meshd::Use::describe})
    (void)session.allows(use, "orders", "get_one");
  for (const auto use : {meshd::Use::event, meshd::Use::subscribe}) {
    if (session.allows_topic(use, "#")) fuzz::must(session.allows_topic(use, "a.b"), "who may all may some");
  }
  return 0;
}
