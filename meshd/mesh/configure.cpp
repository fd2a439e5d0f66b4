#include "meshd/mesh/configure.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "common/json/scan.hpp"
#include "common/percent.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/secret_file.hpp"
#include "meshd/mesh/topology.hpp"

namespace nuropb::mesh {
namespace {

constexpr std::uint16_t channel = 1;
using Found = SetUp::Found;

using Opened = Result<std::unique_ptr<amqp::Connection>>;

Opened open(const amqp::Url& url, const TransportSettings& settings) {
  auto options = connection_settings(settings);
  for (auto& [key, value] : options.properties) {
    if (key == "name") value += " set-up";
  }
  auto opened = amqp::Connection::open(url, options);
  if (!opened) return tl::unexpected(opened.error());
  return std::make_unique<amqp::Connection>(std::move(*opened));
}

/// "Not administrator user" from {"error":"not_authorised","reason":"Not administrator user"}; empty for any other
/// body.
std::string reason_of(const http::Response& answer) {
  std::array<json::Field, 1> fields{{{"reason"}}};
  json::Slice root;
  if (json::scan(answer.body, fields, &root) || fields[0].value.kind != json::Kind::string) return {};
  std::string text = json::unescape(fields[0].value);
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text.substr(0, 200);
}

class Management {
 public:
  Management(const http::Url& url, const TransportSettings& settings)
      : client_({url, {settings.ca_file, settings.certificate_file, settings.key_file, settings.verify_peer}}),
        timeout_(settings.connect_timeout) {}

  Result<bool> has_vhost(const std::string& vhost) {
    const auto answer = ask({"GET", "/api/vhosts/" + percent_encode(vhost), {}, {}});
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 404) return false;
    if (answer->status == 200) return true;
    return refused(*answer, "asking for vhost '" + vhost + "'");
  }

  Result<void> make_vhost(const std::string& vhost) {
    const auto answer = ask({"PUT", "/api/vhosts/" + percent_encode(vhost), "{}", {}});
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 201 || answer->status == 204) return {};
    return refused(*answer, "creating vhost '" + vhost + "'");
  }

  /// (exchange, key) of each binding of a queue.
  Result<std::set<std::pair<std::string, std::string>>> bindings(const std::string& vhost, const std::string& queue) {
    const auto answer =
        ask({"GET", "/api/queues/" + percent_encode(vhost) + "/" + percent_encode(queue) + "/bindings", {}, {}});
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) return refused(*answer, "asking for the bindings of " + queue);
    const auto list = nlohmann::json::parse(answer->body, nullptr, false);
    std::set<std::pair<std::string, std::string>> out;
    if (!list.is_array()) return failure("the peer is not RabbitMQ's management API", client_.url().redacted());
    for (const auto& each : list) {
      const auto text = [&](const char* name) {
        return each.is_object() && each.contains(name) && each[name].is_string() ? each[name].get<std::string>()
                                                                                 : std::string();
      };
      out.emplace(text("source"), text("routing_key"));
    }
    return out;
  }

 private:
  Result<http::Response> ask(const http::Request& request) {
    auto answer = client_.send(request, timeout_);
    if (!answer)
      answer.error().hint =
          "the vhost is created through RabbitMQ's management API: is its plugin enabled (rabbitmq-plugins enable "
          "rabbitmq_management), and this its address?";
    return answer;
  }
  tl::unexpected<Error> refused(const http::Response& answer, const std::string& doing) {
    const std::string where = client_.url().redacted();
    const std::string reason = reason_of(answer);
    const std::string said = doing + ": HTTP " + std::to_string(answer.status) + (reason.empty() ? "" : " " + reason);
    // RabbitMQ 3.10 sends the former, 4.0 and later the latter.
    const bool login = reason.find("Login failed") != std::string::npos || reason == "Not_Authorized";
    if (answer.status == 401 && (login || reason.empty()))
      return failure("user or password refused by the management API:  " + said, where,
                     "check user and password of the URL");
    if (answer.status == 401 || answer.status == 403) {
      return failure("no permission: " + said, where,
                     "user '" + client_.url().user +
                         "' needs the tag administrator (rabbitmqctl set_user_tags), or another administrator has to "
                         "create the vhost");
    }
    return failure("the peer is not RabbitMQ's management API, or rejects the request: " + said, where,
                   "--management-url names its address");
  }

  http::Client client_;
  milliseconds timeout_;
};

/// Adds a hint to a refusal by the broker.
Error with_hint(Error error) {
  if (!error.hint.empty()) return error;
  if (error.what.starts_with("403 "))
    error.hint =
        "the user needs configure, write and read on the names that begin with nuropb- (rabbitmqctl set_permissions)";
  if (error.what.starts_with("406 "))
    error.hint =
        "it exists with other properties; nothing is deleted automatically, so inspect it and delete it by hand if it "
        "is not "
        "needed";
  return error;
}

