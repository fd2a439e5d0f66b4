#include "meshd/etcd/wire.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base64.hpp"

namespace nuropb::etcd {
namespace {

using nlohmann::json;

constexpr std::string_view ok_text = "True";  // in Python's spelling

Result<json> parse(std::string_view text) {
  json out = json::parse(text, nullptr, false);
  if (!out.is_object()) return failure("etcd's answer is not a JSON object");
  return out;
}

const json& member(const json& object, const char* name) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

/// A number that may be written as a string. A missing one means 0, as everywhere in protobuf's JSON.
std::optional<std::int64_t> integer(const json& value) {
  if (value.is_null()) return 0;
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return {};
  const auto& text = value.get_ref<const std::string&>();
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return out;
}

std::optional<std::string> bytes(const json& value) {
  if (value.is_null()) return std::string();
  if (!value.is_string()) return {};
  return base64::decode(value.get_ref<const std::string&>());
}

bool flag(const json& value) { return value.is_boolean() && value.get<bool>(); }

std::string clean(std::string text) {
  text.resize(std::min<std::size_t>(text.size(), 200));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e; }, '?');
  return text;
}

std::string print(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

struct KeyValue {
  std::string key, value;
  std::int64_t lease = 0;
};
std::optional<KeyValue> key_value(const json& kv) {
  auto key = bytes(member(kv, "key"));
  auto value = bytes(member(kv, "value"));
  const auto lease = integer(member(kv, "lease"));
  if (!key || !value || !lease) return {};
  return KeyValue{std::move(*key), std::move(*value), *lease};
}

}  // namespace

Keys Keys::of(const std::string& prefix) {
  // '0' follows '/' in ASCII.
  return {prefix + "/leader", prefix + "/rmq-config-ok", prefix + "/", prefix + "0"};
}

std::string grant_request(std::int64_t ttl_s) { return print({{"TTL", std::to_string(ttl_s)}}); }

