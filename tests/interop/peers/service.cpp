// nuropb-test-service: a C++ service with one method per way in which a service can answer, the counterpart of
// service.py. Prints "ready" when it consumes; ends on SIGTERM.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <set>
#include <thread>

#include "common/error_names.hpp"
#include "meshd/mesh/api.hpp"
#include "meshd/mesh/settings.hpp"

namespace {

using namespace nuropb;
using nlohmann::json;

/// Answers after a while, on a thread of its own: as a method does that has to wait for something.
void later(mesh::Reply reply, int ms, std::function<void(mesh::Reply&)> answer) {
  std::thread([held = std::make_shared<mesh::Reply>(std::move(reply)), ms, answer = std::move(answer)] {
    std::this_thread::sleep_for(milliseconds(ms));
    answer(*held);
  }).detach();
}

json claims_of(const std::string& token) {
  if (token == "expired") throw mesh::CallError(error_name::authentication, "the token has expired");
  if (token == "weak") throw mesh::CallError(error_name::authorization, "no claims for this token");
  return token == "secret-ann" ? json({{"sub", "ann"}}) : json();
}

class EveryKindOfAnswer {
 public:
  EveryKindOfAnswer(mesh::ServiceHost& host, mesh::Api& api) : host_(host), api_(api) {
    add_answers();
    add_declared();
    add_witnesses();
  }

 private:
  void add_answers() {
    host_.method("echo", {.description = "Gives back what it got", .parameters = {{"value", "any", false}}},
                 [](const mesh::Call& c) { return c.params["value"]; });
    host_.method("nothing", {}, [](const mesh::Call&) { return nullptr; });
    host_.async_method("later", {.parameters = {{"value", "any", false}, {"ms", "integer", false, "", 10}}},
                       [](mesh::Call c, mesh::Reply reply) {
                         later(std::move(reply), c.params["ms"].get<int>(),
                               [value = c.params["value"]](mesh::Reply& r) { r.result(value); });
                       });
    host_.method("raises", {.parameters = {{"text", "string", false, "", "boom"}}},
                 [](const mesh::Call& c) -> json { throw std::runtime_error(c.params["text"].get<std::string>()); });
    host_.async_method("raises_later", {}, [](mesh::Call, mesh::Reply reply) {
      later(std::move(reply), 10, [](mesh::Reply& r) { r.error(error_name::exception, "boom later"); });
    });
    host_.method(
        "error", {.parameters = {{"name", "string"}, {"description", "string"}}}, [](const mesh::Call& c) -> json {
          throw mesh::CallError(c.params["name"].get<std::string>(), c.params["description"].get<std::string>());
        });
    host_.method("call_again_once", {.parameters = {{"key", "string"}}}, [this](const mesh::Call& c) -> json {
      if (again_.insert(c.params["key"].get<std::string>()).second) throw mesh::CallAgain("come back");
      return "second time";
    });
    host_.method("call_again_always", {.parameters = {{"topic", "string", false, "", ""}}},
                 [this](const mesh::Call& c) -> json {
                   ++calls_;
                   if (c.params["topic"] != "")
                     c.publish_event(c.params["topic"].get<std::string>(), "must not be seen");
                   throw mesh::CallAgain("come back");
                 });
    host_.method("success", {.parameters = {{"topic", "string"}}}, [](const mesh::Call& c) {
      const std::string topic = c.params["topic"].get<std::string>();
      return mesh::Success("done", {{topic, {{"n", 1}}}, {topic, {{"n", 2}}, {"ann"}}});
    });
    host_.method("event_then_fail", {.parameters = {{"topic", "string"}}}, [](const mesh::Call& c) -> json {
      c.publish_event(c.params["topic"].get<std::string>(), "must not be seen");
      throw std::runtime_error("after its event");
    });
    host_.async_method("answers_twice", {}, [](mesh::Call, mesh::Reply reply) {
      reply.result("first");
      reply.result("second");
      reply.error(error_name::exception, "third");
    });
    host_.async_method("forgets", {}, [](mesh::Call, mesh::Reply) {});
  }