/// Looks for one object after another and creates the missing ones.
class Declaring {
 public:
  Declaring(std::unique_ptr<amqp::Connection>& connection, std::function<Opened()> reopen, bool dry_run, SetUp& report)
      : connection_(connection), reopen_(std::move(reopen)), dry_run_(dry_run), report_(report) {}

  Result<void> exchange(const Blueprint::Exchange& each) {
    return item("exchange " + each.name + " (" + each.type + ")", connection_->has_exchange(channel, each.name),
                [&] { return connection_->perform(channel, amqp::Step::declare_exchange(each.name, each.type)); });
  }
  /// Declares a queue, in another form if the broker accepts no other; `topology` remembers that form.
  Result<void> queue(const TransportSettings& settings, Topology& topology, std::size_t number) {
    const std::string name = Blueprint::of(settings, topology).queues[number].name;
    return item("queue " + name, connection_->has_queue(channel, name), [&]() -> Result<void> {
      for (;;) {
        const Blueprint::Queue wanted = Blueprint::of(settings, topology).queues[number];
        const auto step = amqp::Step::declare_queue(wanted.name, wanted.options);
        auto done = connection_->perform(channel, step);
        if (done) return done;
        const auto lesson = topology.learn(step, done.error().what);
        if (!lesson) return done;
        report_.notes.push_back(*lesson);
        if (const auto again = usable_again(done.error().what); !again) return again;
      }
    });
  }
  Result<void> binding(const Blueprint::Binding& each, std::optional<bool> there) {
    const std::string what =
        "binding of " + each.queue + " to " + each.exchange + (each.key.empty() ? "" : " with '" + each.key + "'");
    if (!dry_run_) {
      if (const auto done = connection_->bind_queue(channel, each.queue, each.exchange, each.key); !done)
        return tl::unexpected(with_hint(done.error()));
    }
    report_.items.push_back({what, !there     ? Found::unknown
                                   : *there   ? Found::there
                                   : dry_run_ ? Found::missing
                                              : Found::made});
    return {};
  }

 private:
  /// Reopens what the broker has closed because of a declaration: the channel, or the whole connection.
  Result<void> usable_again(const std::string& said) {
    if (QueueForms::denies_transient(said)) {
      Opened opened = reopen_();
      if (!opened) return tl::unexpected(opened.error());
      connection_ = std::move(*opened);
    } else if (const auto closed = connection_->answer_close(channel); !closed) {
      return closed;
    }
    return connection_->open_channel(channel);
  }

  template <class Declare>
  Result<void> item(std::string what, const Result<bool>& there, Declare declare) {
    if (!there) return tl::unexpected(with_hint(there.error()));
    // An existing object is declared as well, to check its properties. A dry run changes nothing by that.
    if (*there || !dry_run_) {
      if (const auto done = declare(); !done) return tl::unexpected(with_hint(done.error()));
    }
    report_.items.push_back({std::move(what), *there ? Found::there : dry_run_ ? Found::missing : Found::made});
    return {};
  }
  std::unique_ptr<amqp::Connection>& connection_;
  std::function<Opened()> reopen_;
  bool dry_run_;
  SetUp& report_;
};

bool vhost_trouble(const Error& error) { return error.what.find("530 ") != std::string::npos; }

/// Reports everything as missing, for a vhost that does not exist and is not to be created.
void all_missing(const Blueprint& blueprint, SetUp& report) {
  for (const auto& each : blueprint.exchanges)
    report.items.push_back({"exchange " + each.name + " (" + each.type + ")", Found::missing});
  for (const auto& each : blueprint.queues) report.items.push_back({"queue " + each.name, Found::missing});
  for (const auto& each : blueprint.bindings)
    report.items.push_back(
        {"binding of " + each.queue + " to " + each.exchange + (each.key.empty() ? "" : " with '" + each.key + "'"),
         Found::missing});
}

}  // namespace

Blueprint Blueprint::of(const TransportSettings& settings) {
  return of(settings, Topology::of(settings, {}, {}, {settings.dead_letter_queue, settings.service_queue_type}));
}

Blueprint Blueprint::of(const TransportSettings& settings, const Topology& names) {
  Blueprint out;
  out.exchanges = {
      {settings.rpc_exchange, "direct"}, {settings.events_exchange, "topic"}, {settings.dl_exchange, "fanout"}};
  if (settings.client_only) return out;
  const std::string &service_queue = names.service_queue, &dead_letter_queue = names.dead_letter_queue;
  out.queues = {{dead_letter_queue, names.forms.dead_letter()},
                {service_queue, names.forms.service(settings.dl_exchange)}};
  out.bindings.push_back({dead_letter_queue, settings.dl_exchange, ""});
  out.bindings.push_back({service_queue, settings.rpc_exchange, settings.service_name});
  for (const auto& key : settings.rpc_bindings) out.bindings.push_back({service_queue, settings.rpc_exchange, key});
  for (const auto& key : settings.event_bindings)
    out.bindings.push_back({service_queue, settings.events_exchange, key});
  return out;
}