Result<Lease> read_grant(std::string_view body) {
  const auto answer = parse(body);
  if (!answer) return tl::unexpected(answer.error());
  const auto id = integer(member(*answer, "ID"));
  const auto ttl = integer(member(*answer, "TTL"));
  if (!id || !ttl || *id == 0 || *ttl <= 0 || *ttl > 1'000'000'000) return failure("etcd's answer is not a lease");
  return Lease{*id, *ttl};
}

std::string lease_request(std::int64_t lease) { return print({{"ID", std::to_string(lease)}}); }

Result<Lease> read_keep_alive(std::string_view body) {
  const auto answer = parse(body.substr(0, body.find('\n')));
  if (!answer) return tl::unexpected(answer.error());
  if (answer->contains("error")) return failure("etcd: " + refusal(body));
  const json& result = member(*answer, "result");
  const auto id = integer(member(result, "ID"));
  const auto ttl = integer(member(result, "TTL"));
  if (!result.is_object() || !id || *id == 0 || !ttl || *ttl < 0 || *ttl > 1'000'000'000)
    return failure("etcd's answer does not mention the lease");
  return Lease{*id, *ttl};
}

std::string nominate_request(const Keys& keys, const std::string& instance_id, std::int64_t lease) {
  const json range_leader = {{"request_range", {{"key", base64::encode(keys.leader)}}}};
  const json range_config = {{"request_range", {{"key", base64::encode(keys.config_ok)}}}};
  const json put = {{"request_put",
                     {{"key", base64::encode(keys.leader)},
                      {"value", base64::encode(instance_id)},
                      {"lease", std::to_string(lease)}}}};
  return print(
      {{"compare",
        json::array(
            {{{"key", base64::encode(keys.leader)}, {"target", "VERSION"}, {"result", "EQUAL"}, {"version", "0"}}})},
       {"success", json::array({put, range_config})},
       {"failure", json::array({range_leader, range_config})}});
}

Result<Nomination> read_nomination(std::string_view body, const Keys& keys, const std::string& instance_id,
                                   std::int64_t lease) {
  const auto answer = parse(body);
  if (!answer) return tl::unexpected(answer.error());
  Nomination out;
  const auto revision = integer(member(member(*answer, "header"), "revision"));
  if (!revision || *revision <= 0 || *revision == INT64_MAX) return failure("etcd's answer has no revision");
  out.revision = *revision;
  const bool put = flag(member(*answer, "succeeded"));
  bool holder_known = put;
  if (put) {
    out.ours = true;
    out.leader = instance_id;
  }
  const json& responses = member(*answer, "responses");
  if (!responses.is_array()) return failure("etcd's answer to a transaction has no responses");
  for (const json& response : responses) {
    const json& kvs = member(member(response, "response_range"), "kvs");
    if (!kvs.is_array()) continue;
    for (const json& each : kvs) {
      const auto kv = key_value(each);
      if (!kv) return failure("etcd's answer has a key that can't be read");
      if (kv->key == keys.config_ok) out.config_ok = kv->value == ok_text;
      if (kv->key != keys.leader || put) continue;
      out.leader = kv->value;
      out.ours = kv->lease == lease;
      holder_known = true;
    }
  }
  if (!holder_known) return failure("etcd's answer does not say who has the leader key");
  return out;
}

std::string publish_request(const Keys& keys, std::int64_t lease) {
  return print(
      {{"compare", json::array({{{"key", base64::encode(keys.leader)},
                                 {"target", "LEASE"},
                                 {"result", "EQUAL"},
                                 {"lease", std::to_string(lease)}}})},
       {"success", json::array({{{"request_put",
                                  {{"key", base64::encode(keys.config_ok)}, {"value", base64::encode(ok_text)}}}}})},
       {"failure", json::array()}});
}

Result<bool> read_publish(std::string_view body) {
  const auto answer = parse(body);
  if (!answer) return tl::unexpected(answer.error());
  if (!member(*answer, "header").is_object()) return failure("etcd's answer is not the result of a transaction");
  return flag(member(*answer, "succeeded"));
}

std::string watch_request(const Keys& keys, std::int64_t from_revision) {
  return print({{"create_request",
                 {{"key", base64::encode(keys.from)},
                  {"range_end", base64::encode(keys.to)},
                  {"start_revision", std::to_string(from_revision)}}}});
}

Result<std::vector<WatchEvent>> read_watch_line(std::string_view line, const Keys& keys) {
  const auto answer = parse(line);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->contains("error")) return failure("etcd: " + refusal(line));
  const json& result = member(*answer, "result");
  if (!result.is_object()) return failure("etcd's line is not a watch response");
  if (flag(member(result, "canceled"))) {
    const json& reason = member(result, "cancel_reason");
    return failure("etcd has ended the watch" +
                   (reason.is_string() ? ": " + clean(reason.get<std::string>()) : std::string()));
  }
  std::vector<WatchEvent> out;
  const json& events = member(result, "events");
  if (!events.is_array()) return out;
  for (const json& event : events) {
    const auto kv = key_value(member(event, "kv"));
    if (!kv) return failure("etcd's line has a key that can't be read");
    const json& type = member(event, "type");
    const bool deleted = type.is_string() && type.get_ref<const std::string&>() == "DELETE";
    if (kv->key == keys.leader) {
      if (deleted) out.emplace_back(LeaderDeleted{});
      else out.emplace_back(LeaderPut{kv->value, kv->lease});
    } else if (kv->key == keys.config_ok) {
      out.emplace_back(ConfigPut{!deleted && kv->value == ok_text});
    }
  }
  return out;
}

std::string authenticate_request(const std::string& user, const std::string& password) {
  return print({{"name", user}, {"password", password}});
}

Result<std::string> read_token(std::string_view body) {
  const auto answer = parse(body);
  if (!answer) return tl::unexpected(answer.error());
  const json& token = member(*answer, "token");
  if (!token.is_string() || token.get_ref<const std::string&>().empty()) return failure("etcd's answer has no token");
  return token.get<std::string>();
}

std::string refusal(std::string_view body) {
  const json answer = json::parse(body.substr(0, body.find('\n')), nullptr, false);
  const json& error = member(answer, "error");
  for (const json* each : {&member(answer, "message"), &error, &member(error, "message")}) {
    if (each->is_string() && !each->get_ref<const std::string&>().empty()) return clean(each->get<std::string>());
  }
  return "no reason given";
}

}  // namespace nuropb::etcd