  void add_declared() {
    host_.method("add",
                 {.description = "Adds", .parameters = {{"a", "integer"}, {"b", "integer", false, "the other", 1}}},
                 [](const mesh::Call& c) { return c.params["a"].get<int>() + c.params["b"].get<int>(); });
    host_.method("hidden", {.hidden = true}, [](const mesh::Call&) { return "found"; });
    host_.method("context", {.needs_context = true}, [](const mesh::Call& c) { return c.context; });
    host_.method("claims", {.authorize = claims_of}, [](const mesh::Call& c) { return c.claims; });
    host_.method("claims_by_another_key", {.authorize = claims_of, .context_token_key = "Authorisation"},
                 [](const mesh::Call& c) { return c.claims; });
    host_.method("secret", {.parameters = {{"value", "any"}}, .requires_encryption = true},
                 [](const mesh::Call& c) { return json{{"secret", c.params["value"]}}; });
  }

  void add_witnesses() {
    host_.method("note", {.any_parameters = true}, [this](const mesh::Call& c) {
      notes_.push_back(
          {{"params", c.params}, {"command", c.is_command}, {"encrypted", c.encrypted}, {"context", c.context}});
      return nullptr;
    });
    host_.on_event([this](const mesh::Event& e) {
      ++calls_;
      if (e.payload == "fail") throw std::runtime_error("as asked");
      if (e.payload == "again") throw mesh::CallAgain("as asked");
      notes_.push_back({{"topic", e.topic},
                        {"event", e.payload},
                        {"target", e.target},
                        {"context", e.context},
                        {"trace_id", e.trace_id}});
    });
    host_.method("notes", {}, [this](const mesh::Call&) { return std::exchange(notes_, json::array()); });
    host_.method("calls", {}, [this](const mesh::Call&) { return std::exchange(calls_, 0); });
    host_.method("refusals", {}, [this](const mesh::Call&) {
      json counts = json::object();
      for (std::size_t i = 0; i < mesh::refusal_kinds; ++i) {
        const auto kind = static_cast<mesh::Refusal>(i);
        counts[std::string(to_text(kind))] = host_.refusals().count(kind) + api_.transport().refusals().count(kind);
      }
      return counts;
    });
  }

  mesh::ServiceHost& host_;
  mesh::Api& api_;
  std::set<std::string> again_;
  json notes_ = json::array();
  int calls_ = 0;  // of what asks to be called again, and of the events handler
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A NuroPb service for the tests", "nuropb-test-service");
  std::string url, service, key_file;
  std::uint16_t prefetch = 10;
  app.add_option("--url", url)->required();
  app.add_option("--service", service)->required();
  app.add_option("--key-file", key_file, "made if it is missing");
  app.add_option("--prefetch", prefetch)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // before there are other threads
  ::signal(SIGPIPE, SIG_IGN);

  auto settings = mesh::service_settings(url, service);
  if (!settings) {
    std::cerr << settings.error().text() << '\n';
    return 2;
  }
  settings->prefetch = prefetch;
  settings->event_bindings = {service + ".events.#"};
  mesh::ServiceHost host(service, "1.2.3", "Answers in every way that a NuroPb service can");
  if (!key_file.empty()) {
    auto key = mesh::PrivateKey::load_or_create(key_file);
    if (!key) {
      std::cerr << key.error().text() << '\n';
      return 2;
    }
    host.use_key(std::move(*key));
  }
  mesh::Api api(*settings);
  EveryKindOfAnswer methods(host, api);
  api.serve(host);
  if (const auto started = api.start(); !started) {
    std::cerr << started.error().text() << '\n';
    return 1;
  }
  std::cout << "ready" << std::endl;
  int which = 0;
  sigwait(&ending, &which);
  api.stop();
  return 0;
}