http::Url management_of(const amqp::Url& url) {
  http::Url out;
  out.tls = url.tls;
  out.host = url.host;
  out.port = static_cast<std::uint16_t>(std::min(url.port + 10'000, 65'535));
  out.user = url.user;
  out.password = url.password;
  return out;
}

std::size_t SetUp::count(Found state) const {
  return static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [&](const Item& item) { return item.state == state; }));
}

Result<SetUp> set_up(const SetUpSettings& settings) {
  TransportSettings transport = settings.transport;
  if (SecretFile file(transport.password_file); file.named()) {
    const auto password = file.read();
    if (!password) return tl::unexpected(password.error());
    for (auto& each : transport.urls) each.password = *password;
  }
  const Blueprint blueprint = Blueprint::of(transport);
  Opened opened = failure("no broker is configured", "amqp.urls");
  const amqp::Url* url = nullptr;
  for (const auto& each : transport.urls) {
    url = &each;
    opened = open(each, transport);
    if (opened || vhost_trouble(opened.error())) break;  // a node that lets us in decides for its cluster
  }
  if (!url) return tl::unexpected(opened.error());

  SetUp report;
  report.broker = url->redacted();
  http::Url management_url = settings.management.value_or(management_of(*url));
  if (management_url.user.empty()) {
    management_url.user = url->user;
    management_url.password = url->password;
  }
  Management management(management_url, transport);
  const std::string vhost_item = "vhost " + url->vhost;
  if (!opened) {
    if (!vhost_trouble(opened.error())) return tl::unexpected(opened.error());
    const std::string refused = opened.error().what;
    const auto no_permission = [&] {
      return tl::unexpected(
          Error{"no permission: " + refused, report.broker,
                "rabbitmqctl set_permissions -p '" + url->vhost + "' '" + url->user + "' '.*' '.*' '.*'"});
    };
    if (refused.find("access to vhost") != std::string::npos) return no_permission();
    const auto there = management.has_vhost(url->vhost);
    if (!there)
      return tl::unexpected(
          Error{"vhost '" + url->vhost + "' does not exist and cannot be created: " + there.error().what,
                there.error().where, there.error().hint});
    if (*there) return no_permission();
    if (settings.dry_run) {
      report.items.push_back({vhost_item, Found::missing});
      all_missing(blueprint, report);
      return report;
    }
    if (const auto made = management.make_vhost(url->vhost); !made) return tl::unexpected(made.error());
    report.items.push_back({vhost_item, Found::made});
    opened = open(*url, transport);
    if (!opened) return tl::unexpected(opened.error());
  } else {
    report.items.push_back({vhost_item, Found::there});
  }

  const auto at_broker = [&](Error error) {
    error.where = report.broker + (error.where.empty() ? "" : ": " + error.where);
    return tl::unexpected(std::move(error));
  };
  if (const auto done = (*opened)->open_channel(channel); !done) return at_broker(done.error());
  Topology topology = Topology::of(transport, {}, {}, {transport.dead_letter_queue, transport.service_queue_type});
  Declaring declaring(*opened, [&] { return open(*url, transport); }, settings.dry_run, report);
  for (const auto& each : blueprint.exchanges) {
    if (const auto done = declaring.exchange(each); !done) return at_broker(done.error());
  }
  std::set<std::string> new_queues;
  for (std::size_t number = 0; number < blueprint.queues.size(); ++number) {
    if (const auto done = declaring.queue(transport, topology, number); !done) return at_broker(done.error());
    if (report.items.back().state != Found::there) new_queues.insert(blueprint.queues[number].name);
  }
  std::string asked;
  std::optional<std::set<std::pair<std::string, std::string>>> known;
  for (const auto& each : blueprint.bindings) {
    std::optional<bool> there;
    if (new_queues.contains(each.queue)) {
      there = false;
    } else if (settings.ask_for_bindings) {
      if (asked != each.queue) {
        const auto answer = management.bindings(url->vhost, each.queue);
        known = answer ? std::optional(*answer) : std::nullopt;
        asked = each.queue;
      }
      if (known) there = known->contains({each.exchange, each.key});
    }
    if (const auto done = declaring.binding(each, there); !done) return at_broker(done.error());
  }
  (*opened)->close();
  return report;
}

}  // namespace nuropb::mesh
